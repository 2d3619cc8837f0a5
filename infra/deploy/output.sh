# shellcheck shell=bash
# What a person follows goes to standard error; standard output is for answers.

# With --json, where the last step and the failure are noted: some fail in a subshell.
REPORT=

# 1 while traffic is as before, 4 once it is not.
FAILED=1
failures_end_with() { FAILED=$1; }

step() {
  printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2
  [ -z "$REPORT" ] || printf 'step=%s\n' "$*" >>"$REPORT"
}

# sentence, exit code
fail() {
  printf '%s  FAILED: %s\n' "$(date +%H:%M:%S)" "$1" >&2
  [ -z "$REPORT" ] || printf 'failure=%s\n' "$1" >>"$REPORT"
  exit "${2:-$FAILED}"
}

# Anything but yes is no; nobody to ask is no.
confirm() {
  local answer=
  [ -t 0 ] || return 1
  read -r -p "$1 [y/N] " answer
  [ "$answer" = y ]
}

# The rest of the run belongs to the one object: what commands print goes where a person follows.
report_as_json() {
  REPORT=$(mktemp)
  exec 8>&1 1>&2
  # shellcheck disable=SC2064 # the command as it is called now
  trap "json_report '$1' \$?" EXIT
}

json_report() {
  local code=$2 colour='' text
  [ ! -d state/active ] || colour=$(active_colour)
  text=$(printf '"command":"%s","result":"%s","exitCode":%d,"seconds":%d,"colour":"%s","image":"%s"' \
    "$1" "$(result_of "$code")" "$code" "$SECONDS" "$colour" "$(remembered "$colour")")
  if [ "$code" != 0 ]; then
    text+=$(printf ',"failedStep":"%s","failure":"%s"' "$(noted step)" "$(noted failure)")
  fi
  echo "{$text}" >&8
  rm -f "$REPORT"
}

result_of() {
  case $1 in
    0) echo 'done' ;;
    2) echo misused ;;
    4) echo incomplete ;;
    75) echo busy ;;
    *) echo failed ;;
  esac
}

noted() { json_text "$(sed -n "s/^$1=//p" "$REPORT" | tail -1)"; }

json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '%s' "$text" | tr '\000-\037' ' '
}
