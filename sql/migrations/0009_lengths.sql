-- When in its recording each chunk begins and how long it lasts: only its recorder knows, and no key and no container tells it
-- without reading the bytes.

set lock_timeout = '5s';
set statement_timeout = '60s';

alter table chunks
    -- Milliseconds from the recording's beginning, and of the chunk; null where its recorder did not say: a file, or a chunk that was
    -- taken up from the bucket alone.
    add column start_ms bigint,
    add column duration_ms bigint;
