-- name: recording_start
-- Nothing happens where the id is taken; the caller then reads the row within its own owner's.
with counted as (
    insert into owners (id) values (%(owner)s) on conflict do nothing
)
insert into recordings (id, owner, recorder_id, source, mime_type, title, expected_bytes, share_id, shard, expires_at)
values (%(id)s, %(owner)s, %(recorder_id)s, %(source)s, %(mime_type)s, %(title)s, %(expected_bytes)s, %(share_id)s, %(shard)s,
        now() + %(idle)s::interval)
on conflict (id) do nothing
returning *

-- name: recording_revive
-- Its recorder is back.
update recordings set state = 'open', expires_at = now() + %(idle)s::interval
 where id = %(id)s and owner = %(owner)s and state = 'expired'
returning *

-- name: recording_get
select * from recordings where id = %(id)s and owner = %(owner)s

-- name: recording_lock
select * from recordings where id = %(id)s and owner = %(owner)s for no key update

-- name: recording_described
update recordings set described_at = now() where id = %(id)s and described_at is null

-- name: recording_finalise
update recordings
   set state = 'complete', chunk_count = %(chunk_count)s, total_bytes = %(total_bytes)s, completed_at = now(), expires_at = null
 where id = %(id)s
returning *

-- name: recording_progress
select range_agg(int4range(seq, seq + 1)) filter (where state in ('acked', 'confirmed')) as received,
       range_agg(int4range(seq, seq + 1)) filter (where state = 'confirmed') as confirmed,
       range_agg(int4range(seq, seq + 1)) filter (where state = 'missing') as missing,
       range_agg(int4range(seq, seq + 1)) filter (where state = 'lost') as lost,
       count(*) filter (where state in ('acked', 'confirmed')) as received_chunks,
       coalesce(sum(size) filter (where state in ('acked', 'confirmed')), 0)::bigint as received_bytes,
       coalesce(sum(size) filter (where state = 'confirmed'), 0)::bigint as confirmed_bytes,
       (select count(*) from tickets where recording_id = %(id)s and state = 'open') as open_tickets,
       coalesce(max(seq) filter (where state <> 'granted'), -1) as last_seq,
       coalesce(sum(size) filter (where state <> 'granted'), 0)::bigint as known_bytes,
       max(start_ms + duration_ms) as duration_ms
  from chunks
 where recording_id = %(id)s

-- name: recordings_page
select r.*, t.*
  from recordings r
 cross join lateral (
       select count(*) filter (where c.state in ('acked', 'confirmed')) as received_chunks,
              coalesce(sum(c.size) filter (where c.state in ('acked', 'confirmed')), 0)::bigint as received_bytes,
              count(*) filter (where c.state = 'confirmed') as confirmed_chunks,
              coalesce(sum(c.size) filter (where c.state = 'confirmed'), 0)::bigint as confirmed_bytes,
              count(*) filter (where c.state = 'missing') as missing_chunks,
              count(*) filter (where c.state = 'lost') as lost_chunks,
              max(c.start_ms + c.duration_ms) as duration_ms
         from chunks c
        where c.recording_id = r.id) t
 where r.owner = %(owner)s
   and r.state <> 'deleted'
   and (%(before_created_at)s::timestamptz is null
        or (r.created_at, r.id) < (%(before_created_at)s::timestamptz, %(before_id)s::uuid))
 order by r.created_at desc, r.id desc
 limit %(limit)s

-- name: recordings_described
-- As committed before the bucket is listed. A manifest that was written a moment ago may not be listed yet.
select id, coalesce(manifest_at < now() - %(settle)s::interval, false) as manifested,
       coalesce(share_told_at < now() - %(settle)s::interval, false) as share_told
  from recordings
 where shard between %(first_shard)s and %(last_shard)s and state in ('open', 'expired', 'complete')
   and described_at < now() - %(settle)s::interval

-- name: recordings_of
select * from recordings where id = any (%(recording_ids)s) and state in ('open', 'expired', 'complete') order by id

-- name: manifests_forget
with held as (
    select id from recordings where id = any (%(recording_ids)s) and state = 'complete' order by id for no key update
)
update recordings r set manifest_at = null from held where r.id = held.id
