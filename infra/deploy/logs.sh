# shellcheck shell=bash
# What the containers wrote, as Docker keeps it: 100 MB of each, with Fluentd and without.

logs() {
  local options=() wanted=()
  while [ $# -gt 0 ]; do
    case $1 in
      -f | --follow) options+=(--follow) ;;
      --since | --until | -n | --tail)
        options+=("$1" "${2:?$1 needs a value}")
        shift
        ;;
      -*) usage >&2 && exit 2 ;;
      api) mapfile -t -O ${#wanted[@]} wanted < <(services_there | grep ^api-) ;;
      worker | custodian) wanted+=("$1-blue" "$1-green") ;;
      *) wanted+=("$1") ;;
    esac
    shift
  done
  [ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(services | tr ' ' '\n')
  show_logs "$(printf '%s\n' "${wanted[@]}")" "${options[@]}"
}

# Each line after the name of its service; a container's two outputs in the order in which they came.
show_logs() {
  local service id known=no
  followers=()
  while read -r service; do
    for id in $(containers "$service"); do
      known=yes
      if [[ " ${*:2} " == *' --follow '* ]]; then
        docker logs "${@:2}" "$id" > >(sed -u "s/^/$service  /") 2>&1 &
        followers+=($!)
      else
        docker logs "${@:2}" "$id" 2>&1 | sed "s/^/$service  /"
      fi
    done
  done <<<"$1"
  [ $known = yes ] || fail 'there is no such service, or it has no container: ./deploy.sh status'
  [ ${#followers[@]} -gt 0 ] || return 0
  # What a script puts into the background ignores Ctrl-C (bash manual, SIGNALS).
  trap 'kill "${followers[@]}" 2>/dev/null' EXIT
  trap 'exit 130' INT TERM
  wait "${followers[@]}"
}
