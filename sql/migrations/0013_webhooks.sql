-- Webhooks: what is told to an address when a download came to an end. A row for each message, written by the very statement
-- that ends the download, so that none can be forgotten.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- No foreign key to downloads: what is to be told is told, however long ago they were forgotten.
create table webhook_deliveries (
    -- The message's id, the same with each try.
    id             uuid primary key default gen_random_uuid(),
    download_id    uuid not null,
    owner          text not null check (owner <> ''),
    url            text not null,
    kind           text not null
                   check (kind in ('download.ready', 'download.failed', 'download.cancelled', 'download.expired')),
    -- As it was when it happened, byte for byte what is signed and sent.
    payload        text not null,
    state          text not null default 'pending' check (state in ('pending', 'delivered', 'given_up')),
    attempts       integer not null default 0 check (attempts >= 0),
    created_at     timestamptz not null default now(),
    -- A day is counted from here: not from when nobody was there to send.
    first_tried_at timestamptz,
    due_at         timestamptz not null default now(),
    -- Who sends it has it until then; it is another's after that, and may come twice.
    lease_until    timestamptz,
    last_status    integer,
    last_error     text,
    finished_at    timestamptz,
    check ((state = 'pending') = (finished_at is null))
);
create index webhook_deliveries_of on webhook_deliveries (download_id, created_at desc);
create index webhook_deliveries_due on webhook_deliveries (due_at) where state = 'pending';
create index webhook_deliveries_leased on webhook_deliveries (owner, lease_until) where state = 'pending' and lease_until is not null;
create index webhook_deliveries_finished on webhook_deliveries (state, finished_at) where state <> 'pending';

-- RFC 3339 in UTC to the millisecond, as everywhere in the API; null stays null.
create function rfc3339(at timestamptz) returns text language sql immutable parallel safe as $$
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

create function webhook_deliveries_write() returns trigger language plpgsql as $$
begin
    insert into webhook_deliveries (download_id, owner, url, kind, payload)
    values (new.id, new.owner, new.webhook_url, 'download.' || new.state, json_build_object(
        'type', 'download.' || new.state,
        'timestamp', rfc3339(now()),
        'data', json_build_object(
            'id', new.id,
            'state', new.state,
            'version', new.version,
            'recordings', (select json_agg(p.recording_id order by p.place) from download_recordings p where p.download_id = new.id),
            'allow_gaps', new.allow_gaps,
            'bytes_total', new.bytes_total,
            'created_at', rfc3339(new.created_at),
            'finished_at', rfc3339(new.finished_at),
            'expires_at', rfc3339(new.expires_at),
            'problem', case when new.cause is not null
                            then json_build_object('code', new.cause, 'detail', coalesce(new.detail, '')) end,
            'file', case when new.state = 'ready'
                         then json_build_object('name', new.file_name, 'content_type', new.content_type, 'size', new.size,
                                                'path', '/v1/downloads/' || new.id || '/file') end))::text);
    return null;
end $$;
create trigger webhook_deliveries_write after update of state on downloads
    for each row
    when (new.webhook_url is not null and new.state is distinct from old.state
          and new.state in ('ready', 'failed', 'cancelled', 'expired'))
    execute function webhook_deliveries_write();
