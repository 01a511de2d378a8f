-- Sessions: quotas of owners, the idle clock of recordings, their deletion and their manifest.

set lock_timeout = '5s';
set statement_timeout = '60s';

-- A live grant that has not been acked yet: its size counts as reserved until it is acked, expires or is deleted.
alter table chunks add column reserved boolean not null default false;
update chunks set reserved = true where state = 'granted' and expires_at > now();
-- What the expiry of grants looks for: small, because a grant is acked soon or dies.
create index chunks_reserved on chunks (expires_at) where reserved;

-- Whoever may record has a row here from the start of the first recording on. Every statement that changes what counts locks
-- it first, then recordings, then chunks: one order for all, so that nobody waits for another in a circle.
create table owners (
    id              text primary key check (id <> ''),
    -- Null: what the deployment gives to everybody.
    limit_bytes     bigint check (limit_bytes >= 0),
    -- Sizes of chunks acked, confirmed and missing. No check that they are not negative: a counter that is wrong is mended by
    -- the recount, and must never be why an ack is refused.
    used_bytes      bigint not null default 0,
    -- Sizes of chunks with `reserved`.
    reserved_bytes  bigint not null default 0,
    -- The recount: when it last looked at this owner, how far the counters were off then, and in how many recounts they were.
    recounted_at    timestamptz,
    drift_bytes     bigint not null default 0,
    drifted_times   integer not null default 0,
    created_at      timestamptz not null default now()
);
insert into owners (id, used_bytes, reserved_bytes)
select r.owner,
       coalesce(sum(c.size) filter (where c.state in ('acked', 'confirmed', 'missing')), 0),
       coalesce(sum(c.size) filter (where c.reserved), 0)
  from recordings r left join chunks c on c.recording_id = r.id
 where r.state in ('open', 'complete', 'expired')
 group by r.owner;
-- Who was not looked at for the longest is recounted first.
create index owners_recounted on owners (recounted_at nulls first);

alter table recordings
    -- Why and when its owner (or a retention setting) had it deleted.
    add column delete_cause text check (delete_cause in ('owner', 'retention')),
    add column deleting_at timestamptz,
    -- Until when a URL given out may still bring an object back: before that, nothing is called deleted.
    add column purge_until timestamptz,
    -- When the bucket is to be looked at next, how often that failed in a row, and why.
    add column purge_after timestamptz,
    add column purge_failures integer not null default 0,
    add column purge_error text,
    add column purged_objects bigint not null default 0,
    add column deleted_at timestamptz,
    -- When the manifest of a complete recording was written to the bucket.
    add column manifest_at timestamptz,
    add constraint deletion_is_told check ((state in ('deleting', 'deleted')) = (deleting_at is not null));

-- Recordings begun before this have an idle clock from now on.
update recordings set expires_at = now() + interval '24 hours' where state = 'open';
create index recordings_idle on recordings (expires_at) where state = 'open';
create index recordings_to_purge on recordings (purge_after) where state = 'deleting';
create index recordings_without_manifest on recordings (completed_at) where state = 'complete' and manifest_at is null;
-- What retention settings look for.
create index recordings_completed on recordings (completed_at) where state = 'complete';
create index recordings_expired on recordings (expires_at) where state = 'expired';
