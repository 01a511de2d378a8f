-- name: grants_expire
-- Grants that died unused no longer count. Their rows stay: number and content are bound for ever, and a late ack is taken.
with due as (
    select c.recording_id, c.seq, r.owner
      from chunks c join recordings r on r.id = c.recording_id
     where c.reserved and c.expires_at < now()
     order by c.expires_at
     limit %(limit)s
), counted as (
    select o.id from owners o where o.id in (select owner from due) order by o.id for update
), held as (
    select c.recording_id, c.seq, c.size, counted.id as owner
      from due join counted on counted.id = due.owner
      join chunks c on (c.recording_id, c.seq) = (due.recording_id, due.seq)
     where c.reserved and c.expires_at < now()
     order by c.recording_id, c.seq
       for update of c
), dead as (
    update chunks c set reserved = false from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
), settled as (
    update owners o set reserved_bytes = o.reserved_bytes - d.size, reserved_chunks = o.reserved_chunks - d.chunks
      from (select owner, sum(size) as size, count(*) as chunks from held group by owner) d
     where o.id = d.owner
)
select count(*) as grants, coalesce(sum(size), 0)::bigint as bytes from held

-- name: recordings_expire
-- Idle recordings, and with them what is reserved for them. What was acked stays, and a recorder that returns revives them. One
-- that is locked is the next run's: waiting for it would hold up the owners of all the others.
with due as (
    select id, owner from recordings
     where state = 'open' and expires_at < now()
     order by expires_at
     limit %(limit)s
), counted as (
    select o.id from owners o where o.id in (select owner from due) order by o.id for update
), idle as (
    select r.id, r.owner
      from due join counted on counted.id = due.owner
      join recordings r on r.id = due.id
     where r.state = 'open' and r.expires_at < now()
     order by r.id
       for no key update of r skip locked
), held as (
    select c.recording_id, c.seq, c.size, idle.owner
      from idle join chunks c on c.recording_id = idle.id
     where c.reserved
     order by c.recording_id, c.seq
       for update of c
), dead as (
    update chunks c set reserved = false from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
), settled as (
    update owners o set reserved_bytes = o.reserved_bytes - d.size, reserved_chunks = o.reserved_chunks - d.chunks
      from (select owner, sum(size) as size, count(*) as chunks from held group by owner) d
     where o.id = d.owner
), expired as (
    update recordings r set state = 'expired' from idle where r.id = idle.id
    returning r.id
)
select id from expired
