# shellcheck shell=bash
# Two colours, of which one serves: the file state/active/green says which, and nothing else does. nginx looks at it
# with each request, so a switch closes no connection. While state/active/spare is there, the other colour takes what
# the serving one cannot be connected for.

active_colour() { if [ -e state/active/green ]; then echo green; else echo blue; fi; }

other() { if [ "$1" = blue ]; then echo green; else echo blue; fi; }

switch_to() {
  if [ "$1" = green ]; then : >state/active/green; else rm -f state/active/green; fi
}

spare() {
  if [ "$1" = on ]; then : >state/active/spare; else rm -f state/active/spare; fi
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
  # Whoever kills us leaves what builds: it must not hold the lock.
  image=$(pinned_image "$image" 9>&-)
  active=$(active_colour)
  target=$(other "$active")
  # The very first, or one that died before anything served: what is there was never tested.
  { [ -n "$(container "api-$active")" ] && [ "$(health nginx)" != absent ]; } || target=$active
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
  if [ "$active" != "$target" ]; then
    spare on
    watch_colour "$target" "$active"
  fi
  hand_over_work "$target"
  of_one_role || make_roles
  start_backups "$image"
  step "$target serves"
  [ -z "$(remembered previous)" ] || step "$(remembered previous) stays as it is, for ./deploy.sh rollback"
  remove_old_images
  set_up_logging
}

rollback() {
  local active target
  active=$(active_colour)
  target=$(other "$active")
  [ "$(remembered previous)" = "$target" ] || fail "$target has not served before $active: there is no way back"
  # What is left behind may be sick.
  spare off
  if keeps_own_keys "$target"; then start_as_it_was "$(api_services "$target")" || fail "$target does not get healthy"
  else colour_healthy "$target" || start_colour "$target"; fi
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
    docker build -q -t "$image" --label "velum.project=$PROJECT" . >/dev/null || fail 'the image could not be built'
  fi
  docker image inspect -f '{{.Id}}' "$image" || fail "there is no image $image"
}

# Of those built here, for backups too (their label comes from what they are made of), all but what the colours are made
# of; the engine keeps what a container is made of.
remove_old_images() {
  local id tags kept
  kept="$(remembered blue) $(remembered green)"
  for id in $(docker image ls -q --no-trunc --filter "label=velum.project=$PROJECT" | sort -u); do
    [[ $kept != *"$id"* ]] || continue
    read -ra tags <<<"$(docker image inspect -f '{{join .RepoTags " "}}' "$id")"
    docker image rm "${tags[@]}" >/dev/null 2>&1 || true
  done
}

start_servers() {
  # One-shots of a deploy that was killed.
  docker container prune -f --filter "label=com.docker.compose.project=$PROJECT" \
    --filter 'label=com.docker.compose.oneoff=True' >/dev/null
  step 'PostgreSQL and Redis'
  compose up -d --no-recreate postgres redis >/dev/null 2>&1 || fail 'PostgreSQL and Redis could not be started'
  join_custody
  until_healthy postgres 180 || fail 'PostgreSQL is not healthy'
  until_healthy redis 120 || fail 'Redis is not healthy'
}

# A PostgreSQL of before the custodian had a network, which is not made anew.
join_custody() {
  local id
  id=$(container postgres)
  [[ $(docker inspect -f '{{json .NetworkSettings.Networks}}' "$id") != *"\"${PROJECT}_custody\""* ]] || return 0
  docker network connect --alias postgres "${PROJECT}_custody" "$id" || fail 'the custodian would not reach PostgreSQL'
}

# What the version that serves does not use any more may be removed; whatever else would break it is refused.
migrate() {
  local image=$1 unused='' previous spared=off status=0
  step 'migrations'
  [ -z "$(container "api-$2")" ] || unused=$(retired_by "$(remembered "$2")" 9>&-)
  previous=$(remembered previous)
  # The version before the one that serves may need what is removed now: from here on there is no way back to it.
  [ ! -e state/active/spare ] || spared=on
  spare off
  remember previous ''
  IMAGE_NEW=$image compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate ${unused:+--unused "$unused"} >&2 ||
    status=$?
  [ "$status" != 0 ] || return 0
  [ "$status" != 3 ] || { remember previous "$previous" && spare $spared; }
  [ "$status" != 3 ] || fail "the migration would break $2, which serves: nothing was changed" 3
  fail 'the database could not be migrated'
}

# A version that cannot tell has retired nothing.
retired_by() {
  [ -z "$1" ] || IMAGE_NEW=$1 compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate --retired 2>/dev/null |
    grep -E '^[][A-Za-z0-9_.,@() ]+$' | tail -1 || true
}

# A colour of before the custodian was a process of its own: made anew, its containers would lack the keys' secrets.
keeps_own_keys() { [ -n "$(container "api-$1")" ] && is_told "api-$1" CUSTODIAN_DATABASE_URL; }

start_as_it_was() {
  local ids service
  read -ra ids <<<"$(containers_of "$1")"
  docker start "${ids[@]}" >/dev/null || return 1
  for service in $1; do until_healthy "$service" "$(setting START_SECONDS 240)" || return 1; done
}

colour_healthy() {
  local service
  for service in "custodian-$1" $(api_services "$1"); do
    [ "$(health "$service")" = healthy ] || return 1
  done
}

# As many as the serving colour has.
start_colour() {
  local services service
  read -ra services <<<"$(api_services "$1")"
  # What a deploy left that was killed: it would fail while its custodian is made anew.
  stop_service "worker-$1" 90
  step "starting custodian-$1"
  start_custodians "$1" --force-recreate || abandon "$1" 'its custodian does not get healthy'
  step "starting ${services[*]}"
  # Anew: what is up and looks the same has read its secrets long ago.
  compose up -d --no-deps --force-recreate "${services[@]}" >/dev/null 2>&1 || abandon "$1" 'it could not be started'
  for service in "${services[@]}"; do
    until_healthy "$service" "$(setting START_SECONDS 240)" || abandon "$1" 'it does not get healthy'
  done
  remove_service "$(api_services "$1" $((${#services[@]} + 1)) "$MOST_APIS")" 40
  serve_replicas "$1" ${#services[@]}
}

smoke_test() {
  step "smoke test of api-$1"
  IMAGE_NEW=$2 velum smoke --url "http://api-$1:3000" >&2 || abandon "$1" 'the smoke test failed'
}

# A sick colour gets no traffic, and no processor time either.
abandon() {
  stop_service "$(api_services "$1" 1 "$MOST_APIS")" 40
  stop_service "custodian-$1" 30
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
  restart_key_clocks
}

# Both may work for a while: they share the queues.
hand_over_work() {
  local old
  old=$(other "$1")
  step "worker-$1 takes over"
  if keeps_own_keys "$1"; then start_as_it_was "worker-$1"; else start_workers "$1" --force-recreate; fi ||
    fail "worker-$1 is not healthy; worker-$old goes on"
  stop_service "worker-$old" 90
}
