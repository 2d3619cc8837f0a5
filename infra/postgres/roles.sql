-- Run by deploy.sh at each deploy, as superuser, after the passwords and `bridge` as variables of psql: an installation
-- of before gets what is new. What the roles may do to tables is granted by migrations.
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY[
    'velum_owner', 'velum_app', 'velum_worker', 'velum_custodian', 'velum_backup']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- A restore makes a database beside the real one, and renames it.
ALTER ROLE velum_owner CREATEDB PASSWORD :'db_owner_password';
ALTER ROLE velum_app PASSWORD :'db_password';
ALTER ROLE velum_worker PASSWORD :'db_worker_password';
ALTER ROLE velum_custodian PASSWORD :'db_custodian_password';
ALTER ROLE velum_backup PASSWORD :'db_backup_password';
ALTER ROLE velum_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO velum_backup;

-- A restore of a version before, that was cut off, has put it aside: an empty one in its place would be served.
DO $$
DECLARE
  aside text := (SELECT max(datname) FROM pg_database WHERE starts_with(datname, 'velum_before_'));
BEGIN
  IF aside IS NOT NULL AND NOT EXISTS (SELECT FROM pg_database WHERE datname = 'velum') THEN
    RAISE 'There is no database velum, but one that a restore has put aside: ALTER DATABASE % RENAME TO velum', aside;
  END IF;
END $$;
SELECT 'CREATE DATABASE velum' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'velum') \gexec
ALTER DATABASE velum OWNER TO velum_owner;
REVOKE ALL ON DATABASE velum FROM PUBLIC;
GRANT CONNECT ON DATABASE velum TO velum_app, velum_worker, velum_custodian, velum_backup;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO velum_owner;

-- What velum_app might do while it was the role of all; it is lent that while a colour of that version is there.
SELECT 'CREATE ROLE velum_former NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'velum_former') \gexec
\connect velum
SET client_min_messages = error;
\if :bridge
  SELECT format('GRANT %s ON SCHEMA %I TO velum_former', privilege_type, nspname)
    FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 'velum_app'::regrole \gexec
  SELECT format('GRANT %s ON %s TO velum_former', privilege_type, c.oid::regclass)
    FROM pg_class c, aclexplode(relacl) WHERE grantee = 'velum_app'::regrole \gexec
  SELECT format('GRANT %s (%I) ON %s TO velum_former', privilege_type, attname, attrelid::regclass)
    FROM pg_attribute, aclexplode(attacl) WHERE grantee = 'velum_app'::regrole \gexec
  GRANT velum_former TO velum_app;
\else
  REVOKE velum_former FROM velum_app;
  DROP OWNED BY velum_former;
\endif
-- An error may quote what was sent ("invalid input syntax for type uuid: …"). Who sent it is told, and logs its code;
-- errors of PostgreSQL's own processes, and whoever is not let in, are still written down.
SELECT format('ALTER ROLE %I SET log_min_messages = log', name) FROM unnest(ARRAY[
    'velum_owner', 'velum_app', 'velum_worker', 'velum_custodian', 'velum_backup']) AS name \gexec
SELECT pg_reload_conf();
