# shellcheck shell=bash
# The Compose project: its settings, its commands, its containers.

ENVIRONMENT=.env.production

# Parsed and not sourced: a setting is text, not a program.
setting() {
  local value
  value=$(sed -n "s/^$1=//p" "$ENVIRONMENT" | tail -1)
  printf '%s' "${value:-${2:-}}"
}

settings() {
  [ -f "$ENVIRONMENT" ] || fail "there is no $ENVIRONMENT: run ./deploy.sh init"
  PROJECT=$(setting COMPOSE_PROJECT_NAME velum)
  DATA=$(setting DATA_DIR ./data)
  mkdir -p state/active
  # The same for the life of an installation: version 2 would make anew, the database too, what version 1 made.
  COMPOSE=$(remembered compose)
  if [ -z "$COMPOSE" ]; then
    if docker compose version >/dev/null 2>&1; then COMPOSE='docker compose'
    elif command -v docker-compose >/dev/null; then COMPOSE=docker-compose
    else fail 'neither docker compose nor docker-compose is installed'; fi
    remember compose "$COMPOSE"
  fi
}

lock() {
  exec 9>state/lock
  # Whoever was killed may leave a command that still runs for a moment, and holds it.
  flock -w 5 9 || {
    echo 'Another deploy runs.' >&2
    exit 75
  }
}

remembered() { [ ! -f state/known ] || sed -n "s/^$1=//p" state/known; }

# By rename: who is killed here leaves the old file or the new one.
remember() {
  { [ ! -f state/known ] || grep -v "^$1=" state/known || true; echo "$1=$2"; } >state/known.new
  sync state/known.new
  mv state/known.new state/known
}

# The lock's descriptor stays ours: whatever outlives us must not hold it.
docker() { command docker "$@" 9>&-; }

compose() {
  local serving files=(-f docker-compose.prod.yml)
  ! logging_on || files+=(-f docker-compose.logging.yml)
  ! kms_on || files+=(-f docker-compose.kms.yml)
  serving=$(remembered "$(active_colour)")
  # shellcheck disable=SC2086 # two words
  LOGGING_CONFIGURATION=$(logging_configuration) \
    IMAGE_BLUE=$(remembered blue) IMAGE_GREEN=$(remembered green) IMAGE_NEW=${IMAGE_NEW:-$serving} \
    IMAGE_BACKUP=${IMAGE_BACKUP:-$(backup_tag "$serving")} \
    $COMPOSE -p "$PROJECT" --env-file "$ENVIRONMENT" "${files[@]}" "$@" 9>&-
}

# By number: of a service that is scaled there are several.
containers() {
  docker ps -a --filter "label=com.docker.compose.project=$PROJECT" \
    --filter "label=com.docker.compose.service=$1" --filter 'label=com.docker.compose.oneoff=False' \
    --format '{{.Label "com.docker.compose.container-number"}} {{.ID}}' | sort -n | cut -d ' ' -f 2
}

container() { containers "$1" | sed -n 1p; }

# healthy, unhealthy, starting, stopped or absent; of several the worst
health() {
  local ids states state
  read -ra ids <<<"$(containers_of "$1")"
  [ ${#ids[@]} -gt 0 ] || { echo absent; return; }
  states=$(docker inspect -f '{{if .State.Running}}{{.State.Health.Status}}{{else}}stopped{{end}}' "${ids[@]}")
  for state in stopped unhealthy starting healthy; do
    [[ $states != *"$state"* ]] || { echo $state; return; }
  done
}

# Logs of a container that gives up are the answer to why.
until_healthy() {
  local service=$1 deadline=$((SECONDS + $2))
  while [ "$SECONDS" -lt "$deadline" ]; do
    case $(health "$service") in
      healthy) return ;;
      unhealthy | stopped) break ;;
    esac
    # A process that ends at once is started again and again by Docker.
    [ "$(restarts "$service")" -lt 3 ] || break
    sleep 1 9>&-
  done
  echo "── the last lines of $service" >&2
  docker logs --tail 30 "$(container "$service")" >&2 || true
  return 1
}

# How often Docker started them anew.
restarts() {
  local ids sum=0 count
  read -ra ids <<<"$(containers_of "$1")"
  [ ${#ids[@]} -gt 0 ] || { echo 0; return; }
  for count in $(docker inspect -f '{{.RestartCount}}' "${ids[@]}"); do sum=$((sum + count)); done
  echo $sum
}

containers_of() { local service; for service in $1; do containers "$service"; done | tr '\n' ' '; }

# Of one name or several: all at once, so that one grace period is enough.
stop_service() {
  local ids
  read -ra ids <<<"$(containers_of "$1")"
  [ ${#ids[@]} -eq 0 ] || docker stop -t "$2" "${ids[@]}" >/dev/null
}

# With a later start they are made of the image of then.
remove_service() {
  local ids
  read -ra ids <<<"$(containers_of "$1")"
  [ ${#ids[@]} -eq 0 ] || { docker stop -t "$2" "${ids[@]}" && docker rm "${ids[@]}"; } >/dev/null
}

velum() {
  case " $* " in
    *' --dry-run '*) ;;
    # Destroying is the worker's: its role may, and the one of the command line may not.
    ' retention run '*)
      compose run --rm -T --no-deps "worker-$(active_colour)" dist/apps/cli/main.js "$@"
      return
      ;;
  esac
  compose run --rm -T --no-deps velum "$@"
}

cleanup() {
  local answer=
  docker ps -a --filter "label=com.docker.compose.project=$PROJECT" --format '  container {{.Names}}' >&2
  echo "  networks of $PROJECT" >&2
  echo "  $DATA: the database, Redis, uploads that wait and logs; state/" >&2
  echo 'Secrets, certificates, images and backups stay.' >&2
  if [ "${1:-}" != --yes-delete-everything ]; then
    read -r -p "All of this is deleted for good. Type the project's name ($PROJECT): " answer
    [ "$answer" = "$PROJECT" ] || fail 'nothing was deleted'
  fi
  COMPOSE_PROFILES=blue,green,once,backup compose down --volumes --remove-orphans
  # The folders themselves may be where a volume is mounted.
  rm -rf "${DATA:?}"/{postgres,redis,spool,elasticsearch,fluentd,logs}/* state/active/* state/known
  step 'deleted'
}
