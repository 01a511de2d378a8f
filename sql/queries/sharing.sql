-- name: share_lock
-- One at a time decides on a recording's link: bucket and ledger are written in one order. Not the row: nobody who sends waits.
select pg_advisory_xact_lock(hashtextextended('share ' || %(id)s::uuid, 0))

-- name: share_judge
-- The recording, and whether a link that ends then would have ended already, as the database's clock tells.
select r.*, coalesce(%(expires_at)s::timestamptz <= clock_timestamp(), false) as is_past
  from recordings r where r.id = %(id)s and r.owner = %(owner)s

-- name: share_any
select * from recordings where id = %(id)s and state in ('open', 'expired', 'complete')

-- name: share_set
-- After the bucket has it.
update recordings
   set share_id = %(share_id)s, shared = %(shared)s, share_expires_at = %(expires_at)s, share_told_at = now()
 where id = %(id)s and state in ('open', 'expired', 'complete')
returning *

-- name: share_view
-- What a link leads to, where it works.
select * from recordings
 where share_id = %(share_id)s and shared and (share_expires_at is null or share_expires_at > clock_timestamp())
   and state in ('open', 'expired', 'complete')

-- name: share_figures
select max(start_ms + duration_ms) as duration_ms,
       int4multirange(int4range(0, %(chunk_count)s))
       - coalesce(range_agg(int4range(seq, seq + 1)) filter (where state in ('acked', 'confirmed')), '{}') as gaps
  from chunks where recording_id = %(id)s and seq < %(chunk_count)s

-- name: share_file
-- The newest whole file of this recording alone that its owner had made; one that has more of it goes first.
select d.object_key, d.file_name, d.content_type, d.size
  from download_recordings p join downloads d on d.id = p.download_id join recordings r on r.id = p.recording_id
 where p.recording_id = %(id)s and d.owner = r.owner and d.state = 'ready' and d.expires_at > now() and p.chunks = r.chunk_count
   and not exists (select from download_recordings o where o.download_id = d.id and o.recording_id <> p.recording_id)
 order by jsonb_array_length(d.gaps), d.finished_at desc
 limit 1
