-- name: deployment_become
-- An empty ledger takes the id that the bucket bears: it is that bucket's ledger from now on.
update deployment set id = %(id)s
 where not exists (select from chunks where state <> 'granted') and not exists (select from recordings)
returning id

-- name: deployment_is_nobodys
select not exists (select from chunks where state <> 'granted') and not exists (select from recordings) as empty

-- name: recordings_states
select id, state from recordings where id = any (%(recording_ids)s)

-- name: recording_take_up
-- As its description in the bucket tells it; open, until its manifest or its recorder says more. Idle as of now.
with counted as (
    insert into owners (id) values (%(owner)s) on conflict do nothing
), taken as (
    insert into recordings (id, owner, recorder_id, source, mime_type, title, expected_bytes, share_id, shared,
                            share_expires_at, shard, created_at, described_at, expires_at)
    values (%(id)s, %(owner)s, %(recorder_id)s, %(source)s, %(mime_type)s, %(title)s, %(expected_bytes)s, %(share_id)s,
            %(shared)s, %(share_expires_at)s, %(shard)s, %(created_at)s, now(), now() + %(idle)s::interval)
        on conflict do nothing
    returning id, owner
)
select id from taken

-- name: recording_take_description
-- Begun by a recorder while the ledger did not know it, and not described by this ledger: whose it is, the bucket says, and so
-- its links stay good. Another owner's with chunks granted stays as it is: nothing is taken up into it.
update recordings r
   set owner = %(owner)s, recorder_id = %(recorder_id)s, source = %(source)s, mime_type = %(mime_type)s, title = %(title)s,
       expected_bytes = %(expected_bytes)s, share_id = %(share_id)s, shared = %(shared)s,
       share_expires_at = %(share_expires_at)s, created_at = %(created_at)s, described_at = now()
 where r.id = %(id)s and r.described_at is null and r.state in ('open', 'expired')
   and (r.owner = %(owner)s or not exists (select from chunks c where c.recording_id = r.id))
   and not exists (select from recordings o where o.share_id = %(share_id)s and o.id <> r.id)
returning r.id

-- name: recordings_told
-- Those that need no description from the bucket any more.
select id from recordings
 where id = any (%(recording_ids)s) and (described_at is not null or state in ('deleting', 'deleted'))

-- name: owners_of_lock
-- Before whatever counts for these recordings' owners: owners, then recordings, then chunks.
with counted as (
    select o.id from owners o
     where o.id in (select owner from recordings where id = any (%(recording_ids)s))
     order by o.id
       for update
)
select r.id from recordings r join counted on counted.id = r.owner
 where r.id = any (%(recording_ids)s)
 order by r.id
   for no key update of r

-- name: chunks_take_up
-- Run after `owners_of_lock`. Bytes that the bucket was seen to have and the ledger does not know: acked, to be confirmed like any
-- other. A number that is bound to other content keeps it.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(segments)s::int[], %(sizes)s::bigint[],
                         %(digests)s::bytea[], %(etags)s::text[])
               as s (recording_id, seq, segment, size, sha256, etag)
), taken as (
    insert into chunks (recording_id, seq, segment, size, sha256, state, generation, etag, expires_at, acked_at)
    select s.recording_id, s.seq, s.segment, s.size, s.sha256, 'acked', 1, s.etag, now(), now()
      from seen s join recordings r on r.id = s.recording_id
     where r.state in ('open', 'expired') or r.state = 'complete' and s.seq < r.chunk_count
     order by s.recording_id, s.seq
        on conflict do nothing
    returning recording_id, seq, size
), told as (
    -- One for all of a recording's: a rebuild takes up millions.
    insert into events (kind, owner, recording_id, detail)
    select 'chunk_taken_up', r.owner, r.id, jsonb_build_object('chunks', t.chunks)
      from (select recording_id, count(*) as chunks from taken group by recording_id) t
      join recordings r on r.id = t.recording_id
     order by r.id
), settled as (
    update owners o set used_bytes = o.used_bytes + d.size
      from (select r.owner, sum(t.size) as size from taken t join recordings r on r.id = t.recording_id group by r.owner) d
     where o.id = d.owner
)
select recording_id, seq from taken

-- name: chunks_take_times
-- Run after `owners_of_lock`. No key of an object tells when its bytes were recorded. What a recorder told this ledger stays.
update chunks c
   set start_ms = coalesce(c.start_ms, m.start_ms), duration_ms = coalesce(c.duration_ms, m.duration_ms)
  from unnest(%(seqs)s::int[], %(segments)s::int[], %(sizes)s::bigint[], %(digests)s::bytea[], %(starts)s::bigint[],
              %(durations)s::bigint[]) as m (seq, segment, size, sha256, start_ms, duration_ms)
  join recordings r on r.id = %(id)s and r.state in ('open', 'expired')
 where (c.recording_id, c.seq, c.segment, c.size, c.sha256) = (r.id, m.seq, m.segment, m.size, m.sha256)
   and (c.start_ms is null and m.start_ms is not null or c.duration_ms is null and m.duration_ms is not null)

-- name: chunks_absent
-- Run after `owners_of_lock`. What a manifest names and the ledger does not have is missing, and asked for, or lost where that was
-- accepted. Of a recording that is complete already, or deleted, nothing.
with told as (
    select * from unnest(%(seqs)s::int[], %(segments)s::int[], %(sizes)s::bigint[], %(digests)s::bytea[], %(states)s::text[],
                         %(starts)s::bigint[], %(durations)s::bigint[])
               as m (seq, segment, size, sha256, state, start_ms, duration_ms)
), recording as (
    select id, owner from recordings where id = %(id)s and state in ('open', 'expired')
), before as (
    select c.seq, c.reserved from told join chunks c on (c.recording_id, c.seq) = (%(id)s, told.seq) where c.state = 'granted'
), absent as (
    insert into chunks as c (recording_id, seq, segment, size, sha256, state, start_ms, duration_ms, expires_at)
    select recording.id, m.seq, m.segment, m.size, m.sha256, m.state, m.start_ms, m.duration_ms, now()
      from told m cross join recording
     order by m.seq
        on conflict (recording_id, seq) do update set state = excluded.state, reserved = false
     where c.state = 'granted' and (c.segment, c.size, c.sha256) = (excluded.segment, excluded.size, excluded.sha256)
    returning c.recording_id, c.seq, c.size, c.state
), asked as (
    insert into tickets (recording_id, seq, reason)
    select recording_id, seq, 'missing' from absent where state = 'missing' order by seq
), settled as (
    update owners o
       set used_bytes = o.used_bytes + d.used, reserved_bytes = o.reserved_bytes - d.reserved,
           reserved_chunks = o.reserved_chunks - d.chunks
      from recording,
           lateral (select coalesce(sum(a.size) filter (where a.state = 'missing'), 0) as used,
                           coalesce(sum(a.size) filter (where b.reserved), 0) as reserved,
                           count(*) filter (where b.reserved) as chunks
                      from absent a left join before b on b.seq = a.seq) d
     where o.id = recording.owner
)
select count(*) filter (where state = 'missing') as missing from absent

-- name: recording_completed_once
-- Run after `owners_of_lock`. Complete, as its manifest tells. One that is complete already, or deleted, is left as it is.
update recordings
   set state = 'complete', chunk_count = %(chunk_count)s, total_bytes = %(total_bytes)s, completed_at = %(completed_at)s,
       expires_at = null, manifest_at = now()
 where id = %(id)s and state in ('open', 'expired')
returning id
