#!/usr/bin/env bash
# Runs Velum on one server with Docker Compose, in two colours of which one serves. docs/deploy.md is its guide.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
umask 022

for part in output stack init preflight kms logging logs roles migrations colours watch scale renew backup restore \
  kept-secrets status rotate rotate-keys rotate-passwords rotate-certificates rotate-authority; do
  # shellcheck disable=SC1090 # checked by itself
  . "infra/deploy/$part.sh"
done

usage() {
  cat <<'TEXT'
./deploy.sh init [--domain NAME]   secrets, certificates, folders, .env.production; asks before it overwrites
./deploy.sh deploy [--image IMAGE] build (or take IMAGE), migrate, start the idle colour, test it, switch to it
./deploy.sh rollback               switch back to the colour that stayed warm
./deploy.sh status [--json]        what runs, and which colour serves
./deploy.sh scale api=2 worker=4 custodian=2   so many of each, now and with the next deploys
./deploy.sh renew-certs            renew the public certificate, and have nginx read it if it changed
./deploy.sh backup                 make a backup now; backup list, backup verify ID
./deploy.sh restore ID|latest|FILE --identity KEYFILE [--image IMAGE] [--yes]   bring the database back, and deploy
./deploy.sh restore-drill [ID] --identity KEYFILE       restore into a database of its own, check, and drop it
./deploy.sh backup-secrets FILE --recipient age1…       secrets and internal authority, encrypted, to be kept apart
./deploy.sh open-secrets FILE --identity KEYFILE        put them back, on a new server, before init
./deploy.sh logs [SERVICE…] [--follow] [--since 1h] [--tail 100]   lines of all services or of some; api, worker and custodian are both colours
./deploy.sh rotate WHAT            the next step of replacing a secret: jwt, encryption-key, custody-encryption-key,
                                   database-passwords, redis-password, log-passwords, certificates, authority, ip-hash-salt,
                                   secret-key; or: status
./deploy.sh velum ARGUMENTS        the command line, such as: clients create --name Kiosk --scopes "faces:verify"
./deploy.sh cleanup [--yes-delete-everything]   remove containers, networks and data

--json: one JSON object on standard output says how it ended; what a person follows is on standard error.

Exit code: 0 done, 1 not done and traffic as before, 2 called wrongly, 3 the migration
would break the version that serves and was taken back, 4 the version that was asked for serves, but not all beside
it was done, 75 another deploy runs.
TEXT
}

main() {
  local command=${1:-} argument kept=()
  [ $# -gt 0 ] && shift
  case "$command ${1:-}" in
    # Their own answers are JSON then.
    'status '* | 'velum '* | 'logs '* | 'backup '[a-z]*) ;;
    *)
      if [[ " $* " == *' --json '* ]]; then
        for argument in "$@"; do [ "$argument" = --json ] || kept+=("$argument"); done
        set -- "${kept[@]}"
        report_as_json "$command"
      fi
      ;;
  esac
  case $command in
    init) init "$@" ;;
    open-secrets) open_secrets "$@" ;;
    deploy | rollback | scale | renew-certs | cleanup | restore | rotate)
      settings
      lock
      "${command//-/_}" "$@"
      ;;
    backup | restore-drill | backup-secrets) settings && "${command//-/_}" "$@" ;;
    status) settings && status "$@" ;;
    logs) settings && logs "$@" ;;
    velum) settings && velum "$@" ;;
    help | --help | -h) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

main "$@"
