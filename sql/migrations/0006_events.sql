-- What happened to chunks and tickets, for ever; tickets that can end as lost; releases that can be stopped.

set lock_timeout = '5s';
set statement_timeout = '60s';

create table events (
    id            bigint generated always as identity primary key,
    -- Ids are taken before they are committed, and not in the order of commits. Whoever reads on goes by this, then the id, and
    -- no further than the oldest transaction under way: nothing is committed behind a reader's back.
    written_by    xid8 not null default pg_current_xact_id(),
    at            timestamptz not null default now(),
    kind          text not null constraint events_kind check (kind in (
                      'ticket_opened', 'ticket_reopened', 'ticket_delivered', 'ticket_gone', 'ticket_fulfilled', 'ticket_healed',
                      'ticket_lost', 'ticket_withdrawn', 'chunk_returned', 'chunk_adopted', 'chunk_healed', 'chunk_taken_up',
                      'chunk_damaged', 'releases_frozen', 'releases_thawed')),
    -- What it is about, as far as it is about anything; no foreign keys: what is told outlives what it is told of.
    owner         text,
    recording_id  uuid,
    seq           integer,
    ticket_id     uuid,
    recorder_id   uuid,
    cause         text,
    detail        jsonb not null default '{}'
);
create index events_in_order on events (written_by, id);
create index events_of_recording on events (recording_id, id);
create index events_of_kind on events (kind, id);

create function events_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'events are only ever added' using errcode = 'restrict_violation';
end $$;
create trigger events_are_kept before update or delete or truncate on events
    for each statement execute function events_are_kept();

alter table tickets
    -- It asks for a chunk that had been given up as lost: somebody says that it holds it after all.
    add column reopened boolean not null default false,
    -- When it was last judged whether anybody can still serve it: the longest not looked at goes first.
    add column looked_at timestamptz not null default now();
create index tickets_to_judge on tickets (looked_at, id) where state = 'open';
create index tickets_newest on tickets (opened_at desc, id desc);
create index gone_reports_of_recorder on gone_reports (owner, recorder_id);
create index chunks_lost on chunks (recording_id, seq) where state = 'lost';

-- Written here, so that no statement that opens or closes tickets can forget to tell of it.
create function tickets_opened() returns trigger language plpgsql as $$
begin
    insert into events (kind, owner, recording_id, seq, ticket_id, cause)
    select case when t.reopened then 'ticket_reopened' else 'ticket_opened' end,
           (select r.owner from recordings r where r.id = t.recording_id), t.recording_id, t.seq, t.id, t.reason
      from tickets_new t
     order by t.recording_id, t.seq;
    return null;
end $$;
create trigger tickets_opened after insert on tickets referencing new table as tickets_new
    for each statement execute function tickets_opened();

-- The two tables are compared as sets, not joined: of their sizes the planner knows nothing, and a nested loop over the tickets
-- of a large deletion would not end. Only the first delivery is told: an open ticket is delivered again with each heartbeat.
create function tickets_changed() returns trigger language plpgsql as $$
begin
    insert into events (kind, owner, recording_id, seq, ticket_id, cause, detail)
    select case when t.state = 'open' then 'ticket_delivered' else 'ticket_' || t.state end,
           (select r.owner from recordings r where r.id = t.recording_id), t.recording_id, t.seq, t.id, t.cause,
           jsonb_build_object('open_ms', round(1000 * extract(epoch from coalesce(t.closed_at, now()) - t.opened_at)))
      from (select id, recording_id, seq, opened_at, state, closed_at, cause, delivered_at is not null as delivered
              from tickets_new
            except
            select id, recording_id, seq, opened_at, state, closed_at, cause, delivered_at is not null
              from tickets_old) t
     where t.state <> 'open' or t.delivered
     order by t.recording_id, t.seq;
    return null;
end $$;
create trigger tickets_changed after update on tickets referencing old table as tickets_old new table as tickets_new
    for each statement execute function tickets_changed();

-- Which shards of the bucket an audit compared: only what was looked at whole says that nothing more is missing.
alter table sweeps add column shards int4range;
create index sweeps_audits on sweeps (started_at desc) where kind = 'audit' and not dry_run;

-- While one of these is not thawed, nothing is released. Kept for ever: when, why, and how it ended.
create table freezes (
    id              uuid primary key default gen_random_uuid(),
    frozen_at       timestamptz not null default now(),
    cause           text not null check (cause in ('missing', 'unknown', 'administrator')),
    detail          jsonb not null default '{}',
    thawed_at       timestamptz,
    thawed_by       text check (thawed_by in ('audit', 'administrator')),
    -- Keys that the ledger did not know when it was thawed: these freeze nobody again.
    unknown_at_thaw bigint not null default 0,
    check ((thawed_at is null) = (thawed_by is null))
);
create unique index freezes_one on freezes ((thawed_at is null)) where thawed_at is null;
create index freezes_newest on freezes (frozen_at desc);
