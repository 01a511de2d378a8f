-- name: events_page
-- The newest first, as far as committed.
select e.*, e.written_by::text as place from events e
 where (%(before)s::bigint is null or id < %(before)s::bigint)
   and (%(recording_id)s::uuid is null or recording_id = %(recording_id)s::uuid)
   and (%(kind)s::text is null or kind = %(kind)s::text)
 order by id desc
 limit %(limit)s

-- name: events_tail
-- In an order in which nothing is ever committed before what was already told: everything written by transactions that are older
-- than the oldest one under way is there for good.
select e.*, e.written_by::text as place from events e
 where (written_by, id) > (%(written_by)s::text::xid8, %(id)s::bigint)
   and written_by < pg_snapshot_xmin(pg_current_snapshot())
   and (%(recording_id)s::uuid is null or recording_id = %(recording_id)s::uuid)
   and (%(kind)s::text is null or kind = %(kind)s::text)
 order by written_by, id
 limit %(limit)s

-- name: events_settled
-- How far a tail has come that has seen everything.
select pg_snapshot_xmin(pg_current_snapshot())::text as settled

-- name: events_counted
-- How many of each kind were written from one transaction on and before another.
select kind, count(*) as events from events
 where written_by >= %(since)s::text::xid8 and written_by < %(until)s::text::xid8
 group by kind
