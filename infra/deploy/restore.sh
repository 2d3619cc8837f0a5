# shellcheck shell=bash
# Brings the database back from a backup, on a server that lost it or on a new one.

# Sets WHICH (an id, latest or a file), IDENTITY, IMAGE and YES.
restore_arguments() {
  WHICH='' IDENTITY='' IMAGE='' YES=no MOUNT=()
  while [ $# -gt 0 ]; do
    case $1 in
      --identity) IDENTITY=${2:?--identity needs a file} && shift 2 ;;
      --image) IMAGE=${2:?--image needs a name} && shift 2 ;;
      --yes) YES=yes && shift ;;
      -*) usage >&2 && exit 2 ;;
      *) WHICH=$1 && shift ;;
    esac
  done
  WHICH=${WHICH:-latest}
  [ -r "$IDENTITY" ] || fail 'say where the private key is: --identity FILE'
  [[ $WHICH != *.dump.age ]] || from_file
}

# A file counts with its manifest and with what was erased since: all of that lies where the target had it.
from_file() {
  local folder id
  folder=$(dirname "$(readlink -f "$WHICH")")
  id=$(basename "$WHICH" .dump.age)
  [ -f "$folder/$id.dump.age" ] || fail "there is no file $WHICH"
  [ -f "$folder/$id.manifest.json" ] || fail "$id.manifest.json is not beside it: it says what is in the file"
  [ -d "$folder/erasures" ] ||
    fail "erasures/ is not beside it: copy that folder of the target too, or who was erased since comes back"
  WHICH=$id
  MOUNT=(-v "$folder:/file:ro" -e BACKUP_TARGET=/file)
}

# The private key goes by standard input, and into no container's file.
restore_command() {
  compose run --rm -T --no-deps ${MOUNT[@]+"${MOUNT[@]}"} restore "$@" --identity - <"$IDENTITY"
}

restore() {
  local image force=() running=() service status=0
  restore_arguments "$@"
  [ ${#MOUNT[@]} -gt 0 ] || require_backups
  preflight
  image=$IMAGE
  [ -n "$image" ] || image=$(remembered "$(active_colour)")
  image=$(pinned_image "$image")
  build_backup_image "$image"
  # shellcheck disable=SC2034 # compose reads it
  IMAGE_BACKUP=$(backup_tag "$image")
  start_servers
  make_roles
  step "reading backup $WHICH to its end"
  restore_command backup verify "$WHICH" >&2 || fail "nothing was changed"
  if [ "$(echo "$COUNT_TABLES" | as_superuser velum)" != 0 ]; then
    [ "$YES" = yes ] || confirm "The database is replaced by backup $WHICH, and kept under another name. Go on?" ||
      fail 'the database is not empty, and nobody said yes (--yes)'
    force=(--force)
  fi
  for service in $(api_services blue 1 "$MOST_APIS") $(api_services green 1 "$MOST_APIS") \
    worker-{blue,green} custodian-{blue,green} backup; do
    case $(health "$service") in absent | stopped) continue ;; esac
    running+=("$service")
    step "stopping $service"
    stop_service "$service" 90
  done
  step "restoring $WHICH"
  restore_command restore "$WHICH" ${force[@]+"${force[@]}"} >&2 || status=$?
  # shellcheck disable=SC2046 # several
  for service in ${running[@]+"${running[@]}"}; do
    docker start $(containers "$service") >/dev/null || step "$service could not be started: see ./deploy.sh status"
  done
  [ "$status" = 0 ] || fail "the database is as it was; started again: ${running[*]:-nothing, since nothing ran}"
  # With a smoke test, and through nginx.
  deploy --image "$image"
}

COUNT_TABLES="SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
