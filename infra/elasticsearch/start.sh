#!/bin/bash
# The image takes a password from a file only if that is of the mode 0400, which our secrets, read by a group, are not.
set -euo pipefail
ELASTIC_PASSWORD=$(head -n 1 /run/secrets/elastic_password)
export ELASTIC_PASSWORD
exec /usr/local/bin/docker-entrypoint.sh eswrapper
