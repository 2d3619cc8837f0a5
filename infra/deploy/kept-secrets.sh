# shellcheck shell=bash
# The secrets and the internal authority, in one encrypted file that is kept apart from the data.

backup_secrets() {
  local file='' recipient='' image
  while [ $# -gt 0 ]; do
    case $1 in
      --recipient) recipient=${2:?--recipient needs a public key} && shift 2 ;;
      -*) usage >&2 && exit 2 ;;
      *) file=$1 && shift ;;
    esac
  done
  if [ -z "$file" ] || [ -z "$recipient" ]; then usage >&2 && exit 2; fi
  [ ! -e "$file" ] || fail "$file exists: name another"
  image=$(serving_image)
  (umask 077 && secrets_command "$image" -v "$PWD/secrets:/run/secrets:ro" -v "$PWD/ssl/authority:/authority:ro" \
    -e INTERNAL_AUTHORITY_KEY_FILE=/authority/ca.key -e INTERNAL_AUTHORITY_CERTIFICATE_FILE=/authority/ca.crt \
    -e "BACKUP_RECIPIENTS=$(setting BACKUP_RECIPIENTS)" \
    -- backup secrets - --recipient "$recipient" >"$file.new") || { rm -f "$file.new" && fail 'no secrets were kept'; }
  mv "$file.new" "$file"
  step "$file"
}

# On a new server, before init, which then makes what is missing.
open_secrets() {
  local file='' identity='' image='' folder name
  while [ $# -gt 0 ]; do
    case $1 in
      --identity) identity=${2:?--identity needs a file} && shift 2 ;;
      --image) image=${2:?--image needs a name} && shift 2 ;;
      -*) usage >&2 && exit 2 ;;
      *) file=$1 && shift ;;
    esac
  done
  [ -r "$file" ] || fail 'say which file: open-secrets FILE --identity KEYFILE'
  [ -r "$identity" ] || fail 'say where the private key is: --identity FILE'
  [ "$(id -u)" = 0 ] || fail 'secrets belong to root: run it as root'
  # On a new server there are no settings yet.
  # shellcheck disable=SC2034 # whoever builds the image reads it
  if [ -f "$ENVIRONMENT" ]; then PROJECT=$(setting COMPOSE_PROJECT_NAME velum); else PROJECT=velum; fi
  image=$(pinned_image "$image")
  make_folders
  folder=$(mktemp -d secrets/opened.XXXXXX)
  # In a shell of its own, whose end is no other's: that of deploy.sh may have a report to print.
  (
    # shellcheck disable=SC2064 # as it is now
    trap "rm -rf '$folder'" EXIT
    secrets_command "$image" -i -v "$PWD/$folder:/out" -v "$(readlink -f "$file"):/kept.age:ro" \
      -- backup open-secrets /kept.age --into /out --identity - <"$identity" >/dev/null || fail 'nothing was put back'
    for name in "$folder"/*; do put_back "$name"; done
  )
  step 'done. Next: ./deploy.sh init, which keeps what is there'
}

put_back() {
  local target mode=0440 readers=$GROUP
  case ${1##*/} in
    internal_authority_key) target=ssl/authority/ca.key mode=0600 readers=0 ;;
    internal_authority_certificate) target=ssl/authority/ca.crt mode=0644 readers=0 ;;
    jwt_private_key | audit_signing_key) target=secrets/${1##*/}.pem ;;
    *) target=secrets/${1##*/}.txt ;;
  esac
  [ ! -s "$target" ] || fail "$target exists: move it away first"
  install -m "$mode" -o 0 -g "$readers" "$1" "$target"
  step "  $target"
}

# image, arguments of docker --, arguments of velum. As root without a privilege: it reads what is root's, no more.
secrets_command() {
  local image=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  shift
  docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user "0:$GROUP" \
    --log-driver none "${options[@]}" "$image" dist/apps/cli/main.js "$@"
}
