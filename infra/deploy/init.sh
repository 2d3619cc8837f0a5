# shellcheck shell=bash
# Makes what an installation keeps to itself. Group 10001 is that of the processes in the containers, which read
# secrets as files: Compose hands a file on with the owner and mode that it has here.

readonly GROUP=10001 APP=10001 LOGGER=10002 SERVER=999

init() {
  local domain=velum.localhost
  while [ $# -gt 0 ]; do
    case $1 in
      --domain) domain=${2:?--domain needs a name} && shift 2 ;;
      *) usage >&2 && exit 2 ;;
    esac
  done
  [ "$(id -u)" = 0 ] || fail 'init gives files to the users of the containers: run it as root'
  make_folders
  make_environment "$domain"
  make_secrets
  make_authority
  make_certificates
  make_public_certificate "$domain"
  step 'done. Next: look at .env.production, then ./deploy.sh deploy'
}

make_folders() {
  local data=./data backups=./backups
  if [ -f "$ENVIRONMENT" ]; then
    data=$(setting DATA_DIR ./data)
    backups=$(setting BACKUP_FOLDER ./backups)
  fi
  install -d -m 0755 state state/active ssl ssl/letsencrypt ssl/acme "$data"
  install -d -m 0750 -g $GROUP secrets ssl/internal
  install -d -m 0700 ssl/authority
  install -d -m 0750 -o $SERVER -g $GROUP ssl/postgres ssl/redis
  install -d -m 0700 -o $SERVER -g $GROUP "$data/postgres" "$data/redis"
  install -d -m 0700 -o $APP -g $GROUP "$data/spool" "$backups"
  install -d -m 0750 -o $SERVER -g $GROUP ssl/elasticsearch ssl/kibana
  install -d -m 0700 -o $LOGGER -g 0 "$data/elasticsearch"
  install -d -m 0700 -o $LOGGER -g $GROUP "$data/fluentd"
  # Whoever archives the files of a day removes them.
  install -d -m 0770 -o $LOGGER -g $GROUP "$data/logs"
}

make_environment() {
  wanted "$ENVIRONMENT" || return 0
  cat >"$ENVIRONMENT" <<TEXT
COMPOSE_PROJECT_NAME=velum
JWT_ISSUER=https://$1
JWT_AUDIENCE=velum
CORS_ORIGINS=
# Where the data is. REQUIRE_MOUNT=yes: deploy only while an (encrypted) volume is mounted there.
DATA_DIR=./data
REQUIRE_MOUNT=no
HTTP_PORT=80
HTTPS_PORT=443
# An address for Let's Encrypt's warnings: with it ./deploy.sh renew-certs asks for a certificate.
ACME_EMAIL=
# How long a new colour is watched after the switch.
WATCH_SECONDS=30
FRONTEND_PREFIX=172.30.10
MATCH_MEMORY_MB=640
FACE_WORKERS=2
API_MEMORY=1792m
WORKER_MEMORY=2g
CUSTODIAN_MEMORY=1g
POSTGRES_MEMORY=2g
REDIS_MEMORY=1g
# Empty: no backups. Else /backups, which is BACKUP_FOLDER here and belongs on another disk, or s3://bucket/prefix.
BACKUP_TARGET=
BACKUP_FOLDER=./backups
# Public keys of: velum backup keygen
BACKUP_RECIPIENTS=
BACKUP_AT=02:30
BACKUP_S3_ENDPOINT=
BACKUP_S3_REGION=
# A Vault's transit key that opens the custodian's keys, such as https://vault:8200/v1/transit/decrypt/velum. Empty: they are in
# their file as they are.
CUSTODY_KMS_URL=
# elastic: Fluentd, Elasticsearch and Kibana. local: lines stay with Docker, for ./deploy.sh logs.
LOGGING=$(logging_default)
TEXT
}

make_secrets() {
  local name
  make_secret secret_key.txt openssl rand -base64 32
  make_secret ip_hash_salt.txt openssl rand -base64 32
  make_secret db_encryption_key.txt encryption_key k1
  make_secret custody_encryption_key.txt encryption_key c1
  for name in db db_worker db_custodian db_backup db_owner db_superuser redis elastic kibana fluentd; do
    make_secret "${name}_password.txt" openssl rand -hex 24
  done
  make_secret kibana_operator_password.txt openssl rand -hex 12
  make_secret kibana_encryption_key.txt openssl rand -hex 32
  make_secret audit_signing_key.pem openssl genpkey -algorithm ED25519
  make_secret jwt_private_key.pem openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072
  make_empty_secret aws_access_key_id.txt
  make_empty_secret aws_secret_access_key.txt
}

# Of the bucket for backups. The file is there even if it is empty, since Compose mounts it.
make_empty_secret() {
  [ ! -e "secrets/$1" ] || return 0
  step "  secrets/$1"
  install -m 0440 -o 0 -g $GROUP /dev/null "secrets/$1"
}

