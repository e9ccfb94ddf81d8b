#!/usr/bin/env bash
# What vm_test.sh runs inside, one part at a time: vm_guest.sh PART. Between the later parts the machine is
# started anew, or loses its power.
set -u
cd /lab || exit
# shellcheck source=tests/appliance/checks.sh
. ./checks.sh

# Emulation: a start takes a while.
patiently() { for _ in $(seq 30); do if until_true "$@"; then return 0; fi; done; return 1; }
serves() { patiently answers; }
with() { curl -sk -o /dev/null -w '%{http_code}' -H "x-api-key: $(cat "$1")" "${2:-$url/}"; }
# Nobody is behind the gate.
accepted() { is "$(with /etc/ringward/first-api-key)" 502; }
limit() { awk -v of="$1" 'index($0, of) == 1 { print $(NF - 1) }' "/proc/$(gate_pid)/limits"; }
locked_kib() { sed -n 's/^VmLck:[\t ]*\([0-9]*\) kB/\1/p' "/proc/$(gate_pid)/status"; }
cgroup() { cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(gate_pid)/cgroup")/$1"; }

installed() {
  printf '        kernel %s\n' "$(uname -r)"
  check 'dpkg installs it' dpkg -i debs/*.deb
  check 'it serves' serves
  check 'locked memory has the bound of the unit' is "$(limit 'Max locked memory')" 268435456
  check 'descriptors too, or as many as the kernel gives' [ "$(limit 'Max open files')" -ge 524288 ]
  check "secrets are locked ($(locked_kib) KiB)" [ "$(locked_kib)" -gt 0 ]
  check 'within the 8 MiB that docs/tuning.md says' [ "$(locked_kib)" -le 8192 ]
}

# with_setting LINE...: the service anew with these in its unit; without any, as it is.
with_setting() {
  local drop=/run/systemd/system/ringward.service.d
  rm -rf "$drop"
  if [ $# -gt 0 ]; then
    mkdir -p "$drop"
    printf '%s\n' '[Service]' "$@" >"$drop/bound.conf"
  fi
  systemctl daemon-reload
  systemctl restart ringward
}
# Of the process that runs now.
said() { journalctl "_PID=$(gate_pid)" -o cat --no-pager; }

bounded() {
  check 'it said nothing of locked memory' has_not "$(said)" RLIMIT_MEMLOCK
  with_setting LimitMEMLOCK=16K
  check 'it serves with LimitMEMLOCK=16K' serves
  check 'with a key' accepted
  check 'and warns that secrets may be swapped' has "$(said)" 'warning: no room to lock secrets.*LimitMEMLOCK='
  # 64 MiB + 32 MiB x workers + 10 KiB x clients is what docs/tuning.md says.
  local bytes=$(((64 + 32 * $(nproc)) * 1048576 + 200 * 10240)) peak
  with_setting "MemoryMax=$bytes" MemorySwapMax=0
  check "it serves with MemoryMax=$bytes" serves
  wrk -t 1 -c 200 -d 10s $url/ >/tmp/wrk 2>&1
  check 'and 200 clients at once' grep -q 'requests in' /tmp/wrk
  peak=$(cgroup memory.peak 2>/dev/null || echo unknown)
  check "nothing is killed (memory.peak $peak)" has "$(cgroup memory.events)" 'oom_kill 0'
  check 'and it still serves' serves
  with_setting
  check 'and without the bound' serves
}

state=/var/lib/ringward
audit=/var/log/ringward/audit.jsonl
# verifies STATUS FILE...: what `audit verify` of a gate that runs ends with, against the checkpoint in since.
verifies() {
  local wanted=$1 status=0
  shift
  ringward audit verify --running --public-key audit.pub --since since "$@" >verified 2>&1 || status=$?
  is "$status" "$wanted" || { cat verified; return 1; }
}
# A checkpoint that every later look has to find again.
last_checkpoint() { grep '"event":"checkpoint"' "$audit" | tail -n 1 >since && [ -s since ]; }

prepared() {
  check 'a profile is applied' tune
  ringward key new shut-out >new-key
  sed -n 's/^key: *//p' new-key >shut-out
  sed -n 's/^line: *//p' new-key >>/etc/ringward/api-keys
  openssl rand -hex 32 | install -m 0640 -g ringward /dev/stdin /etc/ringward/audit-seed
  printf '[ban]\n[log.audit]\npath = "%s"\nsign = { file = "/etc/ringward/audit-seed" }\n' "$audit" \
    >>/etc/ringward/ringward.toml
  check 'the configuration has an audit log' ringward check
  systemctl restart ringward
  check 'it serves' serves
  ringward audit public-key >audit.pub
  check 'a second key is accepted' is "$(with shut-out)" 502
  check 'it is revoked' ringward revoke identity shut-out
  check 'and let in no longer' is "$(with shut-out)" 401
  check 'an address is banned' ringward ban 198.51.100.7 24h
  check 'the audit log has a checkpoint' patiently last_checkpoint
  check 'and verifies' verifies 0 "$audit"
  all_prints >prints
  sync
}

