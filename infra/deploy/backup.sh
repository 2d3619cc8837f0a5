# shellcheck shell=bash
# Backups, which a container of their own makes each day (docs/operations.md#backups).

backups_on() { [ -n "$(setting BACKUP_TARGET)" ]; }

require_backups() {
  backups_on || fail 'BACKUP_TARGET is not set in .env.production: there are no backups'
}

# The apps beside pg_dump; it has the name of the apps' image that it was made of.
backup_tag() { [ -z "$1" ] || echo "velum-backup:${1:7:12}"; }

build_backup_image() {
  local tag base
  tag=$(backup_tag "$1")
  docker image inspect "$tag" >/dev/null 2>&1 && return
  step "building $tag"
  # A builder knows images by name.
  base=velum:of-${1:7:12}
  docker tag "$1" "$base"
  docker build -q --build-arg "VELUM=$base" -t "$tag" - <infra/backup/Dockerfile >/dev/null ||
    fail 'the image for backups could not be built'
}

start_backups() {
  if ! backups_on; then
    stop_service backup 30
    step 'NO BACKUPS ARE MADE: BACKUP_TARGET is not set in .env.production'
    return
  fi
  build_backup_image "$1"
  step 'backups'
  compose up -d --no-deps --force-recreate backup >/dev/null 2>&1 ||
    fail 'the new version serves, but the container for backups could not be started'
}

serving_image() {
  local image
  image=$(remembered "$(active_colour)")
  [ -n "$image" ] || fail 'nothing was deployed yet'
  printf '%s' "$image"
}

# `velum backup …`, as the role that reads.
backup_command() {
  local image
  image=$(serving_image)
  build_backup_image "$image"
  compose run --rm -T --no-deps backup dist/apps/cli/main.js backup "$@"
}

backup() {
  require_backups
  if [ $# -eq 0 ]; then set -- run; fi
  backup_command "$@"
}

# Everything of a restore but its last step; nothing is left of it.
restore_drill() {
  restore_arguments "$@"
  require_backups
  build_backup_image "$(serving_image)"
  restore_command restore-drill "$WHICH"
}
