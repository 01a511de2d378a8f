-- Reading chunks back: when each was last read, what reading may cost, and doubt that only reading can end.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- When all of its bytes were last read and had the granted digest; null: never since they were put there.
alter table chunks add column read_at timestamptz;
-- The order of reading. Only confirmed chunks are in it, so that an ack has no entry to make; with the size, coverage is told
-- from the index alone.
create index chunks_to_read on chunks (read_at nulls first, confirmed_at) include (size) where state = 'confirmed';

-- Set where the bytes were read and were wrong, or could not be read: HEAD and listings do not show that, so that only reading
-- ends it, and not before this time.
alter table sightings add column read_again_at timestamptz;
create index sightings_to_read on sightings (read_again_at) where read_again_at is not null;

alter table sweeps drop constraint sweeps_kind_check,
    add constraint sweeps_kind_check check (kind in ('confirm', 'audit', 'fixity'));

-- One row for ever: what may be read now, so that any number of workers together read no more than is allowed; and what it came to.
create table fixity (
    singleton        boolean primary key default true check (singleton),
    -- Below nought where the last chunk was larger than what was left.
    credit_bytes     bigint not null default 0,
    credited_at      timestamptz not null default now(),
    read_chunks      bigint not null default 0,
    read_bytes       bigint not null default 0,
    damaged_chunks   bigint not null default 0,
    -- Sums over all confirmed chunks, taken now and then: how much there is, and how much of it was read lately.
    covered_at       timestamptz,
    confirmed_bytes  bigint not null default 0,
    read_30d_bytes   bigint not null default 0,
    read_90d_bytes   bigint not null default 0,
    read_ever_bytes  bigint not null default 0
);
insert into fixity default values;
