-- name: chunks_grant
-- One statement for all claims that arrived together, run in the transaction that has locked their owners' rows: what this
-- reads of quotas, reservations and states of chunks is what holds until it commits. A chunk that is known keeps what it
-- was first granted for, and only a live one (granted, missing, lost) of the same content gets a new term. Only what is not
-- counted yet needs room, in the quota and among the owner's live grants: a chunk that is sent again never does. Nothing is
-- granted of a recording that the bucket does not tell of yet: the id may be another owner's there, and rows would take its place.
with claim as (
    select * from unnest(%(owners)s::text[], %(exempt)s::boolean[], %(recording_ids)b::uuid[], %(seqs)b::int[],
                         %(segments)b::int[], %(sizes)b::bigint[], %(digests)b::bytea[], %(starts)b::bigint[],
                         %(durations)b::bigint[])
                  with ordinality as c (owner, exempt, recording_id, seq, segment, size, sha256, start_ms, duration_ms, place)
), recording as (
    -- Against their deletion meanwhile. Only what is the claiming owner's: a call that waited for another owner's recording would
    -- tell that it is there.
    select r.id, r.owner, r.state, r.chunk_count, r.mime_type, r.described_at is not null as described, r.expires_at
      from (select distinct recording_id, owner from claim) asked
      join recordings r on (r.id, r.owner) = (asked.recording_id, asked.owner)
     where r.state in ('open', 'expired', 'complete')
     order by r.id
       for share of r
), revived as (
    -- Whoever asks is not idle. Written now and then only: each write costs as much as a grant.
    update recordings r set state = 'open', expires_at = now() + %(idle)s::interval
      from recording f
     where r.id = f.id
       and (f.state = 'expired' or f.state = 'open' and f.expires_at < now() + %(idle)s::interval * 0.95)
), wanted as (
    -- Two calls may claim one chunk at once: the first is answered, and the other where it claims the same.
    select distinct on (claim.recording_id, claim.seq) claim.*, r.mime_type, r.described,
           case when k.seq is null or k.state = 'granted' and not k.reserved then claim.size else 0 end as needed
      from claim
      join recording r on (r.id, r.owner) = (claim.recording_id, claim.owner)
      left join chunks k on (k.recording_id, k.seq) = (claim.recording_id, claim.seq)
     where k.seq is null and r.state <> 'complete'
        or k.state in ('granted', 'missing', 'lost')
           and (k.segment, k.size, k.sha256) = (claim.segment, claim.size, claim.sha256)
           and (r.state <> 'complete' or claim.seq < r.chunk_count)
     order by claim.recording_id, claim.seq, claim.place
), measured as (
    select w.*, o.used_bytes, o.reserved_bytes, o.reserved_chunks,
           coalesce(o.limit_bytes, %(default_limit)s::bigint) as limit_bytes,
           o.used_bytes + o.reserved_bytes + sum(w.needed) over (partition by w.owner order by w.place) as would_be
      from wanted w join owners o on o.id = w.owner
), weighed as (
    select *, needed = 0 or exempt or limit_bytes is null or would_be <= limit_bytes as in_quota from measured
), decided as (
    -- Nobody is exempt from the number of live grants: it bounds how long the owner's row is locked to free them all.
    select *, described and in_quota and (needed = 0 or reserved_chunks + count(*) filter (where in_quota and needed > 0)
                                              over (partition by owner order by place) <= %(live_grants)s) as has_room
      from weighed
), granted as (
    insert into chunks as c (recording_id, seq, segment, size, sha256, start_ms, duration_ms, expires_at, reserved)
    select recording_id, seq, segment, size, sha256, start_ms, duration_ms, now() + %(ttl)s::interval, needed > 0
      from decided
     where has_room
     order by recording_id, seq
        on conflict (recording_id, seq) do update
       set granted_at = now(), expires_at = excluded.expires_at, reserved = c.state = 'granted',
           start_ms = coalesce(c.start_ms, excluded.start_ms), duration_ms = coalesce(c.duration_ms, excluded.duration_ms)
     where c.state in ('granted', 'missing', 'lost')
       and (c.segment, c.size, c.sha256) = (excluded.segment, excluded.size, excluded.sha256)
    returning c.recording_id, c.seq, c.overwrite, c.granted_at, c.expires_at
), settled as (
    -- What needs room and has it is granted: nobody else makes or settles a reservation while the owner's row is locked.
    update owners o set reserved_bytes = o.reserved_bytes + d.needed, reserved_chunks = o.reserved_chunks + d.chunks
      from (select owner, sum(needed) as needed, count(*) as chunks from decided where has_room and needed > 0 group by owner) d
     where o.id = d.owner
)
-- Grouped, not joined: of neither side the planner knows how many rows come, and a nested loop over 1,000 chunks took a second.
select max(place) as place, max(mime_type) as mime_type, bool_or(described) as described, max(used_bytes) as used_bytes,
       max(reserved_bytes) as reserved_bytes, max(limit_bytes) as limit_bytes,
       max(reserved_chunks) as reserved_chunks, bool_or(in_quota) as in_quota,
       bool_or(overwrite) as overwrite, max(granted_at) as granted_at, max(expires_at) as expires_at
  from (select recording_id, seq, has_room, in_quota, place, mime_type, described, used_bytes, reserved_bytes, reserved_chunks,
               limit_bytes, null::boolean as overwrite, null::timestamptz as granted_at, null::timestamptz as expires_at from decided
         union all
        select recording_id, seq, null, null, null, null, null, null, null, null, null, overwrite, granted_at, expires_at from granted) told
 group by recording_id, seq
