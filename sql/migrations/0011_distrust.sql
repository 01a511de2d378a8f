-- Releases also stop where the bucket does not show this deployment's mark.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table freezes drop constraint freezes_cause_check;
alter table freezes add constraint freezes_cause_check check (cause in ('missing', 'unknown', 'bucket', 'administrator'));
