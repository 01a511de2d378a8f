-- When a chunk was last seen to be missing or damaged: only what was looked at later may say that it is not.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table sightings add column last_seen_at timestamptz not null default now();
