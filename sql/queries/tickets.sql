-- name: tickets_to_judge
-- Open tickets, those not looked at for the longest first, each with whoever is known to have to do with the chunk: who says that
-- it holds it, who said that it is gone, and who made the recording.
with due as (
    select * from tickets where state = 'open' order by looked_at, id limit %(limit)s
)
select t.id, t.recording_id, t.seq, t.opened_at, t.delivered_at, c.generation, now() as read_at, known.holders
  from due t
  join recordings r on r.id = t.recording_id and r.state in ('open', 'expired', 'complete')
  join chunks c on (c.recording_id, c.seq) = (t.recording_id, t.seq)
 cross join lateral (
       select jsonb_agg(jsonb_build_object('recorder_id', k.recorder_id, 'holds', k.holds, 'gone', k.gone,
                                           'last_beat_at', p.last_beat_at)) as holders
         from (select recorder_id, bool_or(holds) as holds, bool_or(gone) as gone
                 from (select h.recorder_id, true as holds, false as gone from holdings h
                        where h.recording_id = t.recording_id and h.owner = r.owner and h.chunks @> t.seq
                       union all
                       select g.recorder_id, false, true from gone_reports g where g.ticket_id = t.id and g.owner = r.owner
                       union all
                       select r.recorder_id, false, false) as said
                group by recorder_id) k
         left join recorders p on (p.owner, p.id) = (r.owner, k.recorder_id)) known
 order by t.looked_at, t.id

-- name: tickets_looked
-- Whoever acks these chunks is not waited for, nor made to wait in a circle: it closes the ticket.
with held as (
    select id from tickets where id = any (%(ticket_ids)s) and state = 'open' order by id for update skip locked
)
update tickets t set looked_at = now() from held where t.id = held.id

-- name: tickets_lose
-- Run after `chunks_ack_lock` in one transaction, so that it sees what was said while it waited. The end of tickets that nobody
-- can serve. Not where the chunk was acked since they were read, nor where a recorder has said since that it holds it. A lost
-- chunk is not counted as used any more.
with judged as (
    select * from unnest(%(ticket_ids)s::uuid[], %(recording_ids)s::uuid[], %(seqs)s::int[], %(generations)s::int[],
                         %(causes)s::text[])
               as j (ticket_id, recording_id, seq, generation, cause)
), held as (
    select c.recording_id, c.seq, c.size, r.owner, judged.ticket_id, judged.cause
      from judged
      join chunks c on (c.recording_id, c.seq, c.generation) = (judged.recording_id, judged.seq, judged.generation)
      join recordings r on r.id = c.recording_id
     where c.state = 'missing' and r.state in ('open', 'expired', 'complete')
       -- Lost, found again and asked for anew since: that is another ticket's.
       and exists (select from tickets t where t.id = judged.ticket_id and t.state = 'open')
       and not exists (select from holdings h
                        where h.recording_id = c.recording_id and h.owner = r.owner and h.chunks @> c.seq
                          and h.reported_at >= %(read_at)s)
), lost as (
    update chunks c set state = 'lost' from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
), settled as (
    update owners o set used_bytes = o.used_bytes - d.used
      from (select owner, sum(size) as used from held group by owner) d
     where o.id = d.owner
)
update tickets t set state = 'lost', closed_at = now(), cause = held.cause
  from held where t.id = held.ticket_id and t.state = 'open'
returning t.id, t.recording_id, t.seq, t.cause

-- name: tickets_mend
-- A missing chunk has an open ticket, always: every statement sees to that, and this to the statements. Answers what was amiss.
with due as (
    -- Only of recordings that are alive: those of others, which have no tickets any more, would take the limit up.
    select c.recording_id, c.seq from chunks c join recordings r on r.id = c.recording_id
     where c.state = 'missing' and r.state in ('open', 'expired', 'complete')
       and not exists (select from tickets t where (t.recording_id, t.seq) = (c.recording_id, c.seq) and t.state = 'open')
     order by c.recording_id, c.seq
     limit %(limit)s
), recording as (
    select id from recordings
     where id in (select recording_id from due) and state in ('open', 'expired', 'complete')
     order by id
       for share
), held as (
    select c.recording_id, c.seq
      from due join recording r on r.id = due.recording_id
      join chunks c on (c.recording_id, c.seq) = (due.recording_id, due.seq)
     where c.state = 'missing'
     order by c.recording_id, c.seq
       for update of c
)
insert into tickets (recording_id, seq, reason)
select recording_id, seq, 'missing' from held
on conflict (recording_id, seq) where state = 'open' do nothing
returning id, recording_id, seq, reason