-- What has room and was not granted after all has changed in this moment: it is looked at again, as what was never wanted.
having max(expires_at) is not null or not bool_or(has_room)

-- name: chunks_claimed
-- The chunks that several requests speak of, each within its own owner's recordings.
with claim as (
    select * from unnest(%(owners)s::text[], %(recording_ids)b::uuid[], %(seqs)b::int[]) as c (owner, recording_id, seq)
)
select c.*, r.owner
  from claim
  join recordings r on r.id = claim.recording_id and r.owner = claim.owner and r.state in ('open', 'expired', 'complete')
  join chunks c on (c.recording_id, c.seq) = (claim.recording_id, claim.seq)

-- name: chunks_page
select c.* from chunks c join recordings r on r.id = c.recording_id
 where r.id = %(recording_id)s and r.owner = %(owner)s and r.state in ('open', 'expired', 'complete') and c.seq > %(after)s
 order by c.seq
 limit %(limit)s

-- name: chunks_ack_lock
-- Before whatever writes chunks and tickets by what it reads of them, in the same transaction: that is then what holds until it
-- commits. Alone, it would see a ticket or a sighting only if that was committed before it began to wait for a row, and leave the
-- newer one open for ever. Rows are locked in one order (owners, recordings, chunks), so that replicas never wait for each other in
-- a circle.
with claim as (
    select * from unnest(%(recording_ids)b::uuid[], %(seqs)b::int[]) as c (recording_id, seq)
), counted as (
    select o.id from owners o
     where o.id in (select owner from recordings where id = any (%(recording_ids)b))
     order by o.id
       for update
), recording as (
    select r.id from recordings r join counted on counted.id = r.owner
     where r.id = any (%(recording_ids)b)
     order by r.id
       for share of r
), held as (
    select c.recording_id, c.seq
      from chunks c
      join claim on (c.recording_id, c.seq) = (claim.recording_id, claim.seq)
      join recording r on r.id = c.recording_id
     order by c.recording_id, c.seq
       for update of c
)
select count(*) as locked from held