stays_shut_out() {
  check 'who was shut out stays it' is "$(with shut-out)" 401
  are_listed
}
are_listed() {
  check 'who was shut out is listed' has "$(ringward revoked)" shut-out
  check 'so is the address that was banned' has "$(ringward bans)" 198.51.100.7
}

# After `systemctl reboot`.
rebooted() {
  check 'it serves after a boot' serves
  check 'keys and certificate are as they were' is "$(all_prints)" "$(cat prints)"
  check 'the key is accepted' accepted
  stays_shut_out
  check 'the profile is in force' is "$(cat "$tuned")" 0
  check 'the module for kernel TLS is loaded' grep -q '^tls ' /proc/modules
  check 'the audit log verifies over the boot' verifies 0 "$audit"
  check 'of two processes' is "$(grep -c '"event":"start"' "$audit")" 2
  # The next part: power is lost right behind a first start.
  systemctl stop ringward
  for one in $made; do rm -f "/etc/ringward/$one"; done
  sync
  systemctl start ringward
  check 'a first start' serves
}

# After power was lost right behind a first start.
first_start_lost() {
  check 'it serves after power was lost' serves
  for one in $made; do check "$one is not empty" test -s "/etc/ringward/$one"; done
  check 'the key is accepted' accepted
  check 'check accepts the configuration' ringward check
  are_listed
  # What that start had recorded may have been lost as a whole, less than a second old.
  check 'the audit log ends there, and is open at no other end' verifies_but_for_the_last "$audit"
  open_ends >open-before
  all_prints >prints
  sha256sum /etc/ringward/ringward.toml >>prints
  check 'a checkpoint since' patiently checkpoint_of_this_start
  sync
  # The next part: power is lost under load, with a state file that is rewritten all the time.
  systemd-run -q --unit load wrk -t 1 -c 20 -d 3600s -H "x-api-key: $(cat /etc/ringward/first-api-key)" $url/
  # shellcheck disable=SC2016
  systemd-run -q --unit churn sh -c \
    'while :; do ringward revoke identity churn; ringward unrevoke identity churn; ringward reload; ringward reopen; done'
  check 'load' patiently systemctl is-active -q load churn
  for one in $(seq 20); do accepted_at "marked-$one" || exit; done
  check 'marked requests are recorded' patiently all_marked
  check 'the state has been rewritten' patiently rewritten
  # What was written is flushed a second later at most, says docs/audit.md; this is emulated.
  sleep 10
}
open_ends() { grep -c ': open: the chain ends' verified || true; }
verifies_but_for_the_last() {
  verifies 0 "$1" || { verifies 3 "$1" && is "$(open_ends)" 1; }
}
all_marked() { is "$(grep -c '"path":"/marked-' "$audit")" 20; }
checkpoint_of_this_start() {
  tail -n +"$(grep -n '"event":"start"' "$audit" | tail -n 1 | cut -d: -f1)" "$audit" |
    grep '"event":"checkpoint"' | tail -n 1 >since && [ -s since ]
}
accepted_at() { is "$(with /etc/ringward/first-api-key "$url/$1")" 502; }
rewritten() { [ "$(grep -c '"event":"revocation".*churn' "$audit")" -ge 10 ]; }

# After power was lost under load.
load_lost() {
  check 'it serves after power was lost under load' serves
  check 'keys, certificate and configuration are as they were' \
    is "$(all_prints; sha256sum /etc/ringward/ringward.toml)" "$(cat prints)"
  check 'the key is accepted' accepted
  are_listed
  check 'the state can be changed' ringward revoke identity somebody
  check 'and no half of a file is left' is "$(ls "$state")" "$(printf 'bans\nrevocations\ntune-before')"
  check 'what was recorded long before is there' all_marked
  check 'the audit log has open ends, and nothing else' verifies 3 "$audit"
  check 'one more than before, which it names' is "$(open_ends)" "$(($(cat open-before) + 1))"
  sed -n 's/^/        /p' verified
  check 'the profile is in force' is "$(cat "$tuned")" 0
  check 'reload' systemctl reload ringward
  check 'the access log goes on' patiently access_line
  check 'removal stops it' dpkg --remove ringward
  check 'and puts back what was there before the profile' is "$(cat "$tuned")" 1
  check 'now and for the next boot' not test -e /etc/sysctl.d/ringward-tune.conf
}
access_line() { accepted_at after-power && grep -q '"/after-power"' /var/log/ringward/access.log; }

"$1"
sum_up
