# shellcheck shell=bash
# Two colours, of which one serves: the file state/active/green says which, and nothing else does. nginx looks at it
# with each request, so a switch closes no connection. While state/active/spare is there, the other colour takes what
# the serving one cannot be connected for.

active_colour() { if [ -e state/active/green ]; then echo green; else echo blue; fi; }

other() { if [ "$1" = blue ]; then echo green; else echo blue; fi; }

# Colours that have served with the database as it is: rollback goes to the one of them that does not serve now.
way_back_to() { [[ " $(remembered previous) " == *" $1 "* ]]; }

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
  if [ "$active" != "$target" ] && lives_on_spare "$active"; then
    serve_from_spare "$target"
    active=$target
    target=$(other "$active")
  fi
  step "image ${image#sha256:} as $target; ${active} serves"

  start_logging
  start_servers
  make_roles
  migrate "$image" "$active"
  remember "$target" "$image"
  start_colour "$target"
  # Only now is it somebody's: a smoke test, then traffic.
  smoke_test "$target" "$image"
  # Both may work for a while: they share the queues.
  step "starting worker-$target"
  start_workers "$target" --force-recreate || abandon "$target" 'its worker does not get healthy'
  serve "$target"
  if [ "$active" != "$target" ]; then
    spare on
    watch_colour "$target" "$active"
  fi
  failures_end_with 4
  take_over_work "$target"
  of_one_role || make_roles
  start_backups "$image"
  failures_end_with 1
  step "$target serves"
  ! way_back_to "$(other "$target")" || step "$(other "$target") stays as it is, for ./deploy.sh rollback"
  remove_old_images
  set_up_logging
}

rollback() {
  local active target
  active=$(active_colour)
  target=$(other "$active")
  way_back_to "$target" || fail "$target has not served before $active: there is no way back"
  # What is left behind may be sick.
  spare off
  if keeps_own_keys "$target"; then start_as_it_was "$(api_services "$target")" || fail "$target does not get healthy"
  else colour_healthy "$target" || start_colour "$target"; fi
  serve "$target"
  hand_over_work "$target" ||
    fail "$target serves again, but worker-$target is not healthy; worker-$active goes on" 4
  step "$target serves again"
}

# Whether the colour that serves is down, and the other takes its calls: that one must not be the one that is made anew.
lives_on_spare() {
  local service
  [ -e state/active/spare ] || return 1
  for service in "custodian-$1" $(api_services "$1"); do
    [ "$(health "$service")" != absent ] || continue
    # It may have been started a moment ago.
    until_healthy "$service" "$(setting START_SECONDS 240)" || { colour_healthy "$(other "$1")"; return; }
  done
  return 1
}

serve_from_spare() {
  step "$(other "$1") is down; $1 takes its calls, and serves from now on"
  serve "$1"
  spare off
  hand_over_work "$1" || step "worker-$1 is not healthy; worker-$(other "$1") goes on"
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
  # What a deploy left that was killed: it would fail while its custodian is made anew. Better than none it is.
  [ "$(health "worker-$(other "$1")")" != healthy ] || stop_service "worker-$1" 90
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
  stop_service "worker-$1" 90
  stop_service "$(api_services "$1" 1 "$MOST_APIS")" 40
  stop_service "custodian-$1" 30
  fail "$1: $2. $(active_colour) serves as before."
}

serve() {
  local before previous
  before=$(active_colour)
  if [ "$(health nginx)" = absent ]; then
    switch_to "$1"
    step 'nginx'
    compose up -d --no-deps nginx >/dev/null 2>&1 || fail 'nginx could not be started'
    until_healthy nginx 60 || fail 'nginx is not healthy'
    return 0
  fi
  step "switching from $before to $1"
  previous=$(remembered previous)
  # First: whoever is killed after the switch finds the way back all the same, and before it the one there was.
  if [ "$before" != "$1" ]; then
    if way_back_to "$1"; then remember previous "$before $1"; else remember previous "$before"; fi
  fi
  switch_to "$1"
  if ! nginx_serves "$1"; then
    switch_to "$before"
    remember previous "$previous"
    # A deploy has started it.
    stop_service "worker-$1" 90
    fail "nginx does not reach $1; switched back to $before"
  fi
  restart_key_clocks
}

hand_over_work() {
  step "starting worker-$1"
  if keeps_own_keys "$1"; then start_as_it_was "worker-$1"; else start_workers "$1" --force-recreate; fi || return 1
  take_over_work "$1"
}

# The other ends what it has in hand.
take_over_work() {
  step "worker-$1 takes over"
  stop_service "worker-$(other "$1")" 90
}
