# shellcheck shell=bash
# Passwords of PostgreSQL's roles and of Redis. The apps read theirs from the file for each connection, and try each line
# of it, so that there is no moment without one that is right.

# role:secret
DATABASE_ROLES='velum_app:db_password velum_owner:db_owner_password velum_worker:db_worker_password
  velum_custodian:db_custodian_password velum_backup:db_backup_password postgres:db_superuser_password'

rotate_database_passwords() {
  local pair role file
  for pair in $DATABASE_ROLES; do
    role=${pair%%:*}
    file=secrets/${pair#*:}.txt
    [ -f "$file" ] || continue
    step "the password of $role"
    # Two lines are there if this was cut off before: the first is the new one then, too.
    [ "$(wc -l <"$file")" -gt 1 ] || { random_password && cat "$file"; } | overwrite_file "$file"
    head -n 1 "$file" | set_role_password "$role" || fail "PostgreSQL did not take the password of $role: run it again"
    head -n 1 "$file" | overwrite_file "$file"
  done
  step 'the passwords are new; back up secrets/ again'
}

random_password() { openssl rand -hex 24; }

# psql asks twice, and sends what only proves the password (SCRAM), so that no log of PostgreSQL can hold it.
set_role_password() {
  local password
  password=$(cat)
  printf '%s\n%s\n' "$password" "$password" |
    docker exec -i "$(container postgres)" psql -qX -v ON_ERROR_STOP=1 -U postgres -d velum -c "\\password $1" >/dev/null 2>&1
}

rotate_redis_password() {
  local file=secrets/redis_password.txt next=secrets/redis_password.next
  # Kept until all is done: whoever goes on takes the same one.
  [ -s "$next" ] || (umask 077 && random_password >"$next")
  step 'Redis takes the new password as well'
  { printf 'ACL SETUSER default >' && cat "$next"; } | ask_redis || fail 'Redis did not take it: run it again'
  overwrite_file "$file" <"$next"
  step 'and the old one no more'
  { printf 'ACL SETUSER default resetpass >' && cat "$next"; } | ask_redis || fail 'Redis did not take it: run it again'
  rm "$next"
  step 'the password is new; back up secrets/ again'
}

# Of Elasticsearch, whose own is taken first since it sets the others, and of who works with it.
rotate_log_passwords() {
  local file=secrets/elastic_password.txt name
  logging_on || fail 'LOGGING is local: nobody uses these passwords'
  [ "$(health elasticsearch)" = healthy ] || fail 'Elasticsearch is not healthy: nothing was changed'
  step 'the password of elastic'
  [ "$(wc -l <"$file")" -gt 1 ] || { random_password && cat "$file"; } | overwrite_file "$file"
  logging_setup password || fail 'Elasticsearch did not take it: run it again'
  head -n 1 "$file" | overwrite_file "$file"
  for name in kibana kibana_operator fluentd; do
    step "the password of $name"
    random_password | overwrite_file "secrets/${name}_password.txt"
  done
  logging_setup elasticsearch || fail 'Elasticsearch did not take the others: run it again'
  # They read theirs when they start.
  restart_logging kibana fluentd
  step 'the passwords are new; back up secrets/ again'
}

# One command from standard input, so that no command line shows it; whether Redis said OK.
ask_redis() {
  # shellcheck disable=SC2016 # for the shell in there
  docker exec -i "$(container redis)" sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis_password)
    export REDISCLI_AUTH
    exec redis-cli --no-auth-warning --tls --cacert /etc/velum/ssl/ca.crt -h localhost' | grep -qx OK
}