-- name: chunks_ack
-- Run after `chunks_ack_lock` in one transaction. One statement for all acks that arrived together, of any recordings. A chunk that
-- was already acked keeps its state and time (repeating changes nothing), but its generation rises: a sweep that listed before this
-- ack must not write over it.
with claim as (
    select * from unnest(%(recording_ids)b::uuid[], %(seqs)b::int[], %(digests)b::bytea[], %(etags)s::text[])
               as c (recording_id, seq, sha256, etag)
), held as (
    select c.recording_id, c.seq, claim.etag, r.owner, c.size, c.state, c.reserved,
           -- Only this keeps its confirmation: a sweep may have missed it after this ack's HEAD had seen it.
           c.state = 'confirmed' and c.etag = claim.etag
           and not exists (select from sightings s where (s.recording_id, s.seq) = (c.recording_id, c.seq)) as stays
      from chunks c
      join claim on (c.recording_id, c.seq, c.sha256) = (claim.recording_id, claim.seq, claim.sha256)
      join recordings r on r.id = c.recording_id
     where r.state in ('open', 'expired', 'complete')
       -- What was granted beyond the end of a recording completed since is no part of it.
       and (r.state <> 'complete' or c.seq < r.chunk_count)
), acked as (
    update chunks c
       set state = case when held.stays then 'confirmed' else 'acked' end,
           acked_at = case when c.state in ('acked', 'confirmed') and c.etag = held.etag then c.acked_at else now() end,
           confirmed_at = case when held.stays then c.confirmed_at end,
           -- Under another ETag, or after it was missing, lie bytes that nobody has read.
           read_at = case when c.state in ('acked', 'confirmed') and c.etag = held.etag then c.read_at end,
           etag = held.etag,
           generation = c.generation + 1,
           overwrite = false,
           reserved = false
      from held
     where (c.recording_id, c.seq) = (held.recording_id, held.seq)
    returning c.recording_id, c.seq, c.state
), fulfilled as (
    update tickets t set state = 'fulfilled', closed_at = now(), cause = 'acked'
      from acked a
     where (t.recording_id, t.seq) = (a.recording_id, a.seq) and t.state = 'open'
), forgotten as (
    delete from sightings s using acked a
     where (s.recording_id, s.seq) = (a.recording_id, a.seq) and s.read_again_at is null
), to_read as (
    -- Read wrong once: a HEAD shows the same before and after it is put there again. It is not confirmed until it was read.
    update sightings s set read_again_at = now() from acked a
     where (s.recording_id, s.seq) = (a.recording_id, a.seq) and s.read_again_at is not null
), told as (
    insert into events (kind, owner, recording_id, seq, cause)
    select 'chunk_returned', owner, recording_id, seq, 'acked' from held where state = 'lost' order by recording_id, seq
), settled as (
    -- What was reserved is used now. A late ack counts what nothing was reserved for, above the limit if need be.
    update owners o
       set used_bytes = o.used_bytes + d.used, reserved_bytes = o.reserved_bytes - d.reserved,
           reserved_chunks = o.reserved_chunks - d.chunks
      from (select owner, coalesce(sum(size) filter (where state in ('granted', 'lost')), 0) as used,
                   coalesce(sum(size) filter (where reserved), 0) as reserved,
                   count(*) filter (where reserved) as chunks
              from held group by owner) d
     where o.id = d.owner and (d.used, d.reserved) <> (0, 0)
)
select recording_id, seq, state from acked

-- name: chunks_allow_overwrite
-- After a verdict that something else lies under the key, the next grant leaves out if-none-match. Not for acked chunks:
-- those are a sweep's to judge.
with held as (
    select c.recording_id, c.seq from chunks c join recordings r on r.id = c.recording_id
     where r.id = %(recording_id)s and r.owner = %(owner)s
       and c.seq = any (%(seqs)s) and c.state in ('granted', 'missing', 'lost') and not c.overwrite
     order by c.recording_id, c.seq
       for update of c
)
update chunks c set overwrite = true from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
