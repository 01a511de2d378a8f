-- name: sweep_begin
select now() as started_at, (select id from deployment) as deployment_id

-- name: sweep_store
-- Again under the same id where a sweep that was asked for has run, or was taken over by another worker.
insert into sweeps (id, kind, dry_run, outcome, cause, started_at, looked_at, report, shards, first_shard, last_shard, round,
                    worker)
values (coalesce(%(id)s::uuid, gen_random_uuid()), %(kind)s, %(dry_run)s, %(outcome)s, %(cause)s, %(started_at)s,
        %(looked_at)s, %(report)s, %(shards)s::int4range, %(first_shard)s, %(last_shard)s, %(round)s, %(worker)s)
on conflict (id) do update
   set outcome = excluded.outcome, cause = excluded.cause, started_at = excluded.started_at,
       finished_at = excluded.finished_at, looked_at = excluded.looked_at, report = excluded.report,
       shards = excluded.shards, round = excluded.round, worker = excluded.worker
returning id, finished_at

-- name: confirm_waiting
-- How many there are to confirm; counting stops at the limit.
select count(*) as chunks
  from (select from chunks where state = 'acked' and acked_at < now() - %(settle)s::interval limit %(limit)s) c

-- name: confirm_candidates
-- Acked before the settle time, of the recordings that were not looked at for the longest.
with unconfirmed as (
    select distinct recording_id from chunks
     where state = 'acked' and acked_at < now() - %(settle)s::interval
), due as (
    select r.id, r.confirm_looked_at
      from recordings r join unconfirmed u on u.recording_id = r.id
     where r.state in ('open', 'expired', 'complete') and r.shard between %(first_shard)s and %(last_shard)s
     order by r.confirm_looked_at, r.id
     limit %(recordings)s
)
select c.*
  from due join chunks c on c.recording_id = due.id
 where c.state = 'acked' and c.acked_at < now() - %(settle)s::interval
 order by due.confirm_looked_at, c.recording_id, c.seq
 limit %(chunks)s

-- name: confirm_looked
with held as (
    select id from recordings where id = any (%(recording_ids)s) order by id for no key update
)
update recordings r set confirm_looked_at = now() from held where r.id = held.id

-- name: confirm_apply
-- Conditional on the generation that the sweep had read before it looked: an ack in between makes this a no-op.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(etags)s::text[])
               as s (recording_id, seq, generation, etag)
), recording as (
    select id from recordings
     where id = any (%(recording_ids)s) and state in ('open', 'expired', 'complete')
     order by id
       for share
), held as (
    select c.recording_id, c.seq, seen.etag
      from chunks c
      join seen on (c.recording_id, c.seq, c.generation) = (seen.recording_id, seen.seq, seen.generation)
      join recording r on r.id = c.recording_id
     where c.state = 'acked'
       -- Somebody looked after this sweep had begun, and did not find it: this sweep's look may be the older one.
       and not exists (select from sightings s
                        where (s.recording_id, s.seq) = (c.recording_id, c.seq)
                          and (s.last_seen_at >= %(started_at)s
                               -- Read wrong: a HEAD shows what it showed then.
                               or s.read_again_at is not null))
     order by c.recording_id, c.seq
       for update of c
), forgotten as (
    delete from sightings s using held
     where (s.recording_id, s.seq) = (held.recording_id, held.seq) and s.last_seen_at < %(started_at)s
)
update chunks c set state = 'confirmed', confirmed_at = now(), etag = held.etag
  from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
returning c.recording_id, c.seq

-- name: audit_expect_table
create temp table if not exists audit_expected (
    key text, recording_id uuid, seq integer, segment integer, size bigint, sha256 bytea, state text,
    generation integer, etag text, overwrite boolean, granted_at timestamptz, expires_at timestamptz,
    acked_at timestamptz, confirmed_at timestamptz
)

-- name: audit_listed_table
create temp table if not exists audit_listed (key text, size bigint, etag text, last_modified timestamptz)

-- name: audit_unexpected_table
create temp table if not exists audit_unexpected (key text primary key)

-- name: audit_clear
truncate audit_expected, audit_listed, audit_unexpected

-- name: audit_snapshot
-- What should be in these shards, as committed before the listing begins.
insert into audit_expected
select chunk_key(r.shard, c.recording_id, c.seq, c.segment, c.size, c.sha256),
       c.recording_id, c.seq, c.segment, c.size, c.sha256, c.state, c.generation, c.etag, c.overwrite, c.granted_at,
       c.expires_at, c.acked_at, c.confirmed_at
  from recordings r join chunks c on c.recording_id = r.id
 where r.shard between %(first_shard)s and %(last_shard)s
   and r.state in ('open', 'expired', 'complete')
   and c.state in ('acked', 'confirmed')
   and c.acked_at < now() - %(settle)s::interval

