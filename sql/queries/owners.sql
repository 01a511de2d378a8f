-- name: owners_lock
-- Before anything that changes what counts: owners, then recordings, then chunks.
select id from owners where id = any (%(owners)s) order by id for update

-- name: owner_usage
select coalesce(limit_bytes, %(default_limit)s::bigint) as limit_bytes, used_bytes, reserved_bytes
  from owners where id = %(owner)s

-- name: owner_set_limit
-- Null gives the owner what the deployment gives to everybody.
insert into owners as o (id, limit_bytes) values (%(owner)s, %(limit_bytes)s)
on conflict (id) do update set limit_bytes = excluded.limit_bytes
returning o.id, coalesce(o.limit_bytes, %(default_limit)s::bigint) as limit_bytes, o.limit_bytes is not null as own_limit,
          o.used_bytes, o.reserved_bytes, o.reserved_chunks, o.recounted_at, o.drift_bytes, o.drift_chunks, o.drifted_times

-- name: owners_page
select o.id, coalesce(o.limit_bytes, %(default_limit)s::bigint) as limit_bytes, o.limit_bytes is not null as own_limit,
       o.used_bytes, o.reserved_bytes, o.reserved_chunks, o.recounted_at, o.drift_bytes, o.drift_chunks, o.drifted_times
  from owners o
 where %(after)s::text is null or o.id > %(after)s::text
 order by o.id
 limit %(limit)s

-- name: owners_due
-- To be recounted: those not looked at for the longest.
select id from owners
 where recounted_at is null or recounted_at < now() - %(every)s::interval
 order by recounted_at nulls first, id
 limit %(limit)s

-- name: owner_recount
-- In the transaction that has locked the owner's row: nothing that counts changes meanwhile. What the counters were off by is
-- told, and mended.
with ledger as (
    select coalesce(sum(c.size) filter (where c.state in ('acked', 'confirmed', 'missing')), 0)::bigint as used_bytes,
           coalesce(sum(c.size) filter (where c.reserved), 0)::bigint as reserved_bytes,
           count(*) filter (where c.reserved)::integer as reserved_chunks
      from recordings r join chunks c on c.recording_id = r.id
     where r.owner = %(owner)s and r.state in ('open', 'expired', 'complete')
), kept as (
    select used_bytes, reserved_bytes, reserved_chunks from owners where id = %(owner)s
)
update owners o
   set used_bytes = ledger.used_bytes, reserved_bytes = ledger.reserved_bytes, reserved_chunks = ledger.reserved_chunks,
       recounted_at = now(),
       drift_bytes = abs(ledger.used_bytes - kept.used_bytes) + abs(ledger.reserved_bytes - kept.reserved_bytes),
       drift_chunks = abs(ledger.reserved_chunks - kept.reserved_chunks),
       drifted_times = o.drifted_times
                       + ((ledger.used_bytes, ledger.reserved_bytes, ledger.reserved_chunks)
                          <> (kept.used_bytes, kept.reserved_bytes, kept.reserved_chunks))::integer
  from ledger, kept
 where o.id = %(owner)s
returning o.id as owner, ledger.used_bytes - kept.used_bytes as used_off, ledger.reserved_bytes - kept.reserved_bytes as reserved_off,
          ledger.reserved_chunks - kept.reserved_chunks as chunks_off
