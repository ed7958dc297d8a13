#!/bin/bash
# Inside the machine of the image's trial, after each start: says which slot it is, and does what the outside writes to /bed/do.

echo "$(weir-slot booted) $(cat /proc/sys/kernel/random/boot_id)" >>/bed/boots
while :; do
  if [[ -e /bed/do ]]; then
    mv /bed/do /bed/doing
    bash /bed/doing >/bed/out 2>&1
    echo $? >/bed/did
  fi
  sleep 0.3
done
