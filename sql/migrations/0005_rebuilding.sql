-- A rebuilt ledger knows chunks that only a manifest names: missing, and never seen under any ETag.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table chunks drop constraint chunks_check;
-- Not valid: it allows more than the one before, so that no row needs to be read while the table is locked.
alter table chunks add constraint chunks_etag check (state in ('granted', 'missing', 'lost') or etag is not null) not valid;
