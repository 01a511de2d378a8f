-- Work that machines share: whose turn it is, rounds of the audit, and who ran which sweep.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- When each thing of the clock is due: replicas claim it with one conditional statement, so that they do not do it N times.
create table ticks (
    name    text primary key,
    due_at  timestamptz not null
);

-- One pass of the audit over all shards, by whichever workers are free.
create table audit_rounds (
    id             bigint generated always as identity primary key,
    began_at       timestamptz not null default now(),
    -- When a part of it was last finished: a round without progress is given up.
    progressed_at  timestamptz not null default now(),
    finished_at    timestamptz,
    given_up       boolean not null default false,
    shards_done    integer not null default 0,
    check (not given_up or finished_at is not null)
);
create unique index audit_rounds_one_running on audit_rounds ((true)) where finished_at is null;

-- One row for each shard, for ever: since when what it holds is known to an audit that decided, and in which round it was last done.
create table audited_shards (
    shard       smallint primary key check (shard between 0 and 255),
    audited_at  timestamptz not null default now(),
    round       bigint not null default 0
);
insert into audited_shards (shard) select generate_series(0, 255);

alter table sweeps
    add column first_shard smallint not null default 0,
    add column last_shard smallint not null default 255,
    add column round bigint,
    -- Which process ran it; empty: it waits to be run, or ran before this was known.
    add column worker text not null default '',
    -- Null until it has run: somebody asked for it, and is told where its report will be.
    alter column finished_at drop not null,
    alter column outcome drop not null,
    add constraint outcome_when_finished check ((finished_at is null) = (outcome is null));
create index sweeps_of_round on sweeps (round) where round is not null;
