-- name: deployment_id
select id from deployment

-- name: deployment_doubt
-- From now on nothing is released that was not seen in the bucket after this.
update deployment set doubted_at = now()

-- name: ledger_is_empty
select not exists (select from chunks where state <> 'granted') as empty

-- name: ping
-- A standby after a failover answers, and so does a database that was set so: neither takes writes.
select current_setting('transaction_read_only')::boolean as read_only
