#!/bin/sh
# An answer over TLS from a server that has loaded its data.
REDISCLI_AUTH=$(cat /run/secrets/redis_password)
export REDISCLI_AUTH
test "$(redis-cli --tls --cacert /etc/velum/ssl/ca.crt -h localhost ping)" = PONG
