# shellcheck shell=bash
# A key service, where .env.production names one (CUSTODY_KMS_URL): it opens the lines of custody_encryption_key.

kms_on() { [ -n "$(setting CUSTODY_KMS_URL)" ]; }

kms_preflight() {
  local line
  kms_on || return 0
  [[ $(setting CUSTODY_KMS_URL) == https://* ]] || fail 'CUSTODY_KMS_URL must begin with https://'
  [ -s secrets/custody_kms_token.txt ] ||
    fail 'secrets/custody_kms_token.txt is missing: a token of the key service that may decrypt'
  [ "$(stat -c %a secrets/custody_kms_token.txt)" = 440 ] || fail 'secrets/custody_kms_token.txt must have the mode 440'
  [ -s ssl/kms/ca.crt ] || fail 'ssl/kms/ca.crt is missing: who signs the certificate of the key service'
  while read -r line || [ -n "$line" ]; do
    [[ -z $line || $line == *:vault:v* ]] ||
      fail 'secrets/custody_encryption_key.txt has a key that the key service did not wrap: docs/rotation.md'
  done <secrets/custody_encryption_key.txt
}
