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
# Prints {"sent": COUNT, "refused": N, "exit": STATUS}. Exit status: 0 all acknowledged, 1 some refused (mosquitto_pub
# only warns of that, and 3.1.1 has no way to tell it), else mosquitto_pub's own, 135 for a refused CONNECT.
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

publish() { mosquitto_pub "${common[@]}" "$@" 2> >(tee -a "$warnings" >&2); }

warnings=$(mktemp)
trap 'rm -f "$warnings"' EXIT
status=0
publish -m "$(readings "$first" 1)" || status=$?
if ((status == 0 && count > 1)); then
  readings $((first + 1)) $((count - 1)) | publish -l || status=$?
fi
wait
refused=$(grep -c '^Warning: Publish .* failed' "$warnings" || true)
((status != 0 || refused == 0)) || status=1
printf '{"sent": %d, "refused": %d, "exit": %d}\n' "$count" "$refused" "$status"
exit "$status"
