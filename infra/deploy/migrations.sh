# shellcheck shell=bash
# The database's schema, which is changed while the version before serves.

# What the version that serves does not use any more may be removed; whatever else would break it is refused.
migrate() {
  local image=$1 unused='' previous before after spared=off status=0
  step 'migrations'
  [ -z "$(container "api-$2")" ] || unused=$(retired_by "$(remembered "$2")" 9>&-)
  previous=$(remembered previous)
  before=$(migrations_applied)
  # The version before the one that serves may need what is removed now: from here on there is no way back to it.
  [ ! -e state/active/spare ] || spared=on
  spare off
  remember previous ''
  IMAGE_NEW=$image compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate ${unused:+--unused "$unused"} >&2 ||
    status=$?
  [ "$status" != 0 ] || return 0
  # It is all or nothing; of which, who was cut off cannot tell, but the database can.
  after=$(migrations_applied)
  if [ "$status" = 3 ] || { [ -n "$after" ] && [ "$after" = "$before" ]; }; then
    remember previous "$previous"
    spare $spared
  fi
  [ "$status" != 3 ] || fail "the migration would break $2, which serves: nothing was changed" 3
  fail 'the database could not be migrated'
}

# Nothing where there is no database to ask, or none that was ever migrated.
migrations_applied() {
  echo "SELECT count(*) || ' ' || max(timestamp) FROM schema_migration" | as_superuser velum 2>/dev/null || true
}

# A version that cannot tell has retired nothing.
retired_by() {
  [ -z "$1" ] || IMAGE_NEW=$1 compose run --rm -T --no-deps migrate dist/apps/cli/main.js migrate --retired 2>/dev/null |
    grep -E '^[][A-Za-z0-9_.,@() ]+$' | tail -1 || true
}
