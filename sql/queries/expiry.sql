-- name: grants_expire
-- Grants that died unused no longer count. Their rows stay: number and content are bound for ever, and a late ack is taken.
-- A page of them, after the one before: what somebody has locked is passed over and is the next run's, so that nobody's dead
-- grants wait for another owner's lock.
with due as (
    select c.recording_id, c.seq, c.expires_at, r.owner
      from chunks c join recordings r on r.id = c.recording_id
     where c.reserved and c.expires_at < now()
       and (%(after_expires_at)s::timestamptz is null
            or c.expires_at >= %(after_expires_at)s::timestamptz
               and (c.expires_at, c.recording_id, c.seq)
                   > (%(after_expires_at)s::timestamptz, %(after_recording_id)s::uuid, %(after_seq)s::integer))
     order by c.expires_at, c.recording_id, c.seq
     limit %(limit)s
), counted as (
    select o.id from owners o where o.id in (select owner from due) order by o.id for update skip locked
), held as (
    select c.recording_id, c.seq, c.size, counted.id as owner
      from due join counted on counted.id = due.owner
      join chunks c on (c.recording_id, c.seq) = (due.recording_id, due.seq)
     where c.reserved and c.expires_at < now()
     order by c.recording_id, c.seq
       for update of c skip locked
), dead as (
    update chunks c set reserved = false from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
), settled as (
    update owners o set reserved_bytes = o.reserved_bytes - d.size, reserved_chunks = o.reserved_chunks - d.chunks
      from (select owner, sum(size) as size, count(*) as chunks from held group by owner) d
     where o.id = d.owner
), last as (
    select expires_at, recording_id, seq from due order by expires_at desc, recording_id desc, seq desc limit 1
)
select freed.grants, freed.bytes, (select count(*) from due) as looked_at, last.expires_at, last.recording_id, last.seq
  from (select count(*) as grants, coalesce(sum(size), 0)::bigint as bytes from held) freed left join last on true

-- name: recordings_expire
-- Idle recordings without a live grant; what was acked stays, and a recorder that returns revives them. One that is locked is the
-- next run's. A grant in between renews the recording's row, which is looked at again once it is locked.
with idle as (
    select id from recordings r
     where r.state = 'open' and r.expires_at < now()
       and not exists (select from chunks c where c.recording_id = r.id and c.reserved)
     order by r.expires_at
     limit %(limit)s
       for no key update of r skip locked
)
update recordings r set state = 'expired' from idle where r.id = idle.id
returning r.id
