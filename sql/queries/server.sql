-- name: server_facts
select current_setting('server_version_num')::integer as version_num,
       current_setting('server_version') as version,
       clock_timestamp() as clock,
       pg_is_in_recovery() as in_recovery,
       current_setting('default_transaction_read_only')::boolean as read_only,
       current_setting('max_connections')::integer as max_connections,
       current_setting('superuser_reserved_connections')::integer
           + coalesce(current_setting('reserved_connections', true), '0')::integer as reserved_connections,
       (select rolconnlimit from pg_roles where rolname = current_user) as role_limit,
       (select datconnlimit from pg_database where datname = current_database()) as database_limit,
       current_setting('fsync')::boolean as fsync,
       current_setting('full_page_writes')::boolean as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit

-- name: server_clock
select clock_timestamp() as clock

-- name: has_migrations_table
select to_regclass('schema_migrations') is not null as found

-- name: applied_migrations
select number, sha256 from schema_migrations

-- name: has_queue
-- From the catalog, which everybody may read: a name in a schema that is not ours to use would be an error.
select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'procrastinate' and c.relname = 'safereel_applied'

-- name: applied_queue_migrations
select name from procrastinate.safereel_applied

-- name: try_temp_table
create temp table doctor_probe (n integer) on commit drop

-- name: tables_withheld
select c.relname as name
  from unnest(%(tables)s::text[]) as wanted (name)
  join pg_class c on c.oid = to_regclass(wanted.name)
 where not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
            and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
 order by 1

-- name: lock_wait
-- For the transaction under way.
select set_config('lock_timeout', %(lock_timeout)s, true)
