#!/bin/bash
# What happens inside the machine after each power on. /bed is outside of it: what is written there is not lost, and
# tells when something was done. /bed/story names the function below that is played.

step() { echo "$1" >>/bed/steps; }
told() { echo "$1" >>/bed/told; }

# Waits until the gateway answers for itself.
answers() {
  until weir status --json >/bed/status.json 2>/dev/null; ! grep -q '"gateway":{"error"' /bed/status.json; do sleep 0.3; done
}

# value KEY: the first number of that name in the status.
value() {
  local text
  answers
  text=$(grep -o "\"$1\":[0-9]*" /bed/status.json | head -n 1)
  echo "${text#*:}"
}

add_device() { weir device add "$1" --link mqtt --codec =cod-1 >/dev/null && told "device $1"; }
back_up() { weir backup /data/stick >/dev/null && told backup; }

# The gateway puts its database aside and makes another one of it.
salvage() {
  weir journal salvage >/dev/null
  until_status '"salvaged":"'
}

# more N: until the outside saw so many more acknowledgements.
more() {
  local before now
  before=$(cat /bed/*.acked | wc -l)
  until now=$(cat /bed/*.acked | wc -l) && ((now >= before + $1)); do sleep 0.3; done
}

# until_status TEXT: until the gateway's status has this in it, as an extended regular expression.
until_status() {
  until answers && grep -Eq "$1" /bed/status.json; do :; done
}

# The power goes at any moment of it.
live() {
  local turn
  for turn in {1..1000}; do
    add_device "added-$seed-$turn"
    back_up
    ((RANDOM % 3 > 0)) || salvage
    sleep $((RANDOM % 4))
  done
}

# Every write of it is recorded.
recorded() {
  local turn
  step commit
  more 400
  for turn in {1..4}; do
    step 'config write'
    add_device "added-$turn"
    step commit
    more 150
  done
  step backup
  back_up
  step commit
  more 150
  step restore
  weir --state-dir /data/elsewhere restore /data/stick >/dev/null && told restore
  step commit
  more 150
  step salvage
  salvage
  step commit
  until (($(value whole) > 0)); do
    more 150
    # The keeper looks every ten seconds.
    step seal
    more 150
    step commit
  done
  step retention
  sed -i 's/^disk_reserve_bytes = .*/disk_reserve_bytes = 1_000_000_000/' /etc/weir/gateway.toml
  systemctl restart weir-gateway
  until (($(value whole) == 0)); do :; done
  step commit
  more 300
}

# table TEXT: what the disk of the box is made of from now on; nothing is flushed before.
table() {
  dmsetup suspend --nolockfs data
  dmsetup load data --table "$1"
  dmsetup resume --nolockfs data
}

# The disk refuses to write: first the kernel has made it read-only, then each write of it fails.
faults() {
  local sectors units=(weir-gateway.socket weir-gateway-mqtt.socket weir-gateway.service)
  systemctl stop "${units[@]}"
  umount /etc/weir /var/lib/weir /data
  sectors=$(blockdev --getsz /dev/vdb)
  dmsetup create data --table "0 $sectors linear /dev/vdb 0"
  mount /dev/mapper/data /data
  mount /var/lib/weir
  mount /etc/weir
  systemctl start "${units[@]}"
  more 100
  step read-only
  echo u >/proc/sysrq-trigger
  # What is written where something is written already may still succeed; a new file or a longer one does not.
  until_status 'Read-only file system'
  weir journal check >/dev/null && told 'read while read-only'
  mount -o remount,rw /data
  step healed
  more 100
  while answers && grep -q 'Read-only file system' /bed/status.json; do :; done
  step broken
  table "0 $sectors flakey /dev/vdb 0 0 3600 1 error_writes"
  until_status 'I/O error|Input/output error|Read-only file system'
  told 'said that it fails'
}

# Only the load.
idle() { :; }

read -r seed </bed/seed
read -r story </bed/story
RANDOM=$seed
answers
weir journal check --json >/bed/check.json
touch /bed/ready
"$story"
touch /bed/over
