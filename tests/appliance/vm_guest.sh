#!/usr/bin/env bash
# What vm_test.sh runs inside, one part at a time: vm_guest.sh PART. Between parts the machine is started
# anew, or its plug is pulled.
set -u
cd /lab || exit
# shellcheck source=tests/appliance/checks.sh
. ./checks.sh

# Emulation: a start takes a while.
serves() { for _ in $(seq 30); do if until_true answers; then return 0; fi; done; return 1; }
limit() { awk -v of="$1" 'index($0, of) == 1 { print $(NF - 1) }' "/proc/$(gate_pid)/limits"; }
locked_kib() { sed -n 's/^VmLck:[\t ]*\([0-9]*\) kB/\1/p' "/proc/$(gate_pid)/status"; }
cgroup() { cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(gate_pid)/cgroup")/$1"; }
accepted() { is "$(with_key -o /dev/null -w '%{http_code}' $url/)" 502; }

installed() {
  check 'dpkg installs it' dpkg -i debs/*.deb
  check 'it serves' serves
  check 'locked memory has the bound of the unit' is "$(limit 'Max locked memory')" 268435456
  check 'descriptors too, or as many as the kernel gives' [ "$(limit 'Max open files')" -ge 524288 ]
  check "secrets are locked ($(locked_kib) KiB)" [ "$(locked_kib)" -gt 0 ]
  check 'within the 8 MiB that docs/tuning.md says' [ "$(locked_kib)" -le 8192 ]
  bounded
  check 'a profile is applied' tune
  all_prints >prints
  sync
}

# 64 MiB + 32 MiB x workers + 10 KiB x clients is what docs/tuning.md says.
bounded() {
  local bytes=$(((64 + 32 * $(nproc)) * 1048576 + 200 * 10240))
  mkdir -p /run/systemd/system/ringward.service.d
  printf '[Service]\nMemoryMax=%s\nMemorySwapMax=0\n' "$bytes" >/run/systemd/system/ringward.service.d/memory.conf
  systemctl daemon-reload
  systemctl restart ringward
  check "it serves with MemoryMax=$bytes" serves
  wrk -t 1 -c 200 -d 10s $url/ >/tmp/wrk 2>&1
  check 'and 200 clients at once' grep -q 'requests in' /tmp/wrk
  check "nothing is killed (memory.peak $(cgroup memory.peak 2>/dev/null || echo unknown))" has "$(cgroup memory.events)" 'oom_kill 0'
  check 'and it still serves' serves
  rm -r /run/systemd/system/ringward.service.d
  systemctl daemon-reload
  systemctl restart ringward
  check 'and without the bound' serves
}

# After `systemctl reboot`.
rebooted() {
  check 'it serves after the boot' serves
  check 'keys and certificate are as they were' is "$(all_prints)" "$(cat prints)"
  check 'the key is accepted' accepted
  check 'the profile is in force' is "$(cat "$tuned")" 0
  check 'the module for kernel TLS is loaded' grep -q '^tls ' /proc/modules
  # The next part: a first start, and the plug is pulled as soon as it serves.
  systemctl stop ringward
  for one in $made; do rm -f "/etc/ringward/$one"; done
  sync
  systemctl start ringward
  check 'a first start' serves
}

# After the plug was pulled right behind a first start.
first_start_lost() {
  check 'it serves after power was lost' serves
  for one in $made; do check "$one is not empty" test -s "/etc/ringward/$one"; done
  check 'the key is accepted' accepted
  check 'check accepts the configuration' ringward check
  all_prints >prints
  sha256sum /etc/ringward/ringward.toml >>prints
  sync
  # The next part: power is lost under load.
  systemd-run -q --unit load wrk -t 1 -c 20 -d 600s $url/
  systemd-run -q --unit reloads sh -c 'while :; do ringward reload; ringward reopen; sleep 0.2; done'
  check 'load' until_true systemctl is-active -q load reloads
  sleep 5 # under load
}

# After the plug was pulled under load.
load_lost() {
  check 'it serves after power was lost under load' serves
  check 'keys, certificate and configuration are as they were' \
    is "$(all_prints; sha256sum /etc/ringward/ringward.toml)" "$(cat prints)"
  check 'the key is accepted' accepted
  check 'the profile is in force' is "$(cat "$tuned")" 0
  check 'reload' systemctl reload ringward
  check 'the log goes on' until_true grep -q '"status":502' /var/log/ringward/access.log
  check 'remove puts back what was there' dpkg --remove ringward
  check 'the profile is gone' not test -e /etc/sysctl.d/ringward-tune.conf
  check 'so is its value' is "$(cat "$tuned")" 1
}

"$1"
sum_up
