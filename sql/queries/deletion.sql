-- name: deletion_lock_owner
-- Counters first, then recordings, then chunks: the one order in which everything that counts is locked.
select id from owners where id = %(owner)s for update

-- name: deletion_lock
select *, now() as locked_at from recordings where id = %(id)s and owner = %(owner)s for no key update

-- name: deletion_begin
-- Under both locks: what this reads of the chunks is what holds until it commits. The owner gets back exactly what this
-- recording counted; no URL that was ever given out for it can begin a PUT after `last_url`.
with counted as (
    select coalesce(sum(size) filter (where state in ('acked', 'confirmed', 'missing')), 0)::bigint as used,
           coalesce(sum(size) filter (where reserved), 0)::bigint as reserved,
           greatest(max(expires_at), max(granted_at) + %(grant_ttl)s::interval) as last_url
      from chunks
     where recording_id = %(id)s
), freed as (
    update owners o set used_bytes = o.used_bytes - counted.used, reserved_bytes = o.reserved_bytes - counted.reserved
      from counted
     where o.id = %(owner)s
), unreserved as (
    update chunks set reserved = false where recording_id = %(id)s and reserved
), withdrawn as (
    update tickets set state = 'withdrawn', closed_at = now(), cause = 'deleted'
     where recording_id = %(id)s and state = 'open'
), forgotten as (
    delete from sightings where recording_id = %(id)s
)
update recordings
   set state = 'deleting', delete_cause = %(cause)s, deleting_at = now(), purge_after = now(),
       purge_until = greatest(now() + %(own_writes)s::interval, (select last_url from counted) + %(late_put)s::interval)
 where id = %(id)s
returning *
