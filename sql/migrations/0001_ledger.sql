-- The ledger: recordings, chunks (grants and acks), resend tickets, sweeps. Forward only; never edited once landed.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- One row for ever: whose bucket this is. The bucket carries the same id in meta/deployment.json, and a sweep that does
-- not find it there decides nothing.
create table deployment (
    singleton   boolean primary key default true check (singleton),
    id          uuid not null default gen_random_uuid(),
    created_at  timestamptz not null default now()
);
insert into deployment default values;

create table recordings (
    id              uuid primary key,
    owner           text not null check (owner <> ''),
    recorder_id     uuid not null,
    source          text not null check (source in ('recorder', 'file')),
    mime_type       text not null,
    title           text,
    expected_bytes  bigint check (expected_bytes >= 0),
    share_id        text not null unique,
    shard           smallint not null check (shard between 0 and 255),
    state           text not null default 'open'
                    check (state in ('open', 'complete', 'expired', 'deleting', 'deleted')),
    chunk_count     integer check (chunk_count >= 0),
    total_bytes     bigint check (total_bytes >= 0),
    created_at      timestamptz not null default now(),
    completed_at    timestamptz,
    expires_at      timestamptz,
    -- When meta/recordings/…/recording.json was written: before the first grant is answered.
    described_at    timestamptz,
    -- When a confirm sweep last looked: the longest not looked at goes first.
    confirm_looked_at timestamptz not null default to_timestamp(0)
);
create index recordings_newest on recordings (owner, created_at desc, id desc) where state <> 'deleted';
create index recordings_by_shard on recordings (shard);

-- No foreign key to recordings: whatever inserts a chunk holds its recording's row locked, and the key's trigger took a
-- third of the time of a batch of grants.
create table chunks (
    recording_id  uuid not null,
    seq           integer not null check (seq between 0 and 99999999),
    segment       integer not null check (segment between 0 and 9999),
    size          bigint not null check (size > 0),
    sha256        bytea not null check (octet_length(sha256) = 32),
    state         text not null default 'granted'
                  check (state in ('granted', 'acked', 'confirmed', 'missing', 'lost')),
    -- Rises with every ack: a sweep writes only where it still is what the sweep had read.
    generation    integer not null default 0,
    etag          text,
    -- Something else lies under the key: the next grant must be allowed to overwrite it.
    overwrite     boolean not null default false,
    granted_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    acked_at      timestamptz,
    confirmed_at  timestamptz,
    primary key (recording_id, seq),
    check (state = 'granted' or etag is not null)
);
-- What confirm sweeps look for; small, because an ack does not stay unconfirmed for long.
create index chunks_unconfirmed on chunks (recording_id, seq) include (acked_at) where state = 'acked';
create index chunks_at_risk on chunks (recording_id, seq) where state in ('missing', 'lost');

create table sweeps (
    id           uuid primary key default gen_random_uuid(),
    kind         text not null check (kind in ('confirm', 'audit')),
    dry_run      boolean not null,
    outcome      text not null check (outcome in ('decided', 'undecided')),
    cause        text,
    started_at   timestamptz not null,
    finished_at  timestamptz not null default now(),
    looked_at    bigint not null default 0,
    report       jsonb not null
);
create index sweeps_newest on sweeps (started_at desc);

-- The object key of a chunk, the same as domain/keys.py makes: the audit joins a listing against it.
create function chunk_key(shard smallint, recording_id uuid, seq integer, segment integer, size bigint, sha256 bytea)
returns text language sql immutable strict parallel safe as $$
    select 'v1/' || lpad(to_hex(shard::integer), 2, '0') || '/' || recording_id || '/' || lpad(seq::text, 8, '0')
           || '-' || lpad(segment::text, 4, '0') || '-' || size || '-' || encode(sha256, 'hex')
$$;

-- The first of the two sightings that a ticket takes.
create table sightings (
    recording_id  uuid not null,
    seq           integer not null,
    generation    integer not null,
    verdict       text not null,
    seen_at       timestamptz not null default now(),
    primary key (recording_id, seq),
    foreign key (recording_id, seq) references chunks (recording_id, seq) on delete cascade
);

create table tickets (
    id            uuid primary key default gen_random_uuid(),
    recording_id  uuid not null,
    seq           integer not null,
    reason        text not null
                  check (reason in ('missing', 'size_differs', 'etag_differs', 'digest_differs', 'unproven')),
    state         text not null default 'open' check (state in ('open', 'fulfilled', 'healed', 'lost', 'withdrawn')),
    opened_at     timestamptz not null default now(),
    closed_at     timestamptz,
    cause         text,
    delivered_at  timestamptz,
    foreign key (recording_id, seq) references chunks (recording_id, seq),
    check ((state = 'open') = (closed_at is null)),
    check ((closed_at is null) = (cause is null))
);
-- At most one open ticket for a chunk, whatever runs at the same time.
create unique index tickets_one_open on tickets (recording_id, seq) where state = 'open';

create table recorders (
    owner         text not null,
    id            uuid not null,
    counter       bigint not null,
    persisted     boolean,
    usage         bigint,
    quota         bigint,
    sdk           text not null,
    last_beat_at  timestamptz not null default now(),
    primary key (owner, id)
);

-- What each recorder last said it holds: who can serve a ticket, and what exists only on a device.
create table holdings (
    owner         text not null,
    recorder_id   uuid not null,
    recording_id  uuid not null references recordings (id) on delete cascade,
    chunks        int4multirange not null,
    open          boolean not null,
    reported_at   timestamptz not null default now(),
    primary key (owner, recorder_id, recording_id)
);
create index holdings_by_recording on holdings (recording_id);

-- A recorder's word that it no longer has the chunk of a ticket. It speaks for that recorder alone.
create table gone_reports (
    ticket_id    uuid not null references tickets (id) on delete cascade,
    owner        text not null,
    recorder_id  uuid not null,
    reported_at  timestamptz not null default now(),
    primary key (ticket_id, owner, recorder_id)
);
