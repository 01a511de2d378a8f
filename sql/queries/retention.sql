-- name: retention_due
-- A rule that is off is null, and nothing is older than null. `since` is when the recording came into its state.
with due as (
    (select id, owner, state, completed_at as since from recordings
      where state = 'complete' and completed_at < now() - %(complete)s::interval
        and (%(after_since)s::timestamptz is null
             or (completed_at, id) > (%(after_since)s::timestamptz, %(after_id)s::uuid))
      order by completed_at, id
      limit %(limit)s)
    union all
    (select id, owner, state, expires_at from recordings
      where state = 'expired' and expires_at < now() - %(expired)s::interval
        and (%(after_since)s::timestamptz is null
             or (expires_at, id) > (%(after_since)s::timestamptz, %(after_id)s::uuid))
      order by expires_at, id
      limit %(limit)s)
    order by since, id
    limit %(limit)s
)
select due.*, now() - due.since as age,
       (select coalesce(sum(c.size), 0)::bigint from chunks c
         where c.recording_id = due.id and c.state in ('acked', 'confirmed', 'missing')) as bytes
  from due
 order by due.since, due.id

-- name: retention_lock
-- What deletes it holds this lock until it commits: a recording that was revived meanwhile is not found, and one that is found
-- is not revived.
select * from recordings
 where id = %(id)s and owner = %(owner)s
   and (state = 'complete' and completed_at < now() - %(complete)s::interval
        or state = 'expired' and expires_at < now() - %(expired)s::interval)
   for no key update
