-- Run once, when the data folder is made. psql reads the secrets' files itself, so that no command line shows them.
\set owner_password `cat /run/secrets/db_owner_password`
\set app_password `cat /run/secrets/db_password`
CREATE ROLE velum_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE velum_app LOGIN PASSWORD :'app_password';
ALTER DATABASE velum OWNER TO velum_owner;
REVOKE ALL ON DATABASE velum FROM PUBLIC;
GRANT CONNECT ON DATABASE velum TO velum_app;
