-- What was confirmed before something made us doubt the bucket is not released before it was seen there again.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table deployment add column doubted_at timestamptz not null default 'epoch';
