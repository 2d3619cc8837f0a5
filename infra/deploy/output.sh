# shellcheck shell=bash
# What a person follows goes to standard error; standard output is for answers.

step() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

# sentence, exit code
fail() {
  printf '%s  FAILED: %s\n' "$(date +%H:%M:%S)" "$1" >&2
  exit "${2:-1}"
}

# Anything but yes is no; nobody to ask is no.
confirm() {
  local answer=
  [ -t 0 ] || return 1
  read -r -p "$1 [y/N] " answer
  [ "$answer" = y ]
}
