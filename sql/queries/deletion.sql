-- name: deletion_lock
-- After `owners_lock`: owners, recordings, chunks is the one order in which everything that counts is locked.
select * from recordings where id = %(id)s and owner = %(owner)s for no key update

-- name: deletion_begin
-- Under both locks: what this reads of the chunks is what holds until it commits. The owner gets back exactly what this
-- recording counted; no URL that was ever given out for it can begin a PUT after `last_url`.
with counted as (
    select coalesce(sum(size) filter (where state in ('acked', 'confirmed', 'missing')), 0)::bigint as used,
           coalesce(sum(size) filter (where reserved), 0)::bigint as reserved,
           count(*) filter (where reserved) as chunks,
           greatest(max(expires_at), max(granted_at) + %(grant_ttl)s::interval) as last_url
      from chunks
     where recording_id = %(id)s
), freed as (
    update owners o
       set used_bytes = o.used_bytes - counted.used, reserved_bytes = o.reserved_bytes - counted.reserved,
           reserved_chunks = o.reserved_chunks - counted.chunks
      from counted
     where o.id = %(owner)s
), held as (
    select seq from chunks where recording_id = %(id)s and reserved order by seq for update
), unreserved as (
    update chunks c set reserved = false from held where c.recording_id = %(id)s and c.seq = held.seq
), withdrawn as (
    update tickets set state = 'withdrawn', closed_at = now(), cause = 'deleted'
     where recording_id = %(id)s and state = 'open'
), packed as (
    -- Nobody is sent any more to what was made of it; whoever is making something stops, and it is removed like the rest.
    update downloads d
       set state = case when d.state = 'ready' then 'expired' else 'failed' end, finished_at = now(), waiting_for = null,
           cause = 'recording_deleted', detail = 'One of its recordings was deleted.', version = nextval('downloads_version')
     where d.id in (select p.download_id from download_recordings p where p.recording_id = %(id)s)
       and d.state in ('queued', 'running', 'ready')
)
update recordings
   set state = 'deleting', delete_cause = %(cause)s, deleting_at = now(), purge_after = now(),
       purge_until = greatest(now() + %(own_writes)s::interval, (select last_url from counted) + %(late_put)s::interval)
 where id = %(id)s
returning *

-- name: purge_packed
-- Downloads of this and other recordings: their files lie apart. Those of it alone lie below its own prefix.
select p.download_id from download_recordings p
 where p.recording_id = %(id)s
   and exists (select from download_recordings o where o.download_id = p.download_id and o.recording_id <> p.recording_id)

-- name: purge_claim
-- What is longest due, taken so that replicas do not do the same work: for the lease it looks as if it were not due. A process
-- that dies leaves it to whoever comes after the lease; two at once do no harm.
with due as (
    select id from recordings
     where state = 'deleting' and purge_after <= now()
     order by purge_after
     limit 1
       for no key update skip locked
)
update recordings r set purge_after = now() + %(lease)s::interval
  from due where r.id = due.id
returning r.*, now() as claimed_at

-- name: purge_seen
-- The bucket was looked at: again after a while, since a URL may still bring something, or at once where there was more.
update recordings
   set purged_objects = purged_objects + %(removed)s, purge_failures = 0, purge_error = null,
       purge_after = case when %(more)s then now() else least(now() + %(again)s::interval, greatest(purge_until, now())) end
 where id = %(id)s and state = 'deleting'

-- name: purge_failed
update recordings
   set purged_objects = purged_objects + %(removed)s, purge_failures = purge_failures + 1, purge_error = %(cause)s,
       purge_after = now() + %(wait)s::interval
 where id = %(id)s and state = 'deleting'

-- name: purge_tickets
delete from tickets
 where id = any (array(select id from tickets where recording_id = %(id)s limit %(limit)s))

-- name: purge_chunks
delete from chunks
 where recording_id = %(id)s
   and seq = any (array(select seq from chunks where recording_id = %(id)s order by seq limit %(limit)s))

-- name: purge_holdings
delete from holdings where recording_id = %(id)s

-- name: purge_finish
-- Only the tombstone stays: the id is taken for ever, and recorders that return are told to drop what they hold.
update recordings
   set state = 'deleted', deleted_at = now(), title = null, purge_after = null, purge_failures = 0, purge_error = null
 where id = %(id)s and state = 'deleting'

-- name: purge_remains
update recordings set purged_objects = purged_objects + %(removed)s where id = %(id)s

-- name: deleted_among
select id from recordings where id = any (%(recording_ids)s) and state = 'deleted'

-- name: deletions_page
-- Those that fail first, then the oldest; with how many there are in all.
select id, owner, delete_cause, deleting_at, purge_until, purge_after, purge_failures, purge_error, purged_objects,
       count(*) over () as under_way, count(*) filter (where purge_failures > 0) over () as failing
  from recordings
 where state = 'deleting'
 order by purge_failures desc, deleting_at, id
 limit %(limit)s