-- name: audit_stage
copy audit_listed (key, size, etag, last_modified) from stdin

-- name: audit_analyze
-- Of what they are joined by alone: each column costs as much.
analyze audit_expected (key), audit_listed (key)

-- name: audit_doubts
-- Expected, and the listing does not show it as it was acked: a HEAD must tell. In pages, so that many doubts that prove
-- harmless never keep the others from being looked at.
select e.* from audit_expected e left join audit_listed l on l.key = e.key
 where (l.key is null or l.size <> e.size or l.etag <> e.etag)
   and (%(after)s::text is null or e.key > %(after)s::text)
 order by e.key
 limit %(limit)s

-- name: etags_refresh
-- Seen with the granted digest under another ETag (re-encrypted, copied): the ledger keeps the ETag that is there now.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(etags)s::text[])
               as s (recording_id, seq, generation, etag)
), held as (
    select c.recording_id, c.seq, seen.etag
      from chunks c
      join seen on (c.recording_id, c.seq, c.generation) = (seen.recording_id, seen.seq, seen.generation)
     where c.state in ('acked', 'confirmed') and c.etag <> seen.etag
     order by c.recording_id, c.seq
       for update of c
)
update chunks c set etag = held.etag from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)

-- name: chunks_of_keys
select c.* from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[]) as k (recording_id, seq)
  join chunks c on (c.recording_id, c.seq) = (k.recording_id, k.seq)

-- name: chunks_returned
-- Run after `chunks_ack_lock` in one transaction: a ticket that was opened while this waited for its locks is closed as well.
-- Missing, and seen again by HEAD as it was granted: nobody has to send it. It is acked anew, to be confirmed like any other.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(etags)s::text[])
               as s (recording_id, seq, generation, etag)
), held as (
    select c.recording_id, c.seq, seen.etag, r.owner, c.size, c.state
      from chunks c
      join seen on (c.recording_id, c.seq, c.generation) = (seen.recording_id, seen.seq, seen.generation)
      join recordings r on r.id = c.recording_id
     where c.state in ('missing', 'lost') and r.state in ('open', 'expired', 'complete')
), acked as (
    update chunks c
       set state = 'acked', etag = held.etag, generation = c.generation + 1, acked_at = now(), overwrite = false,
           read_at = null
      from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
    returning c.recording_id, c.seq
), healed as (
    update tickets t set state = 'healed', closed_at = now(), cause = 'returned'
      from acked a where (t.recording_id, t.seq) = (a.recording_id, a.seq) and t.state = 'open'
), told as (
    insert into events (kind, owner, recording_id, seq, cause)
    select 'chunk_returned', owner, recording_id, seq, 'seen' from held where state = 'lost' order by recording_id, seq
), to_read as (
    update sightings s set read_again_at = now() from acked a
     where (s.recording_id, s.seq) = (a.recording_id, a.seq) and s.read_again_at is not null
), settled as (
    -- A missing chunk still counts as used, a lost one no longer does.
    update owners o set used_bytes = o.used_bytes + d.used
      from (select owner, sum(size) as used from held where state = 'lost' group by owner) d
     where o.id = d.owner
)
select recording_id, seq from acked

-- name: audit_cleared
-- Seen once as missing or damaged, and listed since as it was acked: the first sighting is forgotten. Not one that was made
-- while this sweep went on, since its listing may be the older look.
delete from sightings s
 using audit_expected e join audit_listed l on l.key = e.key
 where (s.recording_id, s.seq) = (e.recording_id, e.seq) and s.generation <= e.generation
   and s.last_seen_at < %(started_at)s
   and l.size = e.size and l.etag = e.etag
   and s.verdict in ('missing', 'size_differs', 'etag_differs') and s.read_again_at is null

-- name: audit_gather_unexpected
-- Listed, old enough, and not acked at the snapshot: keys for the caller to tell apart. None of S3's is longer, and no index
-- takes much longer ones.
insert into audit_unexpected
select l.key from audit_listed l
 where not exists (select from audit_expected e where e.key = l.key)
   and l.last_modified < now() - %(settle)s::interval
   and octet_length(l.key) <= 1024
on conflict do nothing

-- name: audit_unexpected
select key from audit_unexpected
 where (%(after)s::text is null or key > %(after)s::text) and (%(until)s::text is null or key <= %(until)s::text)
 order by key
 limit %(limit)s

