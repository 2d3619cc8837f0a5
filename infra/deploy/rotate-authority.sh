# shellcheck shell=bash
# A new authority for the services' certificates, while everybody works: first all trust both, then it signs, then all trust
# it alone. ssl/authority/next has it until it signs, ssl/authority/before the old one until nobody trusts that any more: by
# them whoever was cut off goes on.

readonly AUTHORITY=ssl/authority

# A custodian looks at its files every two seconds (apps/custodian/server-tls.ts); all others for each connection.
LOOKED_AT_SECONDS=5

rotate_authority() {
  local file
  if [ ! -d $AUTHORITY/before ]; then
    [ -d $AUTHORITY/next ] || make_next_authority
    step 'everybody trusts both authorities'
    trust_authorities $AUTHORITY/ca.crt $AUTHORITY/next/ca.crt
    rm -rf $AUTHORITY/before.new
    mkdir -m 0700 $AUTHORITY/before.new
    cp -p $AUTHORITY/ca.{crt,key} $AUTHORITY/before.new
    mv $AUTHORITY/before.new $AUTHORITY/before
  fi
  for file in ca.key ca.crt; do [ ! -e $AUTHORITY/next/$file ] || mv $AUTHORITY/next/$file $AUTHORITY/$file; done
  rm -rf $AUTHORITY/next
  step 'the new authority signs'
  rotate_certificates
  sleep $LOOKED_AT_SECONDS 9>&-
  step 'nobody trusts the old one any more'
  trust_authorities $AUTHORITY/ca.crt
  rm -rf $AUTHORITY/before
  step 'the authority is new; who is connected stays so until two deploys. Back up secrets again: ./deploy.sh backup-secrets'
}

make_next_authority() {
  rm -rf $AUTHORITY/next.new
  mkdir -m 0700 $AUTHORITY/next.new
  self_signed_authority $AUTHORITY/next.new
  mv $AUTHORITY/next.new $AUTHORITY/next
}

# Of the files of certificates.
trust_authorities() {
  local role
  for role in internal postgres redis elasticsearch kibana; do
    [ ! -d "ssl/$role" ] || cat "$@" | overwrite_file "ssl/$role/ca.crt"
  done
  servers_read_certificates
  # They read theirs when they start.
  restart_logging fluentd kibana
  sleep $LOOKED_AT_SECONDS 9>&-
}
