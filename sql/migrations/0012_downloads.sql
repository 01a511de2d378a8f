-- Downloads: jobs that assemble recordings into files, what each is made of, and the files on the way.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- Rises with everything that is told of any download: whoever waits for news of one asks for what is higher.
create sequence downloads_version;

create table downloads (
    id              uuid primary key default gen_random_uuid(),
    owner           text not null check (owner <> ''),
    -- What the caller named its request; the same name is the same job for as long as this row is kept.
    idempotency_key text check (idempotency_key <> ''),
    -- A digest of what was asked and of what there was of it: the same again, while this one lives, is this one.
    request         bytea not null check (octet_length(request) = 32),
    allow_gaps      boolean not null,
    -- Without its ending, which only the media tell.
    file_stem       text not null,
    webhook_url     text,
    state           text not null default 'queued'
                    check (state in ('queued', 'running', 'ready', 'failed', 'cancelled', 'expired')),
    -- Why it waits, beyond its turn: chunks are asked for again, or a fault passes.
    waiting_for     text check (waiting_for in ('chunks', 'retry')),
    version         bigint not null default nextval('downloads_version'),
    created_at      timestamptz not null default now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    -- When a file that is ready is removed.
    expires_at      timestamptz,
    -- Who has it: every write of a runner is conditional on its claim, and a claim whose lease has ended is another's to take.
    claim           integer not null default 0,
    worker          text not null default '',
    lease_until     timestamptz,
    due_at          timestamptz not null default now(),
    -- Faults in a row; since when chunks are waited for.
    faults          integer not null default 0,
    waiting_since   timestamptz,
    cause           text,
    detail          text,
    bytes_total     bigint not null check (bytes_total >= 0),
    bytes_done      bigint not null default 0 check (bytes_done >= 0),
    -- Of recordings that were taken with gaps: what is left out, for ever named.
    gaps            jsonb not null default '[]',
    -- The result.
    object_key      text,
    upload_id       text,
    file_name       text,
    content_type    text,
    size            bigint,
    -- When nothing of it was left in the bucket: null while there may be something.
    cleaned_at      timestamptz,
    check ((state in ('failed', 'cancelled', 'expired', 'ready')) = (finished_at is not null)),
    check (state <> 'ready' or (object_key is not null and size is not null and expires_at is not null)),
    check (state <> 'failed' or cause is not null)
);
create unique index downloads_by_idempotency_key on downloads (owner, idempotency_key) where idempotency_key is not null;
create unique index downloads_same_request on downloads (owner, request) where state in ('queued', 'running', 'ready');
create index downloads_newest on downloads (owner, created_at desc, id desc);
create index downloads_queued on downloads (owner, created_at, id) where state = 'queued';
create index downloads_running on downloads (owner, lease_until) where state = 'running';
create index downloads_ready on downloads (expires_at) where state = 'ready';
create index downloads_unclean on downloads (finished_at) where state in ('failed', 'cancelled', 'expired') and cleaned_at is null;
create index downloads_forgettable on downloads (finished_at) where cleaned_at is not null;

-- What was asked for, in order.
create table download_recordings (
    download_id   uuid not null references downloads (id) on delete cascade,
    place         integer not null check (place >= 0),
    recording_id  uuid not null,
    -- What it came to when it was asked for: chunks from 0 on, but for those that `gaps` names, and their bytes.
    chunks        integer not null check (chunks > 0),
    bytes         bigint not null check (bytes > 0),
    primary key (download_id, place)
);
create index download_recordings_of on download_recordings (recording_id);

-- Files made on the way to a ZIP: what was made is not made again by who takes over.
create table download_files (
    download_id  uuid not null references downloads (id) on delete cascade,
    place        integer not null check (place >= 0),
    object_key   text not null,
    upload_id    text,
    -- Null until it is whole and was seen in the bucket.
    size         bigint check (size >= 0),
    primary key (download_id, place)
);

-- Whoever waits for news hears of every change, in whichever process; the row tells what it is.
create function downloads_told() returns trigger language plpgsql as $$
begin
    perform pg_notify('safereel_downloads', new.id::text);
    return null;
end $$;
create trigger downloads_told after insert or update of version on downloads
    for each row execute function downloads_told();