encryption_key() { echo "$1:$(openssl rand -base64 32)"; }

make_secret() {
  local path=secrets/$1
  shift
  wanted "$path" 'What was made with it is lost.' || return 0
  (umask 077 && "$@" >"$path.new" 2>/dev/null) || fail "$path could not be made"
  [ -s "$path.new" ] || fail "$path could not be made"
  chown 0:$GROUP "$path.new"
  chmod 0440 "$path.new"
  mv "$path.new" "$path"
}

# Whether to make a file: what is there stays, unless somebody says yes.
wanted() {
  if [ -e "$1" ] && ! confirm "$1 exists. ${2:-} Overwrite it?"; then
    step "  kept $1"
    return 1
  fi
  step "  $1"
}

# Signs what the services show each other, and nothing that clients see.
make_authority() {
  [ ! -d ssl/authority/before ] || fail 'a new authority was cut off: ./deploy.sh rotate authority first'
  new_authority
  for folder in internal postgres redis elasticsearch kibana; do install -m 0444 ssl/authority/ca.crt "ssl/$folder/ca.crt"; done
}

new_authority() {
  ! is_pair ssl/authority/ca.crt ssl/authority/ca.key ||
    wanted ssl/authority/ca.key 'Every internal certificate must then be made anew.' || return 0
  # First: one of the authority before, left by whoever was killed, would be kept.
  rm -f ssl/internal/*.crt ssl/internal/*.key ssl/{postgres,redis,elasticsearch,kibana}/*
  self_signed_authority ssl/authority
}

# Each has a name of its own: while two are trusted, OpenSSL looks for who signed a certificate by that.
self_signed_authority() {
  (umask 077 && new_key "$1/ca.key")
  openssl req -x509 -new -key "$1/ca.key" -subj "/CN=Velum internal authority $(openssl rand -hex 4)" \
    -days 3650 -out "$1/ca.crt"
}

# path, common name, alternative names, owner and mode of the key
make_certificates() {
  local role
  for role in postgres redis; do
    make_certificate "ssl/$role/server" "$role" "$(names_of "$role")" $SERVER:$GROUP 0600
  done
  for role in elasticsearch kibana; do
    make_certificate "ssl/$role/server" "$role" "$(names_of "$role")" 0:$GROUP 0440
  done
  # PostgreSQL compares the common name with the role.
  for role in velum_app velum_worker velum_custodian velum_backup velum_owner; do
    make_certificate "ssl/internal/$role" "$role" "$(names_of "$role")" 0:$GROUP 0440
  done
}

# The custodian is a server as well: its replicas and both colours have one certificate.
names_of() {
  case $1 in
    velum_custodian) echo DNS:custodian,DNS:custodian-blue,DNS:custodian-green,DNS:localhost ;;
    kibana) echo DNS:kibana,DNS:localhost,IP:127.0.0.1 ;;
    postgres | redis | elasticsearch) echo "DNS:$1,DNS:localhost" ;;
  esac
}

# Whoever was killed between the two left a key that is of no use to anybody.
is_pair() {
  [ -s "$1" ] && [ -s "$2" ] &&
    [ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in "$2" -pubout)" ]
}

make_certificate() {
  local path=$1 name=$2 alternatives=$3 owner=$4 mode=$5
  ! is_pair "$path.crt" "$path.key" || wanted "$path.key" || return 0
  issue_certificate "$path" "$name" "$alternatives" "$owner" "$mode"
  mv "$path.key.new" "$path.key"
  mv "$path.crt.new" "$path.crt"
}

# The same, as path.key.new and path.crt.new.
issue_certificate() {
  local path=$1 name=$2 alternatives=$3 owner=$4 mode=$5
  (umask 077 && new_key "$path.key.new")
  openssl req -new -key "$path.key.new" -subj "/CN=$name" |
    openssl x509 -req -CA ssl/authority/ca.crt -CAkey ssl/authority/ca.key -CAcreateserial -days 825 -out "$path.crt.new" \
      -extfile <(echo "basicConstraints=CA:FALSE"; [ -z "$alternatives" ] || echo "subjectAltName=$alternatives") 2>/dev/null
  chown "$owner" "$path.key.new"
  chmod "$mode" "$path.key.new"
  chmod 0444 "$path.crt.new"
}

# Where certbot would put the real one; until then browsers warn.
make_public_certificate() {
  local live=ssl/letsencrypt/live/velum
  [ ! -s $live/fullchain.pem ] || wanted $live/privkey.pem || return 0
  install -d -m 0755 $live
  (umask 077 && new_key $live/privkey.pem)
  openssl req -x509 -new -key $live/privkey.pem -subj "/CN=$1" -addext "subjectAltName=DNS:$1,DNS:localhost" \
    -days 90 -out $live/fullchain.pem
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1"; }
