# shellcheck shell=bash
# After the switch: a colour that falls sick under real traffic loses it again.

# Enough to tell a fault from an accident.
readonly LEAST_FAILURES=5 MOST_FAILED_PERCENT=5

# colour, and who served before
watch_colour() {
  local seconds started deadline before why
  seconds=$(setting WATCH_SECONDS 30)
  started=$(date +%s)
  before=$(failed_percent --since $((started - 60)) --until "$started")
  WATCHED_RESTARTS=$(all_restarts "$1")
  deadline=$((SECONDS + seconds))
  step "watching $1 for $seconds s"
  while [ "$SECONDS" -lt "$deadline" ]; do
    why=$(sickness "$1" "$started" "$before")
    if [ -n "$why" ]; then
      step "$1 is sick: $why"
      step "switching from $1 to $2"
      spare off
      switch_to "$2"
      remember previous ''
      nginx_serves "$2" || step "nginx does not reach $2 either"
      abandon "$1" "$why"
    fi
    sleep 1 9>&-
  done
}

# Why it is, in words; nothing if it is not.
sickness() {
  local service state failed
  for service in "custodian-$1" "worker-$1" $(api_services "$1"); do
    state=$(health "$service")
    [ "$state" = healthy ] || [ "$state" = starting ] || { echo "$service is $state, or its process ended"; return; }
  done
  [ "$(all_restarts "$1")" = "$WATCHED_RESTARTS" ] || { echo 'its process ended and was started anew'; return; }
  failed=$(failed_percent --since "$2")
  [ "$failed" -ge $(($3 + MOST_FAILED_PERCENT)) ] || return 0
  failed=$(SPARED=$(still_loading "$1") failed_percent --since "$2")
  [ "$failed" -lt $(($3 + MOST_FAILED_PERCENT)) ] || echo "$failed % of the calls failed"
}

# How many calls a colour has refused since its start because it reads their gallery for the first time: no fault of it.
still_loading() {
  local service sum=0 count
  for service in $(api_services "$1"); do
    count=$(docker exec "$(container "$service")" node -e "$COUNT_LOADING" 2>/dev/null) || count=0
    sum=$((sum + count))
  done
  echo $sum
}

COUNT_LOADING="fetch('http://127.0.0.1:9464/metrics').then((answer) => answer.text()).then((text) =>
  console.log(/^velum_problems_total{code=\"gallery_loading\"} (\\d+)/m.exec(text)?.[1] ?? 0))"

all_restarts() {
  local service sum=0
  for service in "custodian-$1" "worker-$1" $(api_services "$1"); do sum=$((sum + $(restarts "$service"))); done
  echo $sum
}

# Of what nginx answered: docker logs' --since and --until, in seconds.
failed_percent() {
  { docker logs --tail 20000 "$@" "$(container nginx)" 2>/dev/null || true; } | awk -v least=$LEAST_FAILURES -v spared="${SPARED:-0}" '
    /"context":"nginx"/ { all++; if (/"status":5/) failed++ }
    END { failed -= spared; print (failed >= least ? int(100 * failed / all) : 0) }'
}
