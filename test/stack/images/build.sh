#!/usr/bin/env bash
# Builds stand-ins for the base images, from Debian packages and under their official names, where no registry can be
# reached. The mirror and the certificates are those of this machine; no committed file names either.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)

# A mirror does not always answer.
patiently() {
  "$@" || { sleep 5 && "$@"; } || { sleep 20 && "$@"; }
}

have() { docker image inspect "$1" >/dev/null 2>&1; }

# As the official images do: no documentation, and apt keeps nothing.
debian() {
  have debian:bookworm-slim && return
  local mirror folder
  # shellcheck disable=SC2016 # apt's variables
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk '$2 == "bookworm" { print $1; exit }')
  [ -n "$mirror" ] || { echo "apt of this machine knows no bookworm mirror" >&2; return 1; }
  folder=$(mktemp -d)
  patiently bootstrap "$folder" "$mirror" || { tail "$folder.log" >&2; return 1; }
  # A proxy that this machine trusts signs what the registry answers.
  cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/* "$folder"/usr/share/{doc,man,locale}/*
  tar -C "$folder" -c . | docker import - debian:bookworm-slim >/dev/null
  rm -rf "$folder" "$folder.log"
}

# From nothing again: half a tree is no start for another try.
bootstrap() {
  rm -rf "$1" && mkdir -m 0755 "$1"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$1" "$2" >"$1.log" 2>&1
}

node() {
  have node:24-bookworm-slim && return
  local folder npm
  folder=$(mktemp -d)
  npm=$(readlink -f "$(command -v npm)")
  cp node/Dockerfile "$folder"
  cp "$root/node_modules/node/bin/node" "$folder/node"
  cp -r "$(dirname "$npm")/.." "$folder/npm"
  docker build -q -t node:24-bookworm-slim "$folder"
  rm -rf "$folder"
}

# What docker-compose.logging.yml names is not to be had here as a package: these speak its protocols.
logging() {
  local image=$1 name=$2 folder
  folder=$(mktemp -d)
  cp "$name"/* "$folder"
  mkdir -p "$folder/node_modules"
  cp -r "$root"/node_modules/{@fluent-org,@msgpack} "$folder/node_modules/"
  docker build -q -t "$image" "$folder"
  rm -rf "$folder"
}

debian
node
for image in postgres:15 redis:7 nginx:1; do
  have "$image" || patiently docker build -q -t "$image" "${image%%:*}"
done
# Those that are built here have a setting for a name.
sed -n 's/^ *image: \([^$]*\)$/\1/p' "$root/docker-compose.logging.yml" | while read -r image; do
  name=${image##*/} && name=${name%%[:-]*}
  logging "$image" "$name"
done
