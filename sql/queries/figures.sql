-- name: figures
-- One row for whoever watches. Partial indexes serve all but the owners, of whom there are thousands, not millions.
with waiting as (
    select count(*) as chunks, min(acked_at) as since from chunks c
     where state = 'acked'
       and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
), seen as (
    select count(*) as chunks, coalesce(sum(c.size), 0)::bigint as bytes
      from sightings s join chunks c on (c.recording_id, c.seq, c.generation) = (s.recording_id, s.seq, s.generation)
     where s.read_again_at is null and c.state in ('acked', 'confirmed')
       and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
)
select (select count(*) from recordings where state = 'deleting') as deletions,
       (select count(*) from recordings where state = 'deleting' and purge_failures > 0) as deletions_failing,
       (select coalesce(extract(epoch from now() - min(deleting_at)), 0) from recordings
         where state = 'deleting' and purge_failures > 0)::float8 as failing_since_s,
       (select count(*) from recordings
         where state = 'complete' and manifest_at is null) as manifests_missing,
       (select count(*) from tickets where state = 'open') as open_tickets,
       (select coalesce(extract(epoch from now() - min(opened_at)), 0) from tickets
         where state = 'open')::float8 as oldest_ticket_s,
       -- What its owner has deleted is waited for by nobody, and stays in the ledger until its purge is over.
       (select count(*) from chunks c where state = 'lost'
           and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))) as lost_chunks,
       (select chunks from waiting) as unconfirmed_chunks,
       coalesce(extract(epoch from now() - (select since from waiting)), 0)::float8 as oldest_unconfirmed_s,
       exists (select from freezes where thawed_at is null) as frozen,
       (select read_chunks from fixity) as read_chunks,
       (select read_bytes from fixity) as read_bytes,
       (select damaged_chunks from fixity) as damaged_chunks,
       (select confirmed_bytes from fixity) as confirmed_bytes,
       (select read_30d_bytes from fixity) as read_30d_bytes,
       (select read_90d_bytes from fixity) as read_90d_bytes,
       (select read_ever_bytes from fixity) as read_ever_bytes,
       coalesce(extract(epoch from now() - least(
           (select confirmed_at from chunks c where state = 'confirmed' and read_at is null
               and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
             order by read_at nulls first, confirmed_at limit 1),
           (select read_at from chunks c where state = 'confirmed' and read_at is not null
               and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))
             order by read_at nulls first limit 1))), 0)::float8 as oldest_unread_s,
       (select count(*) from sightings c where read_again_at is not null
           and exists (select from recordings r where r.id = c.recording_id and r.state in ('open', 'expired', 'complete'))) as read_wrong,
       (select chunks from seen) as sighted, (select bytes from seen) as sighted_bytes,
       (select coalesce(extract(epoch from now() - min(audited_at)), 0) from audited_shards)::float8 as audit_oldest_s,
       (select extract(epoch from now() - max(last_heartbeat))
          from procrastinate.procrastinate_workers)::float8 as workers_silent_s,
       (select coalesce(extract(epoch from now() - min(e.at)), 0)
          from procrastinate.procrastinate_jobs j join procrastinate.procrastinate_events e on e.job_id = j.id
         where j.status = 'todo')::float8 as sweeps_waiting_s,
       (select count(*) from downloads where state = 'queued') as downloads_queued,
       (select count(*) from downloads where state = 'running') as downloads_running,
       (select coalesce(extract(epoch from now() - min(greatest(due_at, created_at))), 0) from downloads
         where state = 'queued' and due_at <= now())::float8 as downloads_waiting_s,
       (select count(*) from downloads where state = 'failed' and finished_at > now() - interval '1 day') as downloads_failed,
       (select coalesce(sum(size), 0)::bigint from downloads where state = 'ready') as downloads_bytes,
       (select count(*) from webhook_deliveries where state = 'pending') as webhooks_pending,
       (select coalesce(extract(epoch from now() - min(created_at)), 0) from webhook_deliveries
         where state = 'pending')::float8 as oldest_webhook_s,
       (select count(*) from webhook_deliveries where state = 'given_up') as webhooks_given_up,
       coalesce(sum(drift_bytes), 0)::bigint as drift_bytes,
       coalesce(sum(drifted_times), 0)::bigint as drifts,
       coalesce(sum(used_bytes), 0)::bigint as used_bytes,
       coalesce(sum(reserved_bytes), 0)::bigint as reserved_bytes,
       count(*) filter (where used_bytes + reserved_bytes > coalesce(limit_bytes, %(default_limit)s::bigint)) as over_quota
  from owners
