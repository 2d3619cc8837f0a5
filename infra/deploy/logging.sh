# shellcheck shell=bash
# Fluentd, Elasticsearch and Kibana, where .env.production says LOGGING=elastic. None of them ever stops a deploy:
# what is wrong with them is told.

LOGGING_SERVICES='fluentd elasticsearch kibana'
LOGGING_SECRETS='elastic_password.txt kibana_password.txt kibana_encryption_key.txt kibana_operator_password.txt
  fluentd_password.txt'

# Elasticsearch maps its files into memory, and refuses to start below it.
LEAST_MAP_COUNT=262144
# Of /proc/meminfo: a machine of 16 GB has a little less. What runs beside the logs takes up to 11 GB of it.
LEAST_MEMORY_KB=$((15 * 1000 * 1000))

logging_on() { [ "$(setting LOGGING local)" = elastic ]; }

memory_kb() { awk '/^MemTotal:/ { print $2 }' /proc/meminfo; }

logging_default() { if [ "$(memory_kb)" -ge "$LEAST_MEMORY_KB" ]; then echo elastic; else echo local; fi; }

warn() { step "  WARNING: $*"; }

logging_preflight() {
  local name
  case $(setting LOGGING local) in
    local) return ;;
    elastic) ;;
    *) fail "LOGGING in $ENVIRONMENT is neither elastic nor local" ;;
  esac
  # Without these Compose starts nothing at all.
  for name in $LOGGING_SECRETS; do
    [ -s "secrets/$name" ] || fail "secrets/$name is missing: run ./deploy.sh init, or set LOGGING=local"
  done
  for name in elasticsearch kibana; do
    [ -s "ssl/$name/server.crt" ] || fail "ssl/$name/server.crt is missing: run ./deploy.sh init, or set LOGGING=local"
    openssl x509 -in "ssl/$name/server.crt" -noout -checkend $((14 * 86400)) >/dev/null ||
      warn "ssl/$name/server.crt expires within 14 days"
  done
  [ "$(cat /proc/sys/vm/max_map_count)" -ge $LEAST_MAP_COUNT ] ||
    warn "Elasticsearch does not start: sysctl -w vm.max_map_count=$LEAST_MAP_COUNT, and put it into /etc/sysctl.d"
  [ "$(memory_kb)" -ge "$LEAST_MEMORY_KB" ] || warn 'less than 16 GB of memory: consider LOGGING=local'
}

# Who mounts these is made anew when they change, which Compose would not see.
logging_configuration() {
  find infra/fluentd infra/elasticsearch infra/kibana -type f ! -name '*.ndjson' -print0 | sort -z | xargs -0 cat |
    sha256sum | cut -c 1-16
}

# Before the others, whose lines then find Fluentd there; nobody waits for it.
start_logging() {
  local service
  if ! logging_on; then
    for service in $LOGGING_SERVICES; do stop_service "$service" 60; done
    return
  fi
  step 'Fluentd, Elasticsearch and Kibana'
  for service in $LOGGING_SERVICES; do
    compose up -d --no-deps "$service" >/dev/null 2>&1 || warn "$service could not be started"
  done
}

# After the deploy proper. Streams and users first: Kibana cannot work without its own.
set_up_logging() {
  logging_on || return 0
  if logging_service_healthy elasticsearch && logging_setup elasticsearch &&
    logging_service_healthy kibana && logging_setup kibana; then
    step "Kibana: https://localhost:$(setting KIBANA_PORT 5601) on this machine, user operator"
  else
    warn 'logs are not to be seen in Kibana: mend what is said above and deploy again. Nothing is lost meanwhile'
  fi
  logging_service_healthy fluentd || warn 'Fluentd is not healthy: lines stay with Docker'
}

logging_service_healthy() {
  [ "$(health "$1")" != absent ] && until_healthy "$1" "$(setting LOGGING_WAIT_SECONDS 240)"
}

logging_setup() {
  step "setting up $1"
  compose run --rm -T --no-deps logging-setup "$1" >&2
}
