-- name: webhooks_claim
-- What is due and in nobody's hands: of each owner no more at once than may be, so that a slow receiver holds up its owner's alone.
with sending as (
    select owner, count(*) as sending from webhook_deliveries
     where state = 'pending' and lease_until > now() group by owner
), waiting as (
    select id, owner, due_at, row_number() over (partition by owner order by due_at, id) as place
      from webhook_deliveries
     where state = 'pending' and due_at <= now() and (lease_until is null or lease_until <= now())
), chosen as (
    select w.id from waiting w left join sending s on s.owner = w.owner
     where w.place <= %(per_owner)s - coalesce(s.sending, 0)
     order by w.place, w.due_at
     limit %(limit)s
), claimed as (
    select d.id from webhook_deliveries d
     where d.id in (select id from chosen)
       and d.state = 'pending' and d.due_at <= now() and (d.lease_until is null or d.lease_until <= now())
       for update skip locked
)
update webhook_deliveries d
   set lease_until = now() + %(lease)s::interval, attempts = d.attempts + 1, first_tried_at = coalesce(d.first_tried_at, now())
  from claimed where d.id = claimed.id
returning d.id, d.download_id, d.owner, d.url, d.payload, d.attempts, d.first_tried_at, now() as claimed_at

-- name: webhook_note
-- What came of a try: of the latest one only. The download's answer tells it, so its version rises.
with noted as (
    update webhook_deliveries
       set state = %(state)s, last_status = %(status)s, last_error = %(error)s, lease_until = null,
           due_at = now() + coalesce(%(wait)s::interval, interval '0'),
           finished_at = case when %(state)s::text <> 'pending' then now() end
     where id = %(id)s and state = 'pending' and attempts = %(attempts)s
    returning id, download_id
), told as (
    update downloads d set version = nextval('downloads_version') from noted where d.id = noted.download_id
)
select id from noted

-- name: webhooks_forget
delete from webhook_deliveries
 where id in (select id from webhook_deliveries
               where state in ('delivered', 'given_up') and finished_at < now() - %(keep)s::interval
               order by finished_at limit %(limit)s)
