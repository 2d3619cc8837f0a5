# shellcheck shell=bash
# New keys and certificates of the services, by the authority that is there; who is connected stays so.

rotate_certificates() {
  local path role
  for role in postgres redis; do renew_server "$role" "$SERVER:$GROUP" 0600; done
  servers_read_certificates
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
  for role in elasticsearch kibana; do renew_server "$role" "0:$GROUP" 0440; done
  restart_logging elasticsearch kibana
  step 'the certificates are new'
}

# Their own and whom they trust; who is connected stays so.
servers_read_certificates() {
  docker exec -i "$(container postgres)" psql -qAtX -U postgres -d velum -c 'SELECT pg_reload_conf()' >/dev/null ||
    fail 'PostgreSQL did not read its certificate: run it again'
  echo 'CONFIG SET tls-cert-file /etc/velum/ssl/server.crt tls-key-file /etc/velum/ssl/server.key' \
    'tls-ca-cert-file /etc/velum/ssl/ca.crt' | ask_redis || fail 'Redis did not read its certificate: run it again'
}

# Nobody waits for any of them: lines of that minute stay with Fluentd, or with Docker.
restart_logging() {
  local service
  for service in "$@"; do
    [ "$(health "$service")" = absent ] || docker restart -t 120 "$(container "$service")" >/dev/null ||
      warn "$service was not restarted, and knows its old certificates until it is"
  done
}

# role, owner and mode of the key
renew_server() {
  local path=ssl/$1/server
  # An installation of before the logs has no folders for theirs.
  [ -d "ssl/$1" ] || return 0
  step "$path"
  issue_certificate "$path" "$1" "$(names_of "$1")" "$2" "$3"
  mv "$path.key.new" "$path.key"
  mv "$path.crt.new" "$path.crt"
}
