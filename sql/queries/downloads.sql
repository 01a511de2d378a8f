-- name: downloads_stock
-- What there is of these recordings of one owner, deleted ones included. How many chunks there should be: what it was completed
-- with, else up to the last that ever arrived.
select r.*, s.chunks, s.bytes, coalesce(r.chunk_count, s.last_seq + 1) as expected,
       int4multirange(int4range(0, coalesce(r.chunk_count, s.last_seq + 1))) - coalesce(s.there, '{}') as absent
  from recordings r
 cross join lateral (
       select count(*) filter (where c.state in ('acked', 'confirmed')) as chunks,
              coalesce(sum(c.size) filter (where c.state in ('acked', 'confirmed')), 0)::bigint as bytes,
              coalesce(max(c.seq) filter (where c.state <> 'granted'), -1) as last_seq,
              range_agg(int4range(c.seq, c.seq + 1)) filter (where c.state in ('acked', 'confirmed')) as there
         from chunks c where c.recording_id = r.id) s
 where r.owner = %(owner)s and r.id = any (%(recording_ids)s::uuid[])

-- name: download_begin
-- Nothing where one with this name or the same request is there; the caller then reads that one. `places` are in order.
with made as (
    insert into downloads (owner, idempotency_key, request, allow_gaps, file_stem, webhook_url, bytes_total, gaps)
    values (%(owner)s, %(idempotency_key)s, %(request)s, %(allow_gaps)s, %(file_stem)s, %(webhook_url)s, %(bytes_total)s,
            %(gaps)s::jsonb)
    on conflict do nothing
    returning id
), packed as (
    insert into download_recordings (download_id, place, recording_id, chunks, bytes)
    select made.id, asked.place - 1, asked.recording_id, asked.chunks, asked.bytes
      from made cross join unnest(%(recording_ids)s::uuid[], %(chunks)s::int[], %(bytes)s::bigint[])
           with ordinality as asked (recording_id, chunks, bytes, place)
)
select id from made

-- name: download_named
-- What a request with this name has made, if any has; and whether it was the same request.
select id, request = %(request)s as same from downloads where owner = %(owner)s and idempotency_key = %(idempotency_key)s

-- name: download_same
select id from downloads where owner = %(owner)s and request = %(request)s and state in ('queued', 'running', 'ready')

-- name: downloads_live
select count(*) as live from downloads where owner = %(owner)s and state in ('queued', 'running')

-- name: downloads_page
-- Newest first; each with its recordings in order, and the newest of what its webhook is told.
select d.*, p.recording_ids, p.titles, w.*
  from downloads d
 cross join lateral (
       select array_agg(p.recording_id order by p.place) as recording_ids, array_agg(r.title order by p.place) as titles
         from download_recordings p left join recordings r on r.id = p.recording_id
        where p.download_id = d.id) p
  left join lateral (
       select w.state as webhook_state, w.attempts as webhook_attempts, w.last_error as webhook_error, w.due_at as webhook_due_at
         from webhook_deliveries w where w.download_id = d.id order by w.created_at desc limit 1) w on true
 where d.owner = %(owner)s
   and (%(before)s::timestamptz is null or (d.created_at, d.id) < (%(before)s::timestamptz, %(before_id)s::uuid))
 order by d.created_at desc, d.id desc
 limit %(limit)s

-- name: downloads_of
-- These, each with its recordings in order, and the newest of what its webhook is told.
select d.*, p.recording_ids, p.titles, w.*
  from downloads d
 cross join lateral (
       select array_agg(p.recording_id order by p.place) as recording_ids, array_agg(r.title order by p.place) as titles
         from download_recordings p left join recordings r on r.id = p.recording_id
        where p.download_id = d.id) p
  left join lateral (
       select w.state as webhook_state, w.attempts as webhook_attempts, w.last_error as webhook_error, w.due_at as webhook_due_at
         from webhook_deliveries w where w.download_id = d.id order by w.created_at desc limit 1) w on true
 where d.id = any (%(ids)s::uuid[])

-- name: download_cancel
-- One that is ready loses its file.
update downloads
   set state = case when state = 'ready' then 'expired' else 'cancelled' end, finished_at = coalesce(finished_at, now()),
       expires_at = least(expires_at, now()), waiting_for = null, version = nextval('downloads_version')
 where id = %(id)s and owner = %(owner)s and state in ('queued', 'running', 'ready')
returning id

-- name: downloads_due
-- What may run now: of each owner the oldest that need not wait, as many as it may have run at once. One whose runner went silent is
-- as good as queued.
with running as (
    select owner, count(*) as running from downloads where state = 'running' and lease_until > now() group by owner
), waiting as (
    select id, owner, row_number() over (partition by owner order by created_at, id) as place
      from downloads
     where (state = 'queued' and due_at <= now()) or (state = 'running' and lease_until <= now())
)
select w.id
  from waiting w left join running r on r.owner = w.owner
 where w.place <= %(per_owner)s - coalesce(r.running, 0)
 order by w.place, w.id
 limit %(limit)s

