#!/bin/bash
# What happens inside the machine with relays. /bed is outside of it. Prints `name: facts` for each scene; stops at the first
# that is not as promised.
set -euo pipefail
chip=/sys/kernel/config/gpio-sim/weir
declare -A line=([east]=3 [west]=4 [lamp]=5)

breach() { echo "BREACH: $*"; exit 1; }
now() { date +%s%3N; }
value() { cat "/sys/devices/platform/$device/$name/sim_gpio${line[$1]}/value"; }

# until_value RELAY VALUE MS: waits for it, and sets `took`.
until_value() {
  local began; began=$(now)
  until [[ $(value "$1") == "$2" ]]; do
    (($(now) - began < $3)) || breach "$1 is not $2 within $3 ms"
    sleep 0.02
  done
  took=$(($(now) - began))
}

# stays RELAY VALUE MS
stays() {
  local end=$(($(now) + $3))
  while (($(now) < end)); do [[ $(value "$1") == "$2" ]] || breach "$1 is not $2 any more"; sleep 0.05; done
}

# What the journal has of a sampler, in order.
steps() {
  weir tail -n 1000 --json | grep '"act":"sampled"' | grep "\"sampler\":\"$1\"" | grep -o '"step":"[a-z_]*"' | cut -d'"' -f4 |
    tr '\n' ' '
}
until_steps() {
  local end; end=$(($(now) + 60000))
  until [[ $(steps "$1") == "$2 " ]]; do
    (($(now) < end)) || breach "$1 has steps $(steps "$1"), not $2"
    sleep 0.3
  done
}
ready() {
  local end; end=$(($(now) + 60000))
  # Without a bottle it is not well, and ready all the same.
  until [[ $(weir sampler list --json 2>/dev/null || true) == *'"open":true'* ]]; do
    (($(now) < end)) || breach 'the gateway is not ready'
    sleep 0.2
  done
}
measure() { echo "$1" >/bed/measure; until [[ ! -e /bed/measure ]]; do sleep 0.1; done; }

modprobe configfs
modprobe gpio-simulator
mkdir -p $chip/bank0/line{3,4,5}
echo 8 >$chip/bank0/num_lines
echo weir-sim >$chip/bank0/label
echo EAST >$chip/bank0/line3/name
echo 1 >$chip/live
device=$(cat $chip/dev_name) name=$(cat $chip/bank0/chip_name)
udevadm settle
ls -l "/dev/$name"
systemctl start weir-gateway || { journalctl -u weir-gateway -n 20 --no-pager -o cat; breach "the gateway does not start"; }
ready
systemd-analyze security weir-gateway --no-pager | tail -1
weir sampler list
[[ $(value east)$(value west)$(value lamp) == 000 ]] || breach 'a line is on at the start'

measure 95
until_value east 1 30000
began=$(now)
until_value lamp 1 5000
until_value east 0 15000
# What is emulated is slow to look.
lasted=$(($(now) - began))
((lasted > 4500 && lasted < 7500)) || breach "the pulse of 5000 ms was $lasted"
until_steps east 'started taken'
echo "alarm: a pulse of 5000 ms was $lasted"
weir alarm ack cod-high cod-1 --reason seen >/dev/null
until_value lamp 0 5000
echo "acknowledged: the lamp is off after $took ms"

weir sampler take west --reason kill >/dev/null
until_value west 1 5000
systemctl kill -s KILL weir-gateway
until_value west 0 3000
echo "SIGKILL in mid-pulse: off after $took ms"
ready
until_steps west 'started uncertain'
stays west 0 5000
until_steps east 'started taken'
echo 'SIGKILL in mid-pulse: told as uncertain, no second bottle'

weir sampler take west --reason freeze >/dev/null
until_value west 1 5000
systemctl kill -s STOP weir-gateway
until_value west 0 30000
echo "frozen in mid-pulse: the watchdog has it off after $took ms"
ready
until_steps west 'started uncertain started uncertain'

weir sampler take west --reason stop >/dev/null
until_value west 1 5000
systemctl stop --no-block weir-gateway
until_value west 0 3000
echo "stopped in mid-pulse: off after $took ms"
until ! systemctl is-active -q weir-gateway; do sleep 0.1; done
runuser -u weir -- weir sampler off >/dev/null && breach 'a user without the group gpio may switch'
systemctl start weir-gateway
ready
until_steps west 'started uncertain started uncertain started uncertain'
weir sampler take west --reason last >/dev/null && breach 'a bottle more than there are'
weir sampler refill west --reason emptied
weir verify >/dev/null
echo 'bottles: none left is refused and refilled'
touch /bed/held
