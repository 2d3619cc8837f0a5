# shellcheck shell=bash

services() {
  echo 'api-blue api-green worker-blue worker-green postgres redis nginx backup'
  ! logging_on || echo "$LOGGING_SERVICES"
}

status() {
  local service active image
  active=$(active_colour)
  if [ "${1:-}" = --json ]; then
    printf '{"project":"%s","active":"%s","services":{' "$PROJECT" "$active"
    local separator=
    for service in $(services); do
      printf '%s"%s":{"health":"%s","image":"%s"}' "$separator" "$service" "$(health "$service")" "$(image_of "$service")"
      separator=,
    done
    printf '}}\n'
    return
  fi
  printf '%-14s %-10s %s\n' service health image
  for service in $(services); do
    image=$(image_of "$service")
    printf '%-14s %-10s %.19s%s\n' "$service" "$(health "$service")" "${image#sha256:}" \
      "$([ "$service" != "api-$active" ] || echo '  ← serves')"
  done
  backups_on || printf '\nNO BACKUPS ARE MADE: set BACKUP_TARGET in .env.production, and deploy.\n'
}

image_of() {
  local id
  id=$(container "$1")
  [ -z "$id" ] || docker inspect -f '{{.Image}}' "$id"
}