-- name: audit_resume_after
-- What the latest audit that went through this unit said of it.
select report->'resume_after'->>%(unit)s as resume_after from sweeps
 where kind = 'audit' and not dry_run and outcome = 'decided'
   and first_shard <= %(first_shard)s and last_shard >= %(last_shard)s
 order by started_at desc
 limit 1

-- name: audit_size
select (select count(*) from audit_expected) as expected, (select count(*) from audit_listed) as listed

-- name: audit_known
-- What an audit does not look for, since it is known not to be there.
select count(*) filter (where c.state = 'missing') as missing, count(*) filter (where c.state = 'lost') as lost
  from chunks c join recordings r on r.id = c.recording_id
 where c.state in ('missing', 'lost') and r.shard between %(first_shard)s and %(last_shard)s
   and r.state in ('open', 'expired', 'complete')

-- name: ledger_size
select count(*) as chunks from (select from chunks limit %(limit)s) c

-- name: sightings_earlier
-- Of these findings, those another sweep had already made, before this one began, of the same generation. What was read wrong
-- takes another read that was wrong.
select f.recording_id, f.seq
  from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(read_again)s::interval[])
         as f (recording_id, seq, generation, read_again)
  join sightings s on (s.recording_id, s.seq, s.generation) = (f.recording_id, f.seq, f.generation)
 where s.seen_at < %(started_at)s and (f.read_again is null or s.read_again_at is not null)

-- name: sightings_record
-- Of what counts as safe now, whatever was acked since the look began: that ack's own look may be the older one, and what is
-- doubted in vain costs no more than a later release.
with finding as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(verdicts)s::text[], %(read_again)s::interval[])
               as f (recording_id, seq, verdict, read_again)
), recorded as (
    insert into sightings as s (recording_id, seq, generation, verdict, read_again_at)
    select c.recording_id, c.seq, c.generation, f.verdict, now() + f.read_again
      from finding f
      join chunks c on (c.recording_id, c.seq) = (f.recording_id, f.seq)
     where c.state in ('acked', 'confirmed')
     order by c.recording_id, c.seq
    on conflict (recording_id, seq) do update
       set generation = excluded.generation, verdict = excluded.verdict, last_seen_at = now(),
           read_again_at = coalesce(excluded.read_again_at, s.read_again_at),
           seen_at = case when s.generation = excluded.generation then s.seen_at else now() end
    -- New are those whose first time is this one.
    returning s.recording_id, s.seq, s.seen_at = now() as is_new
), told as (
    insert into events (kind, owner, recording_id, seq, cause)
    select 'chunk_damaged', r.owner, f.recording_id, f.seq, f.verdict
      from finding f
      join recorded d on (d.recording_id, d.seq) = (f.recording_id, f.seq) and d.is_new
      join recordings r on r.id = f.recording_id
     where f.read_again is not null
     order by f.recording_id, f.seq
)
select is_new from recorded

-- name: sightings_forget
delete from sightings s
 using unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[]) as f (recording_id, seq, generation)
 where (s.recording_id, s.seq) = (f.recording_id, f.seq) and s.generation <= f.generation
   and s.last_seen_at < %(started_at)s and s.read_again_at is null

-- name: tickets_open
-- Marks chunks missing and opens their tickets, where nothing happened since the sweep read them. Two sweeps at once:
-- the second finds the state changed, and the unique partial index would stop it anyway.
with finding as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(verdicts)s::text[])
               as f (recording_id, seq, generation, verdict)
), recording as (
    select id from recordings
     where id = any (%(recording_ids)s) and state in ('open', 'expired', 'complete')
     order by id
       for share
), held as (
    select c.recording_id, c.seq, f.verdict
      from chunks c
      join finding f on (c.recording_id, c.seq, c.generation) = (f.recording_id, f.seq, f.generation)
      join recording r on r.id = c.recording_id
     where c.state in ('acked', 'confirmed')
     order by c.recording_id, c.seq
       for update of c
), missing as (
    update chunks c set state = 'missing', overwrite = held.verdict <> 'missing', confirmed_at = null
      from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
    returning c.recording_id, c.seq, held.verdict
), forgotten as (
    -- Not what was read wrong: only reading tells that it was mended.
    delete from sightings s using held
     where (s.recording_id, s.seq) = (held.recording_id, held.seq) and s.read_again_at is null
)
insert into tickets (recording_id, seq, reason)
select recording_id, seq, verdict from missing
on conflict (recording_id, seq) where state = 'open' do nothing
returning id, recording_id, seq, reason
