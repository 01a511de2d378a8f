-- name: fixity_claim
-- What may be read now, in order: what was read wrong, what a device will be allowed to delete, what was never read, what was
-- read the longest ago. It is paid for in the same statement, under the row's lock: whoever asks at the same time waits, and finds
-- it spent. The last chunk may cost more than is left; the next runs wait until that is made up for.
with earned as (
    select least(credit_bytes + greatest(0, extract(epoch from now() - credited_at)) * %(bytes_per_s)s::float8,
                 %(most)s::float8)::bigint as credit
      from fixity
       for update
), doubted as (
    select c.recording_id, c.seq, 0 as place, s.read_again_at as since
      from sightings s join chunks c on (c.recording_id, c.seq) = (s.recording_id, s.seq)
     where s.read_again_at <= now() and c.state in ('acked', 'confirmed', 'missing', 'lost')
     order by s.read_again_at
     limit %(limit)s
), held as (
    -- By a recorder that calls: its next heartbeat may bring the release.
    select c.recording_id, c.seq, 1 as place, c.confirmed_at as since
      from holdings h
      join recordings r on r.id = h.recording_id and r.state in ('open', 'expired', 'complete')
     cross join lateral unnest(h.chunks) as span
     cross join lateral (
           select k.recording_id, k.seq, k.confirmed_at from chunks k
            where k.recording_id = h.recording_id and k.seq >= lower(span) and k.seq < upper(span)
              and k.state = 'confirmed' and k.read_at is null
            order by k.seq
            limit %(limit)s) c
     where h.reported_at > now() - %(alive)s::interval
     limit %(limit)s
), unread as (
    -- What is being deleted waits for its purge, and must not take the place of others here.
    select c.recording_id, c.seq, 2 as place, c.confirmed_at as since from chunks c
     where c.state = 'confirmed' and c.read_at is null
       and not exists (select from sightings s
                        where (s.recording_id, s.seq) = (c.recording_id, c.seq) and s.read_again_at is not null)
       and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
     -- As the index is, word for word: its order is used for nothing less.
     order by c.read_at nulls first, c.confirmed_at
     limit %(limit)s
), aged as (
    select c.recording_id, c.seq, 3 as place, c.read_at as since from chunks c
     where c.state = 'confirmed' and c.read_at < now() - %(reread)s::interval
       and not exists (select from sightings s
                        where (s.recording_id, s.seq) = (c.recording_id, c.seq) and s.read_again_at is not null)
       and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
     order by c.read_at nulls first
     limit %(limit)s
), due as (
    select distinct on (recording_id, seq) * from (
        select * from doubted union all select * from held union all select * from unread union all select * from aged
    ) found
     order by recording_id, seq, place
), priced as (
    select d.place, d.since, c.*, sum(c.size) over (order by d.place, d.since, c.recording_id, c.seq) - c.size as before
      from due d
      join chunks c on (c.recording_id, c.seq) = (d.recording_id, d.seq)
      join recordings r on r.id = c.recording_id and r.state in ('open', 'expired', 'complete')
     -- Held, but read wrong, and not to be read again yet.
     where d.place = 0 or not exists (select from sightings s where (s.recording_id, s.seq) = (c.recording_id, c.seq)
                                         and s.read_again_at is not null)
), taken as (
    select p.* from priced p join earned on p.before < earned.credit
     order by p.place, p.since, p.recording_id, p.seq
     limit %(limit)s
), paid as (
    update fixity f
       set credit_bytes = earned.credit - coalesce((select sum(size) from taken), 0),
           credited_at = greatest(f.credited_at, now())
      from earned
     where not %(dry_run)s
)
select * from taken order by place, since, recording_id, seq

-- name: fixity_right
-- Read whole, with the granted digest: whatever was seen against them before this run began is answered. Of the generation that was
-- read: an ack in between may have been for other bytes.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[])
               as s (recording_id, seq, generation)
), held as (
    select c.recording_id, c.seq
      from chunks c
      join seen on (c.recording_id, c.seq, c.generation) = (seen.recording_id, seen.seq, seen.generation)
     where c.state in ('acked', 'confirmed')
     order by c.recording_id, c.seq
       for update of c
), forgotten as (
    delete from sightings s using held
     where (s.recording_id, s.seq) = (held.recording_id, held.seq) and s.last_seen_at < %(started_at)s
)
update chunks c set read_at = now() from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)

-- name: fixity_put_off
-- Still wrong, and asked for or given up: looked at again later.
update sightings s set read_again_at = now() + %(wait)s::interval
  from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[]) as f (recording_id, seq)
 where (s.recording_id, s.seq) = (f.recording_id, f.seq) and s.read_again_at is not null

-- name: fixity_doubted
-- Of these, what was read wrong and not read right since.
select s.recording_id, s.seq
  from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[]) as f (recording_id, seq)
  join sightings s on (s.recording_id, s.seq) = (f.recording_id, f.seq)
 where s.read_again_at is not null

-- name: fixity_control
-- One that was read not long ago and was right: whether it can be read now tells of the store.
select c.* from chunks c
  join recordings r on r.id = c.recording_id and r.state in ('open', 'expired', 'complete')
 where c.state = 'confirmed' and c.read_at is not null
   and not exists (select from sightings s where (s.recording_id, s.seq) = (c.recording_id, c.seq))
 order by c.read_at desc nulls last
 limit 1

-- name: fixity_count
update fixity set read_chunks = read_chunks + %(chunks)s, read_bytes = read_bytes + %(bytes)s,
                  damaged_chunks = damaged_chunks + %(damaged)s

-- name: fixity_cover
-- Reads the whole index, so now and then only. Floating point adds up whole bytes exactly far beyond what a bucket holds, and much
-- faster.
update fixity
   set (covered_at, confirmed_bytes, read_30d_bytes, read_90d_bytes, read_ever_bytes) = (
        select now(), coalesce(sum(size::float8), 0)::bigint,
               coalesce(sum(size::float8) filter (where read_at > now() - interval '30 days'), 0)::bigint,
               coalesce(sum(size::float8) filter (where read_at > now() - interval '90 days'), 0)::bigint,
               coalesce(sum(size::float8) filter (where read_at is not null), 0)::bigint
          from chunks where state = 'confirmed')
 where covered_at is null or covered_at < now() - %(every)s::interval or confirmed_bytes = 0
