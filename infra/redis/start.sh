#!/bin/sh
# Redis takes no password from a file but its configuration's, and a command line is public.
set -eu
umask 077
{
  echo 'include /etc/velum/redis/redis.conf'
  printf 'requirepass %s\n' "$(cat /run/secrets/redis_password)"
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
