# shellcheck shell=bash
# The public certificate: certbot keeps its own under ssl/certbot, and nginx gets a copy of what was looked through.

readonly LIVE=ssl/letsencrypt/live/velum

renew_certs() {
  local force=() candidate=$LIVE
  case ${1:-} in
    '') ;;
    --force) force=(--force-renewal) ;;
    *) usage >&2 && exit 2 ;;
  esac
  if [ -n "$(setting ACME_EMAIL)" ]; then
    run_certbot "${force[@]}"
    candidate=ssl/certbot/live/velum
  else
    step 'ACME_EMAIL is not set: the certificate is your own affair'
  fi
  check_certificate "$candidate"
  if [ "$(served_fingerprint)" = "$(certificate_fingerprint <"$candidate/fullchain.pem")" ]; then
    step "unchanged, until $(end_of "$candidate")"
    return
  fi
  [ "$candidate" = $LIVE ] || install_certificate "$candidate"
  [ "$(health nginx)" != absent ] || { step 'nginx will read it when it starts'; return; }
  read_anew "$candidate"
  step "nginx shows the new one, until $(end_of $LIVE)"
}

# Asks for one, or for a new one when less than a third of its time is left.
run_certbot() {
  local server=() url
  command -v certbot >/dev/null || fail 'certbot is not installed (Debian: apt-get install certbot)'
  url=$(setting ACME_SERVER)
  [ -z "$url" ] || server=(--server "$url")
  install -d -m 0700 ssl/certbot
  step "certbot, for $(domain)"
  certbot certonly --quiet --non-interactive --agree-tos --email "$(setting ACME_EMAIL)" "${server[@]}" \
    --webroot --webroot-path ssl/acme --cert-name velum --domain "$(domain)" --keep-until-expiring "$@" \
    --config-dir ssl/certbot --work-dir ssl/certbot/work --logs-dir ssl/certbot/logs >&2 9>&- ||
    fail 'certbot got no certificate; the one there stays'
}

domain() {
  local issuer
  issuer=$(setting JWT_ISSUER)
  issuer=${issuer#https://}
  setting DOMAIN "${issuer%%[:/]*}"
}

check_certificate() {
  local chain=$1/fullchain.pem key=$1/privkey.pem
  openssl x509 -in "$chain" -noout -checkend 86400 >/dev/null || fail "$chain ends within a day"
  openssl x509 -in "$chain" -noout -checkhost "$(domain)" | grep -q 'does match' || fail "$chain is not for $(domain)"
  [ "$(openssl x509 -in "$chain" -noout -pubkey)" = "$(openssl pkey -in "$key" -pubout)" ] ||
    fail "$key is not the key of $chain"
}

# The old ones stay beside them until nginx has taken the new ones.
install_certificate() {
  local file
  for file in privkey.pem fullchain.pem; do
    cp -p "$LIVE/$file" "$LIVE/$file.old"
    install -m 0600 "$1/$file" "$LIVE/$file.new"
  done
  for file in privkey.pem fullchain.pem; do mv "$LIVE/$file.new" "$LIVE/$file"; done
}

old_certificate_back() {
  local file
  for file in privkey.pem fullchain.pem; do [ ! -e "$LIVE/$file.old" ] || mv "$LIVE/$file.old" "$LIVE/$file"; done
}

# A reload closes connections that are idle at that moment.
read_anew() {
  local tries
  nginx_says -t || { old_certificate_back && fail 'nginx does not take it; the one before is back'; }
  nginx_says -s reload || { old_certificate_back && fail 'nginx could not be told'; }
  for ((tries = 0; tries < 20; tries++)); do
    if [ "$(served_fingerprint)" = "$(certificate_fingerprint <$LIVE/fullchain.pem)" ]; then
      rm -f $LIVE/*.old
      return
    fi
    sleep 0.5 9>&-
  done
  fail 'nginx still shows the one before'
}

nginx_says() { docker exec "$(container nginx)" nginx -q -c /etc/velum/nginx/nginx.conf "$@" >&2; }

served_fingerprint() {
  openssl s_client -connect "127.0.0.1:$(setting HTTPS_PORT 443)" -servername "$(domain)" </dev/null 2>/dev/null 9>&- |
    certificate_fingerprint || true
}

certificate_fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null; }

end_of() { openssl x509 -in "$1/fullchain.pem" -noout -enddate | cut -d = -f 2; }
