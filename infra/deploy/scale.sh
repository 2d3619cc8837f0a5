# shellcheck shell=bash
# How many APIs and workers there are of a colour. APIs have fixed addresses, so there is a service for each; the files
# state/active/COLOUR-2 to -4 tell nginx how many serve. Workers take their work from queues: Compose numbers them.

readonly MOST_APIS=4 MOST_WORKERS=16

api_count() { local count; count=$(remembered apis) && echo "${count:-1}"; }

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
start_workers() {
  compose up -d --no-deps "${@:2}" --scale "worker-$1=$(worker_count)" "worker-$1" >/dev/null 2>&1 &&
    until_healthy "worker-$1" 120
}

scale() {
  local pair apis workers active
  apis=$(api_count)
  workers=$(worker_count)
  [ $# -gt 0 ] || { usage >&2 && exit 2; }
  for pair in "$@"; do
    case $pair in
      api=[1-4]) apis=${pair#*=} ;;
      worker=[1-9] | worker=1[0-6]) workers=${pair#*=} ;;
      *) echo "There may be api=1 to $MOST_APIS and worker=1 to $MOST_WORKERS: $pair" >&2 && exit 2 ;;
    esac
  done
  active=$(active_colour)
  # The others may be missing, of a scaling that was killed.
  [ "$(health "api-$active")" = healthy ] || fail "$active is not healthy: see ./deploy.sh status"
  enough_memory "$apis" "$workers"
  scale_apis "$active" "$apis"
  scale_workers "$active" "$workers"
  step "$apis api, $workers worker; the next deploy keeps that"
}

# The colour that stays warm as well: after a rollback it has the same to do.
scale_apis() {
  local before colours=$1 colour undone
  before=$(api_count)
  [ -z "$(remembered previous)" ] || colours="$1 $(other "$1")"
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
  local ids extra
  remember workers "$2"
  read -ra ids <<<"$(containers_of "worker-$1")"
  extra=("${ids[@]:$2}")
  if [ ${#extra[@]} -gt 0 ]; then
    step "stopping ${#extra[@]} of worker-$1, after what they have in hand"
    { docker stop -t 90 "${extra[@]}" && docker rm "${extra[@]}"; } >/dev/null
  fi
  step "worker-$1"
  start_workers "$1" --no-recreate || fail "worker-$1 is not healthy"
}

# By the limits, and with both colours, which are up at once.
enough_memory() {
  local needed there
  there=$(docker info -f '{{.MemTotal}}')
  needed=$((2 * $1 * $(bytes "$(setting API_MEMORY 4g)") + $2 * $(bytes "$(setting WORKER_MEMORY 4g)")))
  needed=$((needed + $(bytes "$(setting POSTGRES_MEMORY 4g)") + $(bytes "$(setting REDIS_MEMORY 1g)")))
  [ "$needed" -le "$there" ] || fail "$((needed >> 20)) MB may be needed for twice $1 api, $2 worker, PostgreSQL and \
Redis; there are $((there >> 20)) MB. Lower API_MEMORY or WORKER_MEMORY, or take fewer."
}

bytes() {
  case $1 in
    *[gG]) echo $((${1%?} << 30)) ;;
    *[mM]) echo $((${1%?} << 20)) ;;
    *[kK]) echo $((${1%?} << 10)) ;;
    *) echo "$1" ;;
  esac
}
