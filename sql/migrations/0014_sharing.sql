-- Sharing: whether a recording's link works, and until when. The link itself (`share_id`) a recording has from its start.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table recordings
    add column shared boolean not null default true,
    add column share_expires_at timestamptz,
    -- When meta/recordings/…/share.json was written, before the row; null: never, so its link works as it was made.
    add column share_told_at timestamptz;
