#!/bin/bash
# Kibana takes no password from a file but its keystore's.
set -euo pipefail
VELUM_KIBANA_PASSWORD=$(cat /run/secrets/kibana_password)
VELUM_KIBANA_KEY=$(cat /run/secrets/kibana_encryption_key)
export VELUM_KIBANA_PASSWORD VELUM_KIBANA_KEY
exec /usr/local/bin/kibana-docker
