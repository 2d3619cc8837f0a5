# shellcheck shell=bash
# The roles of the database (infra/postgres/roles.sql).

DATABASE_PASSWORDS='db_owner_password db_password db_worker_password db_custodian_password db_backup_password'

# Passwords go by standard input: no command line shows them.
make_roles() {
  local name bridge=false
  ! of_one_role || bridge=true
  step 'roles'
  {
    for name in $DATABASE_PASSWORDS; do printf "\\\\set %s '%s'\n" "$name" "$(head -n 1 "secrets/$name.txt")"; done
    printf '\\set bridge %s\n' "$bridge"
    cat infra/postgres/roles.sql
  } | as_superuser postgres >/dev/null || fail 'the roles of the database could not be made'
}

# SQL from standard input; the argument is the database.
as_superuser() {
  docker exec -i "$(container postgres)" psql -qtAX -v ON_ERROR_STOP=1 -U postgres -d "$1"
}

# Whether a colour is there whose API and worker had one role.
of_one_role() {
  local service
  for service in api-blue api-green worker-blue worker-green; do
    [ -z "$(container "$service")" ] || is_told "$service" CUSTODIAN_ || return 0
  done
  return 1
}

# Whether a container has such a variable.
is_told() { docker inspect -f '{{json .Config.Env}}' "$(container "$1")" | grep -q "\"$2"; }