-- name: tickets_reopen
-- Somebody holds what had been given up: it is missing again, counts again, and is asked for. Not of whoever said of each
-- earlier ticket that it is gone, and has held it all the while: that would go round in circles.
with said as (
    select * from unnest(%(recording_ids)s::uuid[], %(chunks)s::int4multirange[]) as h (recording_id, chunks)
), counted as (
    select id from owners where id = %(owner)s for update
), recording as (
    select r.id, r.owner, said.chunks from said
      join recordings r on r.id = said.recording_id
      join counted on counted.id = r.owner
     where r.state in ('open', 'expired', 'complete')
     order by r.id
       for share of r
), held as (
    select c.recording_id, c.seq, c.size
      from recording r join chunks c on c.recording_id = r.id
     where c.state = 'lost' and r.chunks @> c.seq
       and not exists (select from tickets t join gone_reports g on g.ticket_id = t.id
                        where (t.recording_id, t.seq) = (c.recording_id, c.seq)
                          and g.owner = %(owner)s and g.recorder_id = %(recorder_id)s)
     order by c.recording_id, c.seq
     limit %(limit)s
       for update of c
), missing as (
    update chunks c set state = 'missing' from held where (c.recording_id, c.seq) = (held.recording_id, held.seq)
), settled as (
    update owners o set used_bytes = o.used_bytes + d.used
      from (select sum(size) as used from held) d
     where o.id = %(owner)s and d.used > 0
)
insert into tickets (recording_id, seq, reason, reopened)
select held.recording_id, held.seq,
       coalesce((select t.reason from tickets t where (t.recording_id, t.seq) = (held.recording_id, held.seq)
                  order by t.opened_at desc limit 1), 'missing'), true
  from held
on conflict (recording_id, seq) where state = 'open' do nothing
returning id, recording_id, seq, reason

-- name: tickets_page
-- The newest first.
select t.*, r.owner,
       (select count(*) from gone_reports g where g.ticket_id = t.id) as gone_reports,
       (select count(*) from holdings h
         where h.recording_id = t.recording_id and h.owner = r.owner and h.chunks @> t.seq) as holders
  from tickets t join recordings r on r.id = t.recording_id
 where (%(state)s::text is null or t.state = %(state)s::text)
   and (%(owner)s::text is null or r.owner = %(owner)s::text)
   and (%(recording_id)s::uuid is null or t.recording_id = %(recording_id)s::uuid)
   and (%(before_opened_at)s::timestamptz is null
        or (t.opened_at, t.id) < (%(before_opened_at)s::timestamptz, %(before_id)s::uuid))
 order by t.opened_at desc, t.id desc
 limit %(limit)s

-- name: at_risk_page
-- Recordings that the bucket does not hold whole, by id, which mostly is by age: what is missing or lost of each, and who holds
-- any of it.
with risky as (
    select c.recording_id, count(*) filter (where c.state = 'missing') as missing_chunks,
           coalesce(sum(c.size) filter (where c.state = 'missing'), 0)::bigint as missing_bytes,
           count(*) filter (where c.state = 'lost') as lost_chunks,
           coalesce(sum(c.size) filter (where c.state = 'lost'), 0)::bigint as lost_bytes,
           range_agg(int4range(c.seq, c.seq + 1)) as chunks
      from chunks c
     where c.state in ('missing', 'lost')
       and (%(after)s::uuid is null or c.recording_id > %(after)s::uuid)
       and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
     group by c.recording_id
     order by c.recording_id
     limit %(limit)s
)
select risky.*, r.owner, r.title, t.oldest_ticket_at, t.undelivered, t.oldest_delivered_at, now() as read_at, known.holders
  from risky join recordings r on r.id = risky.recording_id
 cross join lateral (
       select min(opened_at) as oldest_ticket_at, count(*) filter (where delivered_at is null) as undelivered,
              min(delivered_at) as oldest_delivered_at
         from tickets where recording_id = risky.recording_id and state = 'open') t
 cross join lateral (
       select coalesce(jsonb_agg(jsonb_build_object(
                  'recorder_id', h.recorder_id, 'last_beat_at', p.last_beat_at,
                  'chunks', (select sum(upper(span) - lower(span)) from unnest(h.chunks * risky.chunks) as span))
                  order by p.last_beat_at desc), '[]') as holders
         from holdings h join recorders p on (p.owner, p.id) = (h.owner, h.recorder_id)
        where h.recording_id = risky.recording_id and h.owner = r.owner and h.chunks && risky.chunks) known
 order by risky.recording_id
