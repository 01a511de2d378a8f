-- name: freeze_now
-- The freeze that is in force.
select *, now() as read_at from freezes where thawed_at is null

-- name: freeze_begin
-- In force from its commit on, for every heartbeat that is answered then. Where one is in force nothing happens, but that an
-- administrator's word turns it into one that no audit thaws.
with frozen as (
    insert into freezes as f (cause, detail) values (%(cause)s, %(detail)s)
    on conflict ((thawed_at is null)) where thawed_at is null do update
       set cause = excluded.cause
     where excluded.cause = 'administrator' and f.cause <> 'administrator'
    returning *
), told as (
    insert into events (kind, cause, detail) select 'releases_frozen', cause, detail from frozen
)
select * from frozen

-- name: freeze_end
with thawed as (
    update freezes set thawed_at = now(), thawed_by = %(thawed_by)s, unknown_at_thaw = %(unknown)s
     where thawed_at is null
    returning *
), told as (
    insert into events (kind, cause, detail)
    select 'releases_thawed', thawed_by, jsonb_build_object('frozen_ms', round(1000 * extract(epoch from thawed_at - frozen_at)))
      from thawed
)
select * from thawed

-- name: freeze_evidence
-- What audits looked at and saw missing or damaged for the first time: of late, and since the last thaw, which has judged what
-- was before it. Also what an audit had found before the bucket failed it: nobody finds that for the first time again.
select coalesce(sum(looked_at), 0)::bigint as looked_at,
       coalesce(sum((report->>'first_sightings')::bigint), 0)::bigint as found
  from sweeps
 where kind = 'audit' and not dry_run and (outcome = 'decided' or (report->>'first_sightings')::bigint > 0)
   and started_at >= greatest(now() - %(window)s::interval, (select max(thawed_at) from freezes))

-- name: freeze_unknown
-- Well-formed keys that the ledger did not know when each shard was last audited, less those of the last thaw. By shard, since parts
-- overlap where their number has changed; a report that does not tell shards apart counts with its share.
with audits as (
    select id, started_at, shards, (upper(shards) - lower(shards))::numeric as of_shards, looked_at,
           (report->'unexpected'->>'unknown')::bigint as unknown, report->'unknown_of_shards' as by_shard
      from sweeps
     where kind = 'audit' and not dry_run and outcome = 'decided' and shards is not null
       and started_at > now() - %(window)s::interval
), latest as (
    select distinct on (shard) looked_at / of_shards as looked_at,
           coalesce(case when by_shard is null then unknown / of_shards else (by_shard->>shard::text)::numeric end, 0) as unknown
      from generate_series(0, 255) as shard join audits on shards @> shard
     order by shard, started_at desc, id
)
select coalesce(round(sum(unknown)), 0)::bigint as unknown, coalesce(round(sum(looked_at)), 0)::bigint as looked_at,
       coalesce((select unknown_at_thaw from freezes where thawed_at is not null order by thawed_at desc limit 1), 0) as accepted
  from latest

-- name: freeze_covered
-- Which shards audits have gone through since the freeze, or since one of them found something new, if that was later.
with frozen as (
    select frozen_at from freezes where thawed_at is null
), looks as (
    select s.started_at, s.finished_at, s.shards,
           (s.report->>'first_sightings')::bigint + (s.report->>'tickets_opened')::bigint
           + coalesce((s.report->>'tickets_left')::bigint, 0) as new
      from sweeps s, frozen
     where s.kind = 'audit' and not s.dry_run and s.outcome = 'decided' and s.started_at > frozen.frozen_at
)
select range_agg(shards) as shards from looks
 where started_at > all (select l.finished_at from looks l where l.new > 0)

-- name: ledger_acked
-- Every chunk that the bucket was once seen to have, and should have.
select count(*) as chunks from chunks where state in ('acked', 'confirmed', 'missing')
