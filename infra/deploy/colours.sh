# shellcheck shell=bash
# Two colours, of which one serves: the file state/active/green says which, and nothing else does. nginx looks at it
# with each request, so a switch closes no connection.

active_colour() { if [ -e state/active/green ]; then echo green; else echo blue; fi; }

other() { if [ "$1" = blue ]; then echo green; else echo blue; fi; }

switch_to() {
  if [ "$1" = green ]; then : >state/active/green; else rm -f state/active/green; fi
}

nginx_serves() {
  local answer tries
  for tries in 1 2 3 4 5; do
    answer=$(docker exec "$(container nginx)" bash /etc/velum/nginx/healthy.sh 2>/dev/null) &&
      [[ $answer == *"X-Velum-Colour: api_$1"* ]] && return
    [ "$tries" = 5 ] || sleep 1 9>&-
  done
  return 1
}

deploy() {
  local image='' target active
  while [ $# -gt 0 ]; do
    case $1 in
      --image) image=${2:?--image needs a name} && shift 2 ;;
      *) usage >&2 && exit 2 ;;
    esac
  done
  preflight
  image=$(pinned_image "$image")
  active=$(active_colour)
  target=$(other "$active")
  # The very first, or one that died before anything served.
  [ -n "$(container "api-$active")" ] || target=$active
  step "image ${image#sha256:} as $target; ${active} serves"

  start_logging
  start_servers
  make_roles
  migrate "$image" "$active"
  remember "$target" "$image"
  start_colour "$target"
  # Only now is it somebody's: a smoke test, then traffic.
  smoke_test "$target" "$image"
  serve "$target"
  hand_over_work "$target"
  of_one_role || make_roles
  start_backups "$image"
  step "$target serves"
  [ -z "$(remembered previous)" ] || step "$(remembered previous) stays as it is, for ./deploy.sh rollback"
  set_up_logging
}

rollback() {
  local active target
  active=$(active_colour)
  target=$(other "$active")
  [ "$(remembered previous)" = "$target" ] || fail "$target has not served before $active: there is no way back"
  [ "$(health "api-$target")" = healthy ] || start_colour "$target"
  serve "$target"
  hand_over_work "$target"
  step "$target serves again"
}

# By its id: a tag may move while we work.
pinned_image() {
  local image=$1
  if [ -z "$image" ]; then
    image="velum:$(date -u +%Y%m%d-%H%M%S)"
    step "building $image"
    docker build -q -t "$image" . >/dev/null || fail 'the image could not be built'
  fi
  docker image inspect -f '{{.Id}}' "$image" || fail "there is no image $image"
}

start_servers() {
  # One-shots of a deploy that was killed.
  docker container prune -f --filter "label=com.docker.compose.project=$PROJECT" \
    --filter 'label=com.docker.compose.oneoff=True' >/dev/null
  step 'PostgreSQL and Redis'
  compose up -d --no-recreate postgres redis >/dev/null 2>&1 || fail 'PostgreSQL and Redis could not be started'
  until_healthy postgres 180 || fail 'PostgreSQL is not healthy'
  until_healthy redis 120 || fail 'Redis is not healthy'
}

# What the version that serves does not use any more may be removed; whatever else would break it is refused.
migrate() {
  local image=$1 unused='' previous status=0
  step 'migrations'
  [ -z "$(container "api-$2")" ] || unused=$(retired_by "$(remembered "$2")")
  previous=$(remembered previous)
  # The version before the one that serves may need what is removed now: from here on there is no way back to it.
  remember previous ''
  IMAGE_NEW=$image compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate ${unused:+--unused "$unused"} >&2 ||
    status=$?
  [ "$status" != 0 ] || return 0
  [ "$status" != 3 ] || remember previous "$previous"
  [ "$status" != 3 ] || fail "the migration would break $2, which serves: nothing was changed" 3
  fail 'the database could not be migrated'
}

# A version that cannot tell has retired nothing.
retired_by() {
  [ -z "$1" ] || IMAGE_NEW=$1 compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate --retired 2>/dev/null |
    grep -E '^[][A-Za-z0-9_.,@() ]+$' | tail -1 || true
}

start_colour() {
  step "starting api-$1"
  compose up -d --no-deps "api-$1" >/dev/null 2>&1 || abandon "$1" 'it could not be started'
  until_healthy "api-$1" 240 || abandon "$1" 'it does not get healthy'
}

smoke_test() {
  step "smoke test of api-$1"
  IMAGE_NEW=$2 velum smoke --url "http://api-$1:3000" >&2 || abandon "$1" 'the smoke test failed'
}

# A sick colour gets no traffic, and no processor time either.
abandon() {
  stop_service "api-$1" 40
  fail "$1: $2. $(active_colour) serves as before."
}

serve() {
  local before
  before=$(active_colour)
  if [ "$(health nginx)" = absent ]; then
    switch_to "$1"
    step 'nginx'
    compose up -d --no-deps nginx >/dev/null 2>&1 || fail 'nginx could not be started'
    until_healthy nginx 60 || fail 'nginx is not healthy'
    return 0
  fi
  step "switching from $before to $1"
  switch_to "$1"
  if ! nginx_serves "$1"; then
    switch_to "$before"
    fail "nginx does not reach $1; switched back to $before"
  fi
  [ "$before" = "$1" ] || remember previous "$before"
}

# Both may work for a while: they share the queues.
hand_over_work() {
  local old
  old=$(other "$1")
  step "worker-$1 takes over"
  compose up -d --no-deps "worker-$1" >/dev/null 2>&1 || fail "worker-$1 could not be started"
  until_healthy "worker-$1" 120 || fail "worker-$1 is not healthy; worker-$old goes on"
  stop_service "worker-$old" 90
}
