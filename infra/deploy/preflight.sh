# shellcheck shell=bash
# What would fail halfway is found before anything is changed.

LEAST_FREE_KB=$((5 * 1024 * 1024))

SECRETS='secret_key.txt jwt_private_key.pem db_encryption_key.txt custody_encryption_key.txt db_password.txt
  db_worker_password.txt db_custodian_password.txt db_backup_password.txt db_owner_password.txt db_superuser_password.txt
  redis_password.txt ip_hash_salt.txt audit_signing_key.pem'

CERTIFICATES='ssl/internal/ca.crt ssl/internal/velum_app.crt ssl/internal/velum_worker.crt
  ssl/internal/velum_custodian.crt ssl/internal/velum_backup.crt ssl/internal/velum_owner.crt ssl/postgres/server.crt
  ssl/redis/server.crt ssl/letsencrypt/live/velum/fullchain.pem'

preflight() {
  local file name
  step 'preflight'
  docker info >/dev/null 2>&1 || fail 'the Docker engine does not answer'
  for name in $SECRETS; do
    [ -s "secrets/$name" ] || fail "secrets/$name is missing: run ./deploy.sh init"
    [ "$(stat -c %a "secrets/$name")" = 440 ] || fail "secrets/$name must have the mode 440"
  done
  for name in aws_access_key_id aws_secret_access_key; do
    [ -e "secrets/$name.txt" ] || fail "secrets/$name.txt is missing: run ./deploy.sh init"
  done
  case $(setting BACKUP_TARGET) in
    '' | /backups | /backups/* | s3://*) ;;
    *) fail 'BACKUP_TARGET must be empty, /backups (which is BACKUP_FOLDER here) or s3://bucket/prefix' ;;
  esac
  ! backups_on || [[ $(setting BACKUP_RECIPIENTS) == age1* ]] ||
    fail 'BACKUP_RECIPIENTS must be the public key of: velum backup keygen'
  for file in $CERTIFICATES; do
    [ -s "$file" ] || fail "$file is missing: run ./deploy.sh init"
    check_expiry "$file"
  done
  # That of an installation of before, whose custodian was nobody's server.
  openssl x509 -in ssl/internal/velum_custodian.crt -noout -checkhost custodian-blue | grep -q 'does match' ||
    fail 'ssl/internal/velum_custodian.crt does not name the custodian as a server: ./deploy.sh rotate certificates'
  # A folder whose volume is not mounted is written to all the same, in the clear.
  case $(setting REQUIRE_MOUNT no) in yes | no) ;; *) fail "REQUIRE_MOUNT is yes or no" ;; esac
  if [ "$(setting REQUIRE_MOUNT no)" = yes ]; then
    mountpoint -q "$DATA" || fail "nothing is mounted on $DATA"
  fi
  [ "$(df -Pk "$DATA" | awk 'NR == 2 { print $4 }')" -gt "$LEAST_FREE_KB" ] ||
    fail "less than 5 GB are free on the disk of $DATA"
  kms_preflight
  logging_preflight
  compose config >/dev/null || fail 'docker-compose.prod.yml and .env.production do not fit'
}

# Clients refuse an expired public certificate whatever is deployed, and what is deployed may be urgent; with an internal
# one the new containers would not reach PostgreSQL.
check_expiry() {
  if openssl x509 -in "$1" -noout -checkend 0 >/dev/null; then
    openssl x509 -in "$1" -noout -checkend $((14 * 86400)) >/dev/null || step "  $1 expires within 14 days"
  elif [[ $1 == ssl/letsencrypt/* ]]; then
    step "  $1 HAS EXPIRED, and clients refuse it: ./deploy.sh renew-certs"
  else
    fail "$1 has expired: ./deploy.sh rotate $([[ $1 == */ca.crt ]] && echo authority || echo certificates)"
  fi
}
