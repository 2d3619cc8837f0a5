#!/bin/bash
# Without a login Kibana tells its overall state alone; it is available once Elasticsearch lets it in.
set -euo pipefail
answer=$(curl -fsS --max-time 6 --cacert /run/secrets/internal_ca https://localhost:5601/api/status)
[[ $answer == *'"overall":{"level":"available"'* ]]
