# shellcheck shell=bash
# jwt_private_key, db_encryption_key and custody_encryption_key hold several keys, of which the first is used and all are
# accepted. Three steps, a deploy each: the new key is added behind the old one, comes before it, and is alone. At each, the
# colour that serves and the one before it know each other's key. state/known has where it stands: add, added:WHEN,
# promote:OLD, promoted:WHEN, remove.

# Servers of others keep the published keys for five minutes (Cache-Control of /.well-known/jwks.json).
PUBLISHED_SECONDS=300

# jwt, encryption or custody
rotate_key() {
  local name=$1 file state now=''
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      --now) now=yes && shift ;;
      *) usage >&2 && exit 2 ;;
    esac
  done
  [ "$name" != custody ] || ! kms_on || fail 'a key service wraps these keys: add their lines by hand (docs/rotation.md)'
  file=$("${name}_file")
  state=$(remembered "rotation_$name")
  [ -n "$(remembered "$(active_colour)")" ] || fail 'nothing is deployed yet'
  case $state in
    '' | add) add_key "$name" "$file" ;;
    added:* | promote:*) promote_key "$name" "$file" "$state" "$now" ;;
    promoted:* | remove) remove_key "$name" "$file" "$state" ;;
    *) fail "state/known says rotation_$name=$state, which is no step" ;;
  esac
}

add_key() {
  local name=$1 file=$2
  remember "rotation_$name" add
  step "a new key behind the old one in $file"
  if [ "$("${name}_count" "$file")" -lt 2 ]; then
    { cat "$file" && "${name}_new" "$file"; } | replace_file "$file"
  fi
  redeploy
  remember "rotation_$name" "added:$(date +%s)"
  step "it is known, and not used yet. Next, to use it: ./deploy.sh rotate $(what_is "$name")$("${name}_when_added")"
}

promote_key() {
  local name=$1 file=$2 state=$3 now=$4 old
  if [[ $state == added:* ]]; then
    # A rollback since then went back to a process that does not know it.
    until_read "$name" "$file" added
    state=$(remembered "rotation_$name")
    [ "$name" != jwt ] || [ "$now" = yes ] || not_before $((${state#added:} + PUBLISHED_SECONDS))
    old=$("${name}_at" 1 "$file" | fingerprint)
    remember "rotation_$name" "promote:$old"
  else
    old=${state#promote:}
  fi
  step "the new key before the old one in $file"
  if [ "$("${name}_at" 1 "$file" | fingerprint)" = "$old" ]; then
    { "${name}_at" 2 "$file" && "${name}_at" 1 "$file"; } | replace_file "$file"
  fi
  redeploy
  remember "rotation_$name" "promoted:$(date +%s)"
  step "the new key is used. Next, to remove the old one: ./deploy.sh rotate $(what_is "$name")$("${name}_when_promoted")"
}

remove_key() {
  local name=$1 file=$2 state=$3
  if [[ $state == promoted:* ]]; then
    until_read "$name" "$file" promoted
    state=$(remembered "rotation_$name")
    "${name}_unused" "${state#promoted:}"
    remember "rotation_$name" remove
  fi
  step "the new key alone in $file"
  if [ "$("${name}_count" "$file")" -gt 1 ]; then
    "${name}_at" 1 "$file" | replace_file "$file"
  fi
  redeploy
  remember "rotation_$name" ''
  step "the old key is gone; back up secrets/ again"
}

until_read() {
  is_read "$2" && return
  step "what serves does not know $2 as it is now"
  redeploy
  remember "rotation_$1" "$3:$(date +%s)"
}

# After a switch the colour that was left, which may have had the keys of before, has been heard until now: what it said
# must be waited out from here.
restart_key_clocks() {
  local name state
  for name in jwt encryption custody; do
    state=$(remembered "rotation_$name")
    case $state in added:* | promoted:*) remember "rotation_$name" "${state%%:*}:$(date +%s)" ;; esac
  done
}

not_before() {
  [ "$(date +%s)" -ge "$1" ] || fail "not before $(date -d "@$1" +%H:%M:%S): nothing was changed"
}

fingerprint() { sha256sum | cut -c1-16; }

what_is() {
  case $1 in
    encryption) echo encryption-key ;;
    custody) echo custody-encryption-key ;;
    *) echo "$1" ;;
  esac
}

jwt_file() { echo secrets/jwt_private_key.pem; }
jwt_count() { grep -c -e '-----BEGIN' "$1"; }
jwt_at() { awk -v wanted="$1" '/-----BEGIN/ { n++ } n == wanted' "$2"; }
jwt_new() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null; }
jwt_when_added() { echo ", in 5 minutes; with --now at once, if nobody but Velum checks tokens"; }
jwt_seconds() { echo $(($(setting ACCESS_TOKEN_SECONDS 900) + 60)); }
jwt_when_promoted() { echo ", in $(jwt_seconds) seconds"; }
# Until the last token of the old key has expired.
jwt_unused() { not_before $(($1 + $(jwt_seconds))); }

encryption_file() { echo secrets/db_encryption_key.txt; }
encryption_count() { grep -c : "$1"; }
encryption_at() { grep : "$2" | sed -n "$1p"; }
encryption_new() { next_key k "$1"; }
# letter, file
next_key() {
  local newest
  newest=$(sed -nE "s/^$1([0-9]{1,9}):.*/\1/p" "$2" | sort -n | tail -1)
  echo "$1$((${newest:-0} + 1)):$(openssl rand -base64 32)"
}
encryption_when_added() { :; }
encryption_when_promoted() { echo ', once rotate status counts nothing under it'; }
encryption_unused() {
  velum keys status --require-current >&2 || fail 'the worker is not done with what is under the old key: nothing was changed'
  # Their signatures are by the old key; without it nobody would know them.
  ! backups_on || backup_command sign-anew >&2 || fail 'the backups could not be signed with the new key: nothing was changed'
}

custody_file() { echo secrets/custody_encryption_key.txt; }
custody_count() { encryption_count "$1"; }
custody_at() { encryption_at "$1" "$2"; }
custody_new() { next_key c "$1"; }
custody_when_added() { :; }
custody_when_promoted() { echo ', once the custodian has put all under it'; }
custody_unused() {
  local current left
  current=$(custody_at 1 "$(custody_file)" | cut -d : -f 1)
  left=$(echo "SELECT count(*) FROM custody.segment WHERE $SECRET_KEY_ID <> 'custody:$current'" | as_superuser velum)
  [ "$left" = 0 ] || fail "the custodian is not done with what is under the old key: $left left, nothing was changed"
}
# Of a value that is under a key: its length, then the id itself (libs/platform/keyring.ts).
SECRET_KEY_ID="convert_from(substr(secret, 2, get_byte(secret, 0)), 'UTF8')"
