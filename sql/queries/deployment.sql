-- name: deployment_id
select id from deployment

-- name: ledger_is_empty
select not exists (select from chunks where state <> 'granted') as empty

-- name: ping
select 1
