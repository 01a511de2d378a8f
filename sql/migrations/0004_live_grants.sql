-- How many grants of each owner are live: what has to be freed at once, by a deletion or by time, is bounded by it.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table owners
    -- How many chunks with `reserved`. Like the bytes, it may be wrong until the recount, and never stops an ack.
    add column reserved_chunks integer not null default 0,
    add column drift_chunks integer not null default 0;

update owners o set reserved_chunks = live.chunks
  from (select r.owner, count(*) as chunks
          from chunks c join recordings r on r.id = c.recording_id
         where c.reserved and r.state in ('open', 'expired', 'complete')
         group by r.owner) live
 where o.id = live.owner;

-- Whether a recording has live grants, and which: its other chunks, a million perhaps, need not be looked at.
create index chunks_reserved_of_recording on chunks (recording_id, seq) where reserved;
