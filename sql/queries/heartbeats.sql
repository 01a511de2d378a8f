-- name: beat_record
-- What is kept of the recorder itself; the last word counts, since a wiped profile counts from nought again.
insert into recorders as r (owner, id, counter, persisted, usage, quota, sdk)
values (%(owner)s, %(recorder_id)s, %(counter)s, %(persisted)s, %(usage)s, %(quota)s, %(sdk)s)
on conflict (owner, id) do update
   set counter = excluded.counter, persisted = excluded.persisted, usage = excluded.usage, quota = excluded.quota,
       sdk = excluded.sdk, last_beat_at = now()
returning now() as server_time

-- name: beat_holdings
-- Replaces what this recorder said before; recordings that are not this owner's are left out, and named by the caller, as are
-- those that were deleted: what is held of them serves nobody. Run after beat_record in one transaction: its lock on the recorder's
-- row is why two beats of one recorder never wait for each other's holdings, which are locked here in no order.
with said as (
    select * from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[], %(opens)s::boolean[])
               as h (recording_id, chunks, open)
), known as (
    select said.*, r.state from said join recordings r on r.id = said.recording_id
     where r.owner = %(owner)s
), regained as (
    -- It says of a chunk that it holds it, and did not before: what it said of tickets being gone is over.
    delete from gone_reports g
     using tickets t
      join known on known.recording_id = t.recording_id
      left join holdings h on (h.owner, h.recorder_id, h.recording_id) = (%(owner)s, %(recorder_id)s, t.recording_id)
     where g.owner = %(owner)s and g.recorder_id = %(recorder_id)s and t.id = g.ticket_id
       and known.chunks - coalesce(h.chunks, '{}') @> t.seq
), dropped as (
    delete from holdings
     where owner = %(owner)s and recorder_id = %(recorder_id)s
       and recording_id <> all (%(recording_ids)s::uuid[])
), kept as (
    insert into holdings as h (owner, recorder_id, recording_id, chunks, open)
    select %(owner)s, %(recorder_id)s, recording_id, chunks, open from known
     where state in ('open', 'expired', 'complete')
    on conflict (owner, recorder_id, recording_id) do update
       set chunks = excluded.chunks, open = excluded.open, reported_at = now()
), idle as (
    select id from recordings r
     where id in (select recording_id from known)
       and (r.state = 'expired' or r.state = 'open' and r.expires_at < now() + %(idle)s::interval * 0.95)
     order by id
       for no key update
), revived as (
    -- Somebody holds bytes of it: it is not idle. Written now and then only.
    update recordings r set state = 'open', expires_at = now() + %(idle)s::interval
      from idle where r.id = idle.id
)
select recording_id, state,
       state in ('open', 'expired', 'complete')
       and exists (select from chunks c
                    where c.recording_id = known.recording_id and c.state = 'lost' and known.chunks @> c.seq) as lost_held
  from known

-- name: beat_releases
-- holding ∩ confirmed, computed anew for each beat: nothing is remembered as delivered. Each range is one bounded walk of
-- the primary key: planned as a join, ten thousand ranges of a long recording took a quarter of a minute.
-- What was confirmed before the bucket came into doubt has to be seen again: by a confirmation, or by an audit of its shard that
-- began later.
select held.recording_id, c.seq, encode(c.sha256, 'hex') as sha256
  from (select h.recording_id, lower(span) as first_seq, upper(span) as end_seq,
               case when a.audited_at >= d.doubted_at then '-infinity' else d.doubted_at end as seen_since
          from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[]) as h (recording_id, chunks)
          join recordings r on r.id = h.recording_id
           and r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')
          left join audited_shards a on a.shard = r.shard
         cross join deployment d
         cross join lateral unnest(h.chunks) as span
         -- Too much is missing at once: what devices hold may be all there is.
         where not exists (select from freezes where thawed_at is null)) held
 cross join lateral (
       select k.seq, k.sha256 from chunks k
        where k.recording_id = held.recording_id and k.seq >= held.first_seq and k.seq < held.end_seq
          and k.state = 'confirmed' and k.confirmed_at >= held.seen_since
          -- A sweep has looked and did not find it: the device may hold the only copy, even if one sighting proves
          -- nothing yet.
          and not exists (select from sightings s where (s.recording_id, s.seq) = (k.recording_id, k.seq))
        order by k.seq
        limit %(limit)s) c
 limit %(limit)s

-- name: beat_tickets
-- Open tickets for chunks that this recorder says it holds, oldest first; fewer while releases are frozen, since then everybody
-- is asked for much at once.
select t.id as ticket_id, t.reason, r.mime_type, c.*
  from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[]) as h (recording_id, chunks)
  join recordings r on r.id = h.recording_id and r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')
  join tickets t on t.recording_id = h.recording_id and t.state = 'open' and h.chunks @> t.seq
  join chunks c on (c.recording_id, c.seq) = (t.recording_id, t.seq)
 -- What this recorder said is gone goes last: it must not keep what it has from being asked for.
 order by exists (select from gone_reports g
                   where g.ticket_id = t.id and g.owner = %(owner)s and g.recorder_id = %(recorder_id)s),
          t.opened_at, t.recording_id, t.seq
 limit case when exists (select from freezes where thawed_at is null) then %(frozen_limit)s::int else %(limit)s::int end

-- name: beat_grant_tickets
-- A ticket is delivered with a fresh grant, never after its recording's deletion: a URL must not outlive the purge. Recordings,
-- then chunks are locked first and in order, as acks do: the other way round, the two wait for each other.
with recording as (
    select id from recordings
     where id in (select recording_id from tickets where id = any (%(ticket_ids)s)) and state in ('open', 'expired', 'complete')
     order by id
       for share
), held as (
    select c.recording_id, c.seq
      from tickets t join chunks c on (c.recording_id, c.seq) = (t.recording_id, t.seq)
      join recording r on r.id = c.recording_id
     where t.id = any (%(ticket_ids)s) and t.state = 'open'
     order by c.recording_id, c.seq
       for update of c
), delivered as (
    update tickets t set delivered_at = now()
      from held where t.id = any (%(ticket_ids)s) and (t.recording_id, t.seq) = (held.recording_id, held.seq)
       and t.state = 'open'
    returning t.recording_id, t.seq
)
update chunks c set granted_at = now(), expires_at = now() + %(ttl)s::interval
  from delivered d
 where (c.recording_id, c.seq) = (d.recording_id, d.seq)
returning c.*

-- name: beat_gone
-- In order of id, as everything that locks several rows.
with gone as (
    insert into gone_reports (ticket_id, owner, recorder_id)
    select t.id, %(owner)s, %(recorder_id)s
      from tickets t join recordings r on r.id = t.recording_id
     where t.id = any (%(gone)s) and r.owner = %(owner)s
     order by t.id
    on conflict do nothing
    returning ticket_id
)
insert into events (kind, owner, recording_id, seq, ticket_id, recorder_id)
select 'ticket_gone', %(owner)s, t.recording_id, t.seq, t.id, %(recorder_id)s
  from gone join tickets t on t.id = gone.ticket_id
 order by t.recording_id, t.seq
