-- name: beat_record
-- What is kept of the recorder itself; the last word counts, since a wiped profile counts from nought again.
insert into recorders as r (owner, id, counter, persisted, usage, quota, sdk)
values (%(owner)s, %(recorder_id)s, %(counter)s, %(persisted)s, %(usage)s, %(quota)s, %(sdk)s)
on conflict (owner, id) do update
   set counter = excluded.counter, persisted = excluded.persisted, usage = excluded.usage, quota = excluded.quota,
       sdk = excluded.sdk, last_beat_at = now()
returning now() as server_time

-- name: beat_holdings
-- Replaces what this recorder said before; recordings that are not this owner's are left out, and named by the caller.
with said as (
    select * from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[], %(opens)s::boolean[])
               as h (recording_id, chunks, open)
), known as (
    select said.* from said join recordings r on r.id = said.recording_id
     where r.owner = %(owner)s and r.state <> 'deleted'
), dropped as (
    delete from holdings
     where owner = %(owner)s and recorder_id = %(recorder_id)s
       and recording_id <> all (%(recording_ids)s::uuid[])
), kept as (
    insert into holdings as h (owner, recorder_id, recording_id, chunks, open)
    select %(owner)s, %(recorder_id)s, recording_id, chunks, open from known
    on conflict (owner, recorder_id, recording_id) do update
       set chunks = excluded.chunks, open = excluded.open, reported_at = now()
)
select recording_id from known

-- name: beat_releases
-- holding ∩ confirmed, computed anew for each beat: nothing is remembered as delivered.
select c.recording_id, c.seq, encode(c.sha256, 'hex') as sha256
  from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[]) as h (recording_id, chunks)
  join recordings r on r.id = h.recording_id and r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')
 cross join lateral unnest(h.chunks) as held (span)
  join chunks c on c.recording_id = h.recording_id
   and c.seq >= lower(held.span) and c.seq < upper(held.span)
   and c.state = 'confirmed'
   -- A sweep has looked and did not find it: the device may hold the only copy, even if one sighting proves nothing yet.
   and not exists (select from sightings s where (s.recording_id, s.seq) = (c.recording_id, c.seq))
 limit %(limit)s

-- name: beat_tickets
-- Open tickets for chunks that this recorder says it holds, oldest first.
select t.id as ticket_id, t.reason, r.mime_type, c.*
  from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[]) as h (recording_id, chunks)
  join recordings r on r.id = h.recording_id and r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')
  join tickets t on t.recording_id = h.recording_id and t.state = 'open' and h.chunks @> t.seq
  join chunks c on (c.recording_id, c.seq) = (t.recording_id, t.seq)
 order by t.opened_at, t.recording_id, t.seq
 limit %(limit)s

-- name: beat_grant_tickets
-- A ticket is delivered with a fresh grant.
with delivered as (
    update tickets set delivered_at = now() where id = any (%(ticket_ids)s) and state = 'open'
    returning recording_id, seq
)
update chunks c set granted_at = now(), expires_at = now() + %(ttl)s::interval
  from delivered d
 where (c.recording_id, c.seq) = (d.recording_id, d.seq)
returning c.*

-- name: beat_gone
insert into gone_reports (ticket_id, owner, recorder_id)
select t.id, %(owner)s, %(recorder_id)s
  from tickets t join recordings r on r.id = t.recording_id
 where t.id = any (%(gone)s) and r.owner = %(owner)s
on conflict do nothing
