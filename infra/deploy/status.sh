# shellcheck shell=bash

services() {
  echo 'api-blue api-blue-2 api-blue-3 api-blue-4 api-green api-green-2 api-green-3 api-green-4
    worker-blue worker-green custodian-blue custodian-green postgres redis nginx backup'
  ! logging_on || echo "$LOGGING_SERVICES"
}

# Of the other APIs those that are there.
services_there() {
  local service
  for service in $(services); do
    [[ $service != api-*-* ]] || [ -n "$(container "$service")" ] || continue
    echo "$service"
  done
}

status() {
  local service active image
  active=$(active_colour)
  if [ "${1:-}" = --json ]; then
    printf '{"project":"%s","active":"%s","services":{' "$PROJECT" "$active"
    local separator=
    for service in $(services_there); do
      printf '%s"%s":{"health":"%s","image":"%s","containers":%d}' "$separator" "$service" "$(health "$service")" \
        "$(image_of "$service")" "$(containers "$service" | wc -l)"
      separator=,
    done
    printf '}}\n'
    return
  fi
  printf '%-14s %-10s %-5s %s\n' service health count image
  for service in $(services_there); do
    image=$(image_of "$service")
    printf '%-14s %-10s %-5d %.19s%s\n' "$service" "$(health "$service")" "$(containers "$service" | wc -l)" \
      "${image#sha256:}" "$([[ $service != api-$active* ]] || echo '  ← serves')"
  done
  backups_on || printf '\nNO BACKUPS ARE MADE: set BACKUP_TARGET in .env.production, and deploy.\n'
}

image_of() {
  local id
  id=$(container "$1")
  [ -z "$id" ] || docker inspect -f '{{.Image}}' "$id"
}
