# shellcheck shell=bash
# How many APIs and workers there are of a colour. APIs have fixed addresses, so there is a service for each; the files
# state/active/COLOUR-2 to -4 tell nginx how many serve. Workers take their work from queues, and custodians are found by
# the one name of their colour: Compose numbers them.

readonly MOST_APIS=4 MOST_WORKERS=16 MOST_CUSTODIANS=4

api_count() { local count; count=$(remembered apis) && echo "${count:-1}"; }

custodian_count() { local count; count=$(remembered custodians) && echo "${count:-1}"; }

worker_count() { local count; count=$(remembered workers) && echo "${count:-1}"; }

# colour, first and last number
api_services() {
  local number names=()
  for ((number = ${2:-1}; number <= ${3:-$(api_count)}; number++)); do
    if [ "$number" = 1 ]; then names+=("api-$1"); else names+=("api-$1-$number"); fi
  done
  echo "${names[@]}"
}

# One file after the other: nginx sees a number between, and never none.
serve_replicas() {
  local number
  for ((number = 2; number <= MOST_APIS; number++)); do
    if [ "$number" -le "$2" ]; then : >"state/active/$1-$number"; else rm -f "state/active/$1-$number"; fi
  done
}

# colour, and what else Compose is told
start_workers() { start_numbered "worker-$1" "$(worker_count)" "${@:2}"; }

start_custodians() { start_numbered "custodian-$1" "$(custodian_count)" "${@:2}"; }

start_numbered() {
  compose up -d --no-deps "${@:3}" --scale "$1=$2" "$1" >/dev/null 2>&1 && until_healthy "$1" 120
}

scale() {
  local pair apis workers custodians active
  apis=$(api_count)
  workers=$(worker_count)
  custodians=$(custodian_count)
  [ $# -gt 0 ] || { usage >&2 && exit 2; }
  for pair in "$@"; do
    case $pair in
      api=[1-4]) apis=${pair#*=} ;;
      worker=[1-9] | worker=1[0-6]) workers=${pair#*=} ;;
      custodian=[1-4]) custodians=${pair#*=} ;;
      *)
        echo "There may be api=1 to $MOST_APIS, worker=1 to $MOST_WORKERS and custodian=1 to $MOST_CUSTODIANS: $pair" >&2
        exit 2
        ;;
    esac
  done
  active=$(active_colour)
  # The others may be missing, of a scaling that was killed.
  [ "$(health "api-$active")" = healthy ] || fail "$active is not healthy: see ./deploy.sh status"
  enough_memory "$apis" "$workers" "$custodians"
  scale_custodians "$active" "$custodians"
  scale_apis "$active" "$apis"
  scale_workers "$active" "$workers"
  step "$apis api, $workers worker, $custodians custodian; the next deploy keeps that"
}

# The serving colour, and the one that stays warm: after a rollback it has the same to do.
colours_up() { echo "$1"; [ -z "$(remembered previous)" ] || other "$1"; }

scale_apis() {
  local before colours colour undone
  before=$(api_count)
  colours=$(colours_up "$1")
  remember apis "$2"
  for colour in $colours; do
    if [ "$2" -lt "$before" ]; then
      # Nobody is sent there any more, and what they have in hand is answered.
      serve_replicas "$colour" "$2"
      step "stopping $(api_services "$colour" $(($2 + 1)) "$before")"
      remove_service "$(api_services "$colour" $(($2 + 1)) "$before")" 40
    elif ! start_replicas "$colour"; then
      remember apis "$before"
      for undone in $colours; do
        serve_replicas "$undone" "$before"
        remove_service "$(api_services "$undone" $((before + 1)) "$2")" 40
      done
      fail "those of $colour do not get healthy; $before serve as before"
    fi
  done
}

start_replicas() {
  local services service
  read -ra services <<<"$(api_services "$1")"
  step "${services[*]}"
  compose up -d --no-deps --no-recreate "${services[@]}" >/dev/null 2>&1 || return 1
  for service in "${services[@]}"; do until_healthy "$service" "$(setting START_SECONDS 240)" || return 1; done
  serve_replicas "$1" ${#services[@]}
}

scale_workers() {
  remember workers "$2"
  stop_surplus "worker-$1" "$2" 90
  step "worker-$1"
  start_workers "$1" --no-recreate || fail "worker-$1 is not healthy"
}

scale_custodians() {
  local colour
  remember custodians "$2"
  for colour in $(colours_up "$1"); do
    # One of before has none.
    [ -n "$(container "custodian-$colour")" ] || continue
    stop_surplus "custodian-$colour" "$2" 30
    step "custodian-$colour"
    start_custodians "$colour" --no-recreate || fail "custodian-$colour is not healthy"
  done
}

# service, how many stay, seconds
stop_surplus() {
  local ids surplus
  read -ra ids <<<"$(containers_of "$1")"
  surplus=("${ids[@]:$2}")
  [ ${#surplus[@]} -gt 0 ] || return 0
  step "stopping ${#surplus[@]} of $1, after what they have in hand"
  { docker stop -t "$3" "${surplus[@]}" && docker rm "${surplus[@]}"; } >/dev/null
}

# By the limits that Compose declares, and with both colours, which are up at once; workers of the other one only while
# they hand over.
enough_memory() {
  local needed there limits service limit
  limits=$(memory_limits) || fail 'docker-compose.prod.yml and .env.production do not fit'
  there=$(docker info -f '{{.MemTotal}}')
  needed=0
  while read -r service limit; do
    needed=$((needed + $(most_of "$service" "$@") * $(bytes "$limit")))
  done <<<"$limits"
  [ "$needed" -le "$there" ] || fail "$((needed >> 20)) MB may be needed for twice $1 api and $3 custodian, $2 worker, \
and whatever there is one of; there are $((there >> 20)) MB. Lower API_MEMORY or WORKER_MEMORY, or take fewer."
}

# Name and limit of each service.
memory_limits() {
  COMPOSE_PROFILES=blue,green,backup compose config |
    awk '/^[a-z]/ { part = $1 } part == "services:" && /^  [a-z]/ { service = $1; sub(":", "", service) }
      part == "services:" && $1 == "mem_limit:" { gsub(/["\047]/, "", $2); print service, $2 }'
}

# service, and how many APIs, workers and custodians there are to be
most_of() {
  case $1 in
    api-*-*) if [ "${1##*-}" -le "$2" ]; then echo 1; else echo 0; fi ;;
    api-*) echo 1 ;;
    worker-blue) echo "$3" ;;
    worker-green) echo 0 ;;
    custodian-*) echo "$4" ;;
    backup) if backups_on; then echo 1; else echo 0; fi ;;
    # One-shots.
    migrate | velum | restore | logging-setup) echo 0 ;;
    *) echo 1 ;;
  esac
}

bytes() {
  case $1 in
    *[gG]) echo $((${1%?} << 30)) ;;
    *[mM]) echo $((${1%?} << 20)) ;;
    *[kK]) echo $((${1%?} << 10)) ;;
    *) echo "$1" ;;
  esac
}
