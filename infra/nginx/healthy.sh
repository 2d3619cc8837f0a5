#!/bin/bash
# Prints the answer of /health through nginx, whose header names the colour. The image has neither curl nor wget.
exec 3<>/dev/tcp/127.0.0.1/8081
printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
answer=$(timeout 4 cat <&3)
echo "$answer"
[[ $answer == 'HTTP/1.1 200'* ]]
