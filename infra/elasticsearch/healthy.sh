#!/bin/bash
# An answer over TLS, with the password, from a node whose primary shards are all there. curl reads the password from
# its standard input: a command line is public.
set -euo pipefail
printf 'user = "elastic:%s"\n' "$(head -n 1 /run/secrets/elastic_password)" |
  curl -fsS -K - --max-time 6 --cacert /run/secrets/internal_ca -o /dev/null \
    'https://localhost:9200/_cluster/health?wait_for_status=yellow&timeout=4s'
