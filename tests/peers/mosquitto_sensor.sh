#!/usr/bin/env bash
# An MQTT sensor made of mosquitto_pub: the client that a technician has at hand.
#
# Proves: mosquitto's own client delivers at both protocol versions and every QoS, one connection a reading or all on
# one connection, and a refusal makes it fail.
#
#   mosquitto_sensor.sh PORT USER PASSWORD TOPIC LEVEL QOS FIRST COUNT [mosquitto_pub options, e.g. --cafile ca.pem]
#
# LEVEL 4 is MQTT 3.1.1, 5 is MQTT 5. Publishes {"n":FIRST,"cod":FIRST.25} and so on: the first reading on a connection
# of its own, the others one a line on a second connection (-l). MQTT 5 adds a user property, which Weir may ignore.
# Prints {"sent": COUNT, "exit": STATUS}; STATUS is mosquitto_pub's and also the exit status: 0 all acknowledged.
set -euo pipefail
(($# >= 8)) || { sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
readonly port=$1 user=$2 password=$3 topic=$4 level=$5 qos=$6 first=$7 count=$8
shift 8
case $level in
  4) version=(-V mqttv311) ;;
  5) version=(-V mqttv5 -D publish user-property peer mosquitto) ;;
  *) echo 'LEVEL is 4 or 5' >&2; exit 2 ;;
esac
readonly common=(-h 127.0.0.1 -p "$port" -u "$user" -P "$password" -i "$user" -t "$topic" -q "$qos" "${version[@]}" "$@")

readings() { for ((n = $1; n < $1 + $2; n++)); do printf '{"n":%d,"cod":%d.25}\n' "$n" "$n"; done; }

status=0
mosquitto_pub "${common[@]}" -m "$(readings "$first" 1)" || status=$?
if ((status == 0 && count > 1)); then
  readings $((first + 1)) $((count - 1)) | mosquitto_pub "${common[@]}" -l || status=$?
fi
printf '{"sent": %d, "exit": %d}\n' "$count" "$status"
exit "$status"
