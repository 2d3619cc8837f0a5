# shellcheck shell=bash
# New keys and certificates of the services, by the authority that is there; who is connected stays so.

rotate_certificates() {
  local path role
  for path in ssl/postgres/server ssl/redis/server; do
    step "$path"
    role=$(basename "$(dirname "$path")")
    issue_certificate "$path" "$role" "DNS:$role,DNS:localhost" "$SERVER:$GROUP" 0600
    mv "$path.key.new" "$path.key"
    mv "$path.crt.new" "$path.crt"
  done
  docker exec -i "$(container postgres)" psql -qAtX -U postgres -d velum -c 'SELECT pg_reload_conf()' >/dev/null ||
    fail 'PostgreSQL did not read its certificate: run it again'
  echo 'CONFIG SET tls-cert-file /etc/velum/ssl/server.crt tls-key-file /etc/velum/ssl/server.key' | ask_redis ||
    fail 'Redis did not read its certificate: run it again'
  for path in ssl/internal/*.crt; do
    path=${path%.crt}
    [ -f "$path.key" ] || continue
    step "$path"
    issue_certificate "$path" "$(basename "$path")" "$(names_of "$(basename "$path")")" "0:$GROUP" 0440
    # Who connects between the two tries again, and the custodian takes the two once they fit.
    overwrite_file "$path.key" <"$path.key.new"
    overwrite_file "$path.crt" <"$path.crt.new"
    rm "$path.key.new" "$path.crt.new"
  done
  step 'the certificates are new'
}
