-- name: recordings_alive
select id from recordings where id = any (%(recording_ids)s) and state in ('open', 'expired', 'complete')

-- name: chunks_proven
-- Run after `chunks_ack_lock` in one transaction. Seen in the bucket as they were granted, without a recorder's claim: acked
-- (anew), to be confirmed like any other. Conditional on the generation that the sweep had read before it looked.
with seen as (
    select * from unnest(%(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[], %(etags)s::text[])
               as s (recording_id, seq, generation, etag)
), held as (
    select c.recording_id, c.seq, c.size, c.state, c.reserved, seen.etag, r.owner
      from chunks c
      join seen on (c.recording_id, c.seq, c.generation) = (seen.recording_id, seen.seq, seen.generation)
      join recordings r on r.id = c.recording_id
     where c.state = any (%(states)s) and r.state in ('open', 'expired', 'complete')
       -- What was granted beyond the end of a recording completed since is no part of it.
       and (r.state <> 'complete' or c.seq < r.chunk_count)
), acked as (
    update chunks c
       set state = 'acked', etag = held.etag, generation = c.generation + 1, acked_at = now(), confirmed_at = null,
           overwrite = false, reserved = false, read_at = null
      from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
    returning c.recording_id, c.seq
), closed as (
    update tickets t set state = 'healed', closed_at = now(), cause = %(event)s
      from acked a where (t.recording_id, t.seq) = (a.recording_id, a.seq) and t.state = 'open'
), forgotten as (
    delete from sightings s using acked a
     where (s.recording_id, s.seq) = (a.recording_id, a.seq) and s.read_again_at is null
), to_read as (
    -- Read wrong once: a HEAD shows the same before and after it is put there again. It is not confirmed until it was read.
    update sightings s set read_again_at = now() from acked a
     where (s.recording_id, s.seq) = (a.recording_id, a.seq) and s.read_again_at is not null
), told as (
    insert into events (kind, owner, recording_id, seq, cause)
    select kind, owner, recording_id, seq, cause
      from (select %(event)s as kind, owner, recording_id, seq, null as cause from held
            union all
            select 'chunk_returned', owner, recording_id, seq, substr(%(event)s, 7) from held where state = 'lost') as told
     order by recording_id, seq
), settled as (
    -- Always taken, above the limit if need be, as a late ack is.
    update owners o
       set used_bytes = o.used_bytes + d.used, reserved_bytes = o.reserved_bytes - d.reserved,
           reserved_chunks = o.reserved_chunks - d.chunks
      from (select owner, coalesce(sum(size) filter (where state in ('granted', 'lost')), 0) as used,
                   coalesce(sum(size) filter (where reserved), 0) as reserved,
                   count(*) filter (where reserved) as chunks
              from held group by owner) d
     where o.id = d.owner and (d.used, d.reserved) <> (0, 0)
)
select recording_id, seq from acked
