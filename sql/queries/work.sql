-- name: tick_claim
-- One of those who ask at the same time gets a row. A tenth early is early enough: nobody's clock fires exactly. The due times
-- keep to a grid, so that many who ask do not make it more often; one that is far off comes from a longer interval of before.
insert into ticks (name, due_at) values (%(name)s, now() + %(every)s::interval)
on conflict (name) do update
   set due_at = case when ticks.due_at > now() + 2 * %(every)s::interval then now() + %(every)s::interval
                     else greatest(ticks.due_at + %(every)s::interval, now() + %(every)s::interval / 2) end
 where ticks.due_at < now() + %(every)s::interval / 10 or ticks.due_at > now() + 2 * %(every)s::interval
returning name

-- name: round_give_up
update audit_rounds set finished_at = now(), given_up = true
 where finished_at is null and progressed_at < now() - %(stale)s::interval
returning id

-- name: round_begin
insert into audit_rounds (shards_done)
select 0 where not exists (select from audit_rounds where finished_at is null)
on conflict do nothing
returning id

-- name: round_running
select id, began_at, finished_at, shards_done, given_up from audit_rounds where finished_at is null

-- name: round_newest
select id, began_at, finished_at, shards_done, given_up from audit_rounds order by id desc limit 1

-- name: round_uncovered
select shard from audited_shards where round < %(round)s order by shard

-- name: shards_covered
-- Shards that an audit has gone through. The row locks make one who finishes them second count nothing.
with held as (
    select shard, round from audited_shards
     where shard between %(first_shard)s and %(last_shard)s
     order by shard
       for update
), covered as (
    update audited_shards s
       set round = greatest(held.round, coalesce(%(round)s::bigint, 0)),
           audited_at = case when %(decided)s then greatest(s.audited_at, %(started_at)s) else s.audited_at end
      from held where s.shard = held.shard
), done as (
    select count(*)::integer as shards from held where round < %(round)s::bigint
)
update audit_rounds r
   set shards_done = r.shards_done + done.shards, progressed_at = now(),
       finished_at = case when r.shards_done + done.shards >= %(shards)s then now() end
  from done
 where r.id = %(round)s::bigint and r.finished_at is null and done.shards > 0
returning finished_at

-- name: jobs_overdue
-- Taken by a worker that lives, so long ago that its end must have got lost.
select j.id from procrastinate.procrastinate_jobs j
  join procrastinate.procrastinate_events e on e.job_id = j.id and e.type = 'started'
 where j.status = 'doing'
 group by j.id
having max(e.at) < now() - (case j.queue_name when 'confirm' then %(confirm)s::interval else %(other)s::interval end)

-- name: work_silence
-- Seconds since any worker's last heartbeat (null: there is none), and since the oldest waiting job was put there.
select (select extract(epoch from now() - max(last_heartbeat))::float8
          from procrastinate.procrastinate_workers) as workers_silent_s,
       (select coalesce(extract(epoch from now() - min(e.at)), 0)::float8
          from procrastinate.procrastinate_jobs j
          join procrastinate.procrastinate_events e on e.job_id = j.id
         where j.status = 'todo') as oldest_waiting_s

-- name: sweep_request
insert into sweeps (id, kind, dry_run, outcome, started_at, finished_at, first_shard, last_shard, report)
values (%(id)s, %(kind)s, %(dry_run)s, null, now(), null, %(first_shard)s, %(last_shard)s, '{}')

-- name: sweeps_page
-- Newest first. An outcome of “waiting” is none yet.
select id, kind, dry_run, outcome, cause, started_at, finished_at, looked_at, report, first_shard, last_shard, round, worker
  from sweeps
 where (%(kind)s::text is null or kind = %(kind)s::text)
   and (%(outcome)s::text is null or coalesce(outcome, 'waiting') = %(outcome)s::text)
   and (%(before)s::timestamptz is null or (started_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid))
 order by started_at desc, id desc
 limit %(limit)s

-- name: sweep_by_id
select id, kind, dry_run, outcome, cause, started_at, finished_at, looked_at, report, first_shard, last_shard, round, worker
  from sweeps where id = %(id)s

-- name: sweeps_distrust
-- Sweeps that decided nothing, and no other has since: of any kind, where they did not even begin to look; else of their own,
-- since a listing that works does not tell that reading does.
with decided as (
    select (select started_at from sweeps where outcome = 'decided' and not dry_run
             order by started_at desc limit 1) as any_kind,
           (select started_at from sweeps where outcome = 'decided' and not dry_run and kind = 'fixity'
             order by started_at desc limit 1) as fixity
)
select min(s.started_at) as since, (array_agg(s.cause order by s.started_at desc))[1] as cause
  from sweeps s, decided
 where s.outcome = 'undecided' and not s.dry_run
   and s.started_at > coalesce(case when s.kind = 'fixity' and s.looked_at > 0 then decided.fixity else decided.any_kind end,
                               '-infinity')
having count(*) > 0

-- name: sweeps_forget
-- So many at once: a statement of milliseconds.
delete from sweeps
 where id in (select id from sweeps where started_at < now() - %(keep)s::interval order by started_at limit %(limit)s)
