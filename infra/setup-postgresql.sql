-- Prepares a PostgreSQL cluster before the first deployment: roles, and the platform database. Idempotent; running it again
-- sets the passwords. In clusters that contain only tenants, set `platform` to false.
--
-- Run it as the cluster's administrator. On Amazon RDS that is the master user, who is no superuser:
--
--     export LANDLORD_PASSWORD=… LANDLORD_API_PASSWORD=… LANDLORD_PROVISIONER_PASSWORD=…
--     psql "postgres://master@HOST/postgres?sslmode=verify-full&sslrootcert=…" --set=platform=true --file=infra/setup-postgresql.sql
--
-- The passwords come from the environment, because other users of a machine can read arguments. Needs psql 15 or newer.

\set ON_ERROR_STOP on
\getenv landlord_password LANDLORD_PASSWORD
\getenv api_password LANDLORD_API_PASSWORD
\getenv provisioner_password LANDLORD_PROVISIONER_PASSWORD
\if :{?landlord_password}
\else
DO $$ BEGIN RAISE EXCEPTION 'LANDLORD_PASSWORD is not set'; END $$;
\endif
\if :{?api_password}
\else
DO $$ BEGIN RAISE EXCEPTION 'LANDLORD_API_PASSWORD is not set'; END $$;
\endif
\if :{?provisioner_password}
\else
DO $$ BEGIN RAISE EXCEPTION 'LANDLORD_PROVISIONER_PASSWORD is not set'; END $$;
\endif
\if :{?platform}
\else
\set platform true
\endif

-- landlord: migrate-platform, owner of the platform database. The three groups get their rights from migrations; the logins of the
-- platform's other services must be members of landlord_service. The logins are for
-- the HTTP functions and relay-events, and for provision-tenant.
SELECT format('CREATE ROLE %I', wanted)
FROM unnest(ARRAY['landlord', 'landlord_api', 'landlord_provisioner', 'landlord_service', 'landlord_api_login',
                  'landlord_provisioner_login']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec

ALTER ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD :'landlord_password';
ALTER ROLE landlord_api_login LOGIN PASSWORD :'api_password';
ALTER ROLE landlord_provisioner_login LOGIN CREATEDB PASSWORD :'provisioner_password';
GRANT landlord_api, landlord_provisioner, landlord_service TO landlord WITH ADMIN OPTION;
GRANT landlord_api TO landlord_api_login;
GRANT landlord_provisioner TO landlord_provisioner_login;

-- `DROP DATABASE` waits for every session that is signing in, also for one whose client is frozen.
DO $$
BEGIN
    IF current_setting('authentication_timeout')::interval > interval '10 seconds' THEN
        RAISE WARNING 'authentication_timeout is %: a frozen client delays the removal of every tenant for as long; set it to 5 s',
            current_setting('authentication_timeout');
    END IF;
END $$;

-- To end the sessions of services in the database of a tenant that is suspended or deleted; never those of superusers. Without this
-- right, such operations wait, and show the reason.
SELECT 'GRANT pg_signal_backend TO landlord_provisioner'
WHERE current_setting('is_superuser')::boolean
   OR current_setting('server_version_num')::integer < 160000
   OR pg_has_role(current_user, 'pg_signal_backend', 'MEMBER WITH ADMIN OPTION')
\gexec

-- To measure the lag of replicas. An administrator without this right goes on without it; the lag is then unknown.
SELECT 'GRANT pg_read_all_stats TO landlord_api_login'
WHERE current_setting('is_superuser')::boolean
   OR current_setting('server_version_num')::integer < 160000
   OR pg_has_role(current_user, 'pg_read_all_stats', 'MEMBER WITH ADMIN OPTION')
\gexec

\if :platform
-- Only a member of a role can give a database to it; a superuser counts as one.
SELECT format('GRANT landlord TO %I', current_user)
WHERE NOT current_setting('is_superuser')::boolean
\gexec
SELECT 'CREATE DATABASE landlord OWNER landlord'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'landlord')
\gexec
\endif
