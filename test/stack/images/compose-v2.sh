#!/usr/bin/env bash
# Unpacks Compose 2 and buildx of Debian 13 as plugins under FOLDER/cli-plugins, for DOCKER_CONFIG=FOLDER. Debian 12 has
# Compose 1.29 alone.
set -euo pipefail
folder=$(mkdir -p "${1:?FOLDER}/cli-plugins" && readlink -f "$1")
# shellcheck disable=SC2016 # apt's variables
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk '$2 == "bookworm" { print $1; exit }')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,debs}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
options=(-qq -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources.list"
  -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
apt-get "${options[@]}" update
(cd "$work/debs" && apt-get "${options[@]}" download docker-compose docker-buildx)
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
find "$work/root" -name 'docker-*' -path '*cli-plugins*' -exec cp {} "$folder/cli-plugins/" \;
ls "$folder/cli-plugins"