-- name: download_claim
-- After `owners_lock` of its owner, so that no more of one owner's run than may. What another took meanwhile is not claimed. A
-- maker that fell silent counts as a fault: what kills each of its makers comes to an end as well.
update downloads d
   set state = 'running', claim = claim + 1, faults = case when d.state = 'running' then faults + 1 else faults end, worker = %(worker)s, lease_until = now() + %(lease)s::interval,
       started_at = coalesce(started_at, now()), waiting_for = null, version = nextval('downloads_version')
 where d.id = %(id)s
   and ((d.state = 'queued' and d.due_at <= now()) or (d.state = 'running' and d.lease_until <= now()))
   and %(per_owner)s > (select count(*) from downloads o
                         where o.owner = d.owner and o.state = 'running' and o.lease_until > now() and o.id <> d.id)
returning d.*, now() as claimed_at

-- name: download_owner
select owner from downloads where id = %(id)s

-- name: download_parts
-- What it is to be made of, in order. The recording's state is read by the runner each time it goes on.
select p.place, p.chunks as asked_chunks, p.bytes as asked_bytes, r.*
  from download_recordings p join recordings r on r.id = p.recording_id
 where p.download_id = %(id)s
 order by p.place

-- name: download_beat
-- Tells how far it is, and keeps the claim; nothing where somebody else has it, or it was cancelled.
update downloads
   set lease_until = now() + %(lease)s::interval, bytes_done = greatest(bytes_done, least(%(bytes_done)s::bigint, bytes_total)),
       version = case when bytes_done < least(%(bytes_done)s::bigint, bytes_total)
                      then nextval('downloads_version') else version end
 where id = %(id)s and claim = %(claim)s and state = 'running'
returning id

-- name: download_upload
-- Where its result is being written: whoever takes over goes on with that.
update downloads set object_key = %(object_key)s, upload_id = %(upload_id)s
 where id = %(id)s and claim = %(claim)s and state = 'running'
returning id

-- name: download_files
select place, object_key, upload_id, size from download_files where download_id = %(id)s order by place

-- name: download_file_note
-- A file on the way: where it is being written, and its bytes once it is whole.
insert into download_files (download_id, place, object_key, upload_id, size)
select d.id, %(place)s, %(object_key)s, %(upload_id)s, %(size)s
  from downloads d
 where d.id = %(id)s and d.claim = %(claim)s and d.state = 'running'
on conflict (download_id, place) do update
   set object_key = excluded.object_key, upload_id = excluded.upload_id, size = excluded.size
returning place

-- name: download_ready
update downloads
   set state = 'ready', finished_at = now(), expires_at = now() + %(keep)s::interval, bytes_done = bytes_total, faults = 0,
       object_key = %(object_key)s, upload_id = null, file_name = %(file_name)s, content_type = %(content_type)s,
       size = %(size)s, cause = %(cause)s, detail = %(detail)s, lease_until = null, version = nextval('downloads_version')
 where id = %(id)s and claim = %(claim)s and state = 'running'
returning id

-- name: download_failed
update downloads
   set state = 'failed', finished_at = now(), cause = %(cause)s, detail = %(detail)s, lease_until = null,
       version = nextval('downloads_version')
 where id = %(id)s and claim = %(claim)s and state = 'running'
returning id

-- name: download_put_back
-- Queued again: at once (its worker ends), after a fault, or until chunks are there again. Its place among its owner's stays.
update downloads
   set state = 'queued', lease_until = null, due_at = now() + %(wait)s::interval, waiting_for = %(waiting_for)s,
       faults = case when %(fault)s then faults + 1 else faults end,
       waiting_since = case when %(waiting_for)s::text = 'chunks' then coalesce(waiting_since, now()) end,
       cause = %(cause)s, detail = %(detail)s, version = nextval('downloads_version')
 where id = %(id)s and claim = %(claim)s and state = 'running'
returning id

-- name: downloads_expire
-- Files whose time is over: from now on nobody is sent there.
update downloads set state = 'expired', version = nextval('downloads_version')
 where id in (select id from downloads where state = 'ready' and expires_at <= now() order by expires_at limit %(limit)s
                for update skip locked)
returning id

-- name: download_to_clean
-- One that came to an end, and of which something may be left. Its runner has noticed by the end of its lease.
with due as (
    select id from downloads
     where state in ('failed', 'cancelled', 'expired') and cleaned_at is null
       and due_at <= now() and (lease_until is null or lease_until <= now())
     order by finished_at
     limit 1
       for update skip locked
)
update downloads d set due_at = now() + %(lease)s::interval
  from due where d.id = due.id
returning d.*, (select array_agg(p.recording_id order by p.place) from download_recordings p where p.download_id = d.id) as recording_ids

-- name: download_cleaned
update downloads set cleaned_at = now(), upload_id = null where id = %(id)s and state in ('failed', 'cancelled', 'expired')

-- name: downloads_forget
delete from downloads
 where id in (select id from downloads where cleaned_at < now() - %(keep)s::interval order by cleaned_at limit %(limit)s)

-- name: downloads_news
-- What of an owner's is under way, or came to an end lately.
select id from downloads
 where owner = any (%(owners)s::text[]) and (state in ('queued', 'running') or finished_at > now() - %(lately)s::interval)

-- name: downloads_listen
listen safereel_downloads

-- name: downloads_unlisten
unlisten safereel_downloads
