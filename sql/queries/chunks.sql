-- name: chunks_grant
-- One statement for a batch. The recording's row is locked against its deletion; a chunk that is known keeps what it was
-- first granted for, and only a live one (granted, missing, lost) of the same content gets a new term.
with claim as (
    select * from unnest(%(seqs)b::int[], %(segments)b::int[], %(sizes)b::bigint[], %(digests)b::bytea[])
               as c (seq, segment, size, sha256)
), recording as (
    select id, state, chunk_count, mime_type, described_at is not null as described from recordings
     where id = %(recording_id)s and owner = %(owner)s and state in ('open', 'expired', 'complete')
       for share
), granted as (
    insert into chunks as c (recording_id, seq, segment, size, sha256, expires_at)
    select r.id, claim.seq, claim.segment, claim.size, claim.sha256, now() + %(ttl)s::interval
      from claim cross join recording r
     where r.state <> 'complete'
     order by claim.seq
        on conflict (recording_id, seq) do update
       set granted_at = now(), expires_at = excluded.expires_at
     where c.state in ('granted', 'missing', 'lost')
       and (c.segment, c.size, c.sha256) = (excluded.segment, excluded.size, excluded.sha256)
    returning c.seq, c.overwrite, c.granted_at, c.expires_at
), granted_again as (
    -- A complete recording takes no new chunks, but still takes bytes for those it has.
    update chunks c set granted_at = now(), expires_at = now() + %(ttl)s::interval
      from claim cross join recording r
     where r.state = 'complete' and claim.seq < r.chunk_count
       and (c.recording_id, c.seq) = (r.id, claim.seq)
       and c.state in ('granted', 'missing', 'lost')
       and (c.segment, c.size, c.sha256) = (claim.segment, claim.size, claim.sha256)
    returning c.seq, c.overwrite, c.granted_at, c.expires_at
)
select g.*, r.mime_type, r.described
  from (select * from granted union all select * from granted_again) g cross join recording r

-- name: chunks_claimed
-- The chunks that several requests speak of, each within its own owner's recordings.
with claim as (
    select * from unnest(%(owners)s::text[], %(recording_ids)b::uuid[], %(seqs)b::int[]) as c (owner, recording_id, seq)
)
select c.*, r.owner
  from claim
  join recordings r on r.id = claim.recording_id and r.owner = claim.owner and r.state <> 'deleted'
  join chunks c on (c.recording_id, c.seq) = (claim.recording_id, claim.seq)

-- name: chunks_page
select c.* from chunks c join recordings r on r.id = c.recording_id
 where r.id = %(recording_id)s and r.owner = %(owner)s and r.state <> 'deleted' and c.seq > %(after)s
 order by c.seq
 limit %(limit)s

-- name: chunks_ack
-- One statement for all acks that arrived together, of any recordings. Rows are locked in one order so that replicas
-- never wait for each other in a circle. A chunk that was already acked keeps its state and time (repeating changes
-- nothing), but its generation rises: a sweep that listed before this ack must not write over it.
with claim as (
    select * from unnest(%(recording_ids)b::uuid[], %(seqs)b::int[], %(digests)b::bytea[], %(etags)s::text[])
               as c (recording_id, seq, sha256, etag)
), recording as (
    select id, state, chunk_count from recordings
     where id = any (%(recording_ids)b) and state in ('open', 'expired', 'complete')
     order by id
       for share
), held as (
    select c.recording_id, c.seq, claim.etag,
           -- Only this keeps its confirmation: a sweep may have missed it after this ack's HEAD had seen it.
           c.state = 'confirmed' and c.etag = claim.etag
           and not exists (select from sightings s where (s.recording_id, s.seq) = (c.recording_id, c.seq)) as stays
      from chunks c
      join claim on (c.recording_id, c.seq, c.sha256) = (claim.recording_id, claim.seq, claim.sha256)
      join recording r on r.id = c.recording_id
     -- What was granted beyond the end of a recording completed since is no part of it.
     where r.state <> 'complete' or c.seq < r.chunk_count
     order by c.recording_id, c.seq
       for update of c
), acked as (
    update chunks c
       set state = case when held.stays then 'confirmed' else 'acked' end,
           acked_at = case when c.state in ('acked', 'confirmed') and c.etag = held.etag then c.acked_at else now() end,
           confirmed_at = case when held.stays then c.confirmed_at end,
           etag = held.etag,
           generation = c.generation + 1,
           overwrite = false
      from held
     where (c.recording_id, c.seq) = (held.recording_id, held.seq)
    returning c.recording_id, c.seq, c.state
), fulfilled as (
    update tickets t set state = 'fulfilled', closed_at = now(), cause = 'acked'
      from acked a
     where (t.recording_id, t.seq) = (a.recording_id, a.seq) and t.state = 'open'
), forgotten as (
    delete from sightings s using acked a where (s.recording_id, s.seq) = (a.recording_id, a.seq)
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
