# shellcheck shell=bash
# Replaces secrets while clients work: docs/rotation.md. Whatever is cut off is gone on with by the same command.

rotate() {
  local what=${1:-}
  [ $# -gt 0 ] && shift
  case $what in
    jwt) rotate_key jwt "$@" ;;
    encryption-key) rotate_key encryption "$@" ;;
    custody-encryption-key) rotate_key custody "$@" ;;
    database-passwords) rotate_database_passwords ;;
    redis-password) rotate_redis_password ;;
    log-passwords) rotate_log_passwords ;;
    certificates) rotate_certificates ;;
    authority) rotate_authority ;;
    ip-hash-salt) rotate_random ip_hash_salt.txt "$@" ;;
    secret-key) rotate_random secret_key.txt "$@" ;;
    status) rotation_status ;;
    *) usage >&2 && exit 2 ;;
  esac
}

# What nothing stored depends on, or nothing that can be kept: docs/rotation.md says what is lost.
rotate_random() {
  local path=secrets/$1
  [ "${2:-}" = --yes ] || confirm "What was made with $1 is not found again (docs/rotation.md). Go on?" ||
    fail 'nothing was changed'
  openssl rand -base64 32 | replace_file "$path"
  redeploy
  step "$1 is new; back up secrets/ again"
}

# Both ways: what is read at the start of a process, by rename, so that whoever is killed leaves the old file or the new.
replace_file() {
  (umask 077 && cat >"$1.new")
  [ -s "$1.new" ] || fail "$1 could not be made"
  chown --reference="$1" "$1.new"
  chmod --reference="$1" "$1.new"
  sync "$1.new"
  mv "$1.new" "$1"
}

# What running processes read again: they have the file itself, and would not see another one under its name. It is
# never empty meanwhile.
overwrite_file() {
  (umask 077 && cat >"$1.over")
  [ -s "$1.over" ] || fail "$1 could not be made"
  dd if="$1.over" of="$1" bs=64k conv=notrunc,fsync status=none
  truncate -s "$(stat -c %s "$1.over")" "$1"
  rm "$1.over"
}

# The same version with the secrets as they are now.
redeploy() { deploy --image "$(remembered "$(active_colour)")"; }

# Whether the colour that serves, with its worker and its custodian, was started after the file was changed.
is_read() {
  local service started changed
  changed=$(stat -c %Y "$1")
  for service in api worker custodian; do
    started=$(docker inspect -f '{{.State.StartedAt}}' "$(container "$service-$(active_colour)")" 2>/dev/null) || return 1
    [ "$(date -d "$started" +%s)" -gt "$changed" ] || return 1
  done
}

rotation_status() {
  local name state
  for name in jwt encryption custody; do
    state=$(remembered "rotation_$name")
    printf '%-12s %s\n' "$name" "${state:-nothing under way}"
  done
  velum keys status
}
