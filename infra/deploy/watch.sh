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
  for service in "custodian-$1" $(api_services "$1"); do
    state=$(health "$service")
    [ "$state" = healthy ] || [ "$state" = starting ] || { echo "$service is $state, or its process ended"; return; }
  done
  [ "$(all_restarts "$1")" = "$WATCHED_RESTARTS" ] || { echo 'its process ended and was started anew'; return; }
  failed=$(failed_percent --since "$2")
  [ "$failed" -lt $(($3 + MOST_FAILED_PERCENT)) ] || echo "$failed % of the calls failed"
}

all_restarts() {
  local service sum=0
  for service in "custodian-$1" $(api_services "$1"); do sum=$((sum + $(restarts "$service"))); done
  echo $sum
}

# Of what nginx answered: docker logs' --since and --until, in seconds.
failed_percent() {
  { docker logs --tail 20000 "$@" "$(container nginx)" 2>/dev/null || true; } | awk -v least=$LEAST_FAILURES '
    /"context":"nginx"/ { all++; if (/"status":5/) failed++ }
    END { print (failed >= least ? int(100 * failed / all) : 0) }'
}
