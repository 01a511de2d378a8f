-- name: manifests_wanted
select id from recordings
 where state = 'complete' and manifest_at is null
 order by random()
 limit %(limit)s

-- name: manifests_waiting
select count(*) as waiting from recordings where state = 'complete' and manifest_at is null

-- name: manifest_content
-- The list is made here, as text: a hundred thousand chunks are 11 MB, and ten times that as objects of Python.
select r.id, r.chunk_count, r.total_bytes, r.created_at, r.completed_at,
       (select range_agg(int4range(c.seq, c.seq + 1)) from chunks c where c.recording_id = r.id and c.state = 'lost') as lost,
       case when r.chunk_count <= %(listed)s then (
           select coalesce(json_agg(json_build_array(c.seq, c.segment, c.size, encode(c.sha256, 'hex'), c.start_ms, c.duration_ms)
                                    order by c.seq), '[]')::text
             from chunks c
            where c.recording_id = r.id and c.seq < r.chunk_count and c.state <> 'granted') end as chunks
  from recordings r
 where r.id = %(id)s and r.state = 'complete'

-- name: manifest_written
update recordings set manifest_at = now() where id = %(id)s and state = 'complete' and manifest_at is null
