#!/usr/bin/env bash
# What deb_test.sh runs inside: /lab/ringward.deb is to be installed, /lab/newer.deb is its upgrade.
set -u
cd /lab || exit
export DEBIAN_FRONTEND=noninteractive
# shellcheck source=tests/appliance/checks.sh
. ./checks.sh

install() { apt-get -q -y -o Dpkg::Options::=--force-confold --no-install-recommends install "$@"; }

first_install() {
  check 'what this needs is here' install python3 logrotate
  check 'apt installs it' install ./ringward.deb
  check 'the service runs' systemctl is-active ringward
  check 'and at every boot' systemctl is-enabled ringward
  check 'the user is of the system and cannot log in' \
    has "$(getent passwd ringward)" '/var/lib/ringward:/usr/sbin/nologin$'
  local said
  said=$(journalctl -u ringward -o cat --no-pager)
  check 'the journal says where the key is' has "$said" '/etc/ringward/first-api-key'
  check 'and not what it is' has_not "$said" "$(cat /etc/ringward/first-api-key)"
  for one in first-api-key api-keys mint.jwk tls/key.pem; do
    check "$one is for root and the group" is "$(mode_of "/etc/ringward/$one")" '640 root:ringward'
  done
  check 'so is its folder' is "$(mode_of /etc/ringward)" '750 root:ringward'
  check 'the package itself has none of them' \
    not grep -E '/etc/ringward/(tls|api-keys|first|mint)' <(dpkg -L ringward)
  check 'ringward check, by root, accepts the configuration' ringward check
  check 'the loader finds every library' has_not "$(ldd /usr/bin/ringward)" 'not found'
  check 'the bill of materials has each of them' bill_is_whole
  check 'a P-256 certificate, signed by itself' has \
    "$(openssl x509 -in /etc/ringward/tls/cert.pem -noout -text)" 'NIST CURVE: P-256'
}

# Every library that the loader maps, and wolfSSL, which is in the program itself, has a line with a version.
bill_is_whole() {
  local owners
  mapfile -t owners < <(ldd /usr/bin/ringward | awk '/=> \// { print $3 }' | xargs -n 1 basename |
    xargs -n 1 dpkg -S | cut -d: -f1 | sort -u)
  python3 - /usr/share/ringward/ringward.cdx.json wolfssl "${owners[@]}" <<'END'
import json
import sys
bill = {c["name"]: c.get("version") for c in json.load(open(sys.argv[1]))["components"]}
print("wanted:", *sys.argv[2:])
print("there:", bill)
assert len(sys.argv) > 8 and all(bill.get(name) for name in sys.argv[2:])
END
}

serving() {
  check 'without a key: 401' is "$(status_of $url/)" 401
  check 'which names no path' has_not "$(curl -sk $url/)" /etc
  local down
  down=$(with_key -w ' %{http_code}' $url/)
  check 'with the key, and nobody at 127.0.0.1:8080: 502' has "$down" ' 502$'
  check 'that says which file to edit' has "$down" '/etc/ringward/ringward.toml'
  check 'the log has the reason' until_true grep -q upstream_refused /var/log/ringward/access.log
  local token
  token=$(with_key -X POST $url/token | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
  check 'the key is traded for a token, which is accepted' \
    is "$(status_of -H "authorization: Bearer $token" $url/)" 502
  for _ in 1 2 3 4 5 6; do with_key -o /dev/null -X POST $url/token; done
  check 'the mint gives an address five a minute' is "$(with_key -o /dev/null -w '%{http_code}' -X POST $url/token)" 429
  mkdir -p /tmp/app && echo hello >/tmp/app/index.html
  systemd-run -q --unit app python3 -m http.server -d /tmp/app --bind 127.0.0.1 8080
  check 'an application at 127.0.0.1:8080 is served' until_true has_hello
}
has_hello() { has "$(with_key $url/)" hello; }

sandbox() {
  local pid score
  pid=$(gate_pid)
  score=$(systemd-analyze security --no-pager ringward.service | sed -n 's/.*Overall exposure level for ringward.service: \([0-9.]*\).*/\1/p')
  printf '        systemd-analyze security: %s\n' "$score"
  check 'systemd-analyze security is at most 1.5' awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 1.5) }'
  score=$(systemd-analyze security --no-pager ringward@x.service 2>&1 | sed -n 's/.*exposure level for ringward@x.service: \([0-9.]*\).*/\1/p')
  check "so is an instance's ($score)" awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 1.5) }'
  check 'it runs as ringward' is "$(stat -c %U "/proc/$pid")" ringward
  check 'without capabilities' is "$(sed -n 's/^CapEff:\t*//p' "/proc/$pid/status")" 0000000000000000
  check 'behind seccomp' is "$(sed -n 's/^Seccomp:\t*//p' "/proc/$pid/status")" 2
  check 'no new privileges' is "$(sed -n 's/^NoNewPrivs:\t*//p' "/proc/$pid/status")" 1
  check '/ is read-only to it' has "$(awk '$5 == "/" { print $6 }' "/proc/$pid/mountinfo" | tail -n 1)" '^ro'
  check 'each worker is pinned to a CPU' workers_are_pinned "$pid"
  # Of fewer descriptors than LimitNOFILE= says, it may: the machine outside can have a bound of its own.
  check 'and it warned of nothing' has_not \
    "$(journalctl -u ringward -o cat --no-pager | grep -v RLIMIT_NOFILE)" 'ringward: \(warning\|error\)'
  systemctl stop ringward
  check 'systemd has no complaint about the units' units_are_right
  systemctl start ringward
}
workers_are_pinned() {
  local task count=0
  for task in /proc/"$1"/task/*; do
    case $(cat "$task/comm") in
      worker-*)
        count=$((count + 1))
        sed -n 's/^Cpus_allowed_list:\t*//p' "$task/status" | grep -qx '[0-9]*' || return 1 ;;
    esac
  done
  [ "$count" -ge 1 ]
}
units_are_right() { not grep -i ringward <(systemd-analyze verify --man=no ringward.service 2>&1); }

changes() {
  local before
  before=$(all_prints)
  check 'reload' systemctl reload ringward
  echo 'nonsense' >/etc/ringward/zz.toml
  check 'a broken file is refused' not systemctl reload ringward
  check 'and serves on' has_hello
  rm /etc/ringward/zz.toml
  check 'restart' systemctl restart ringward
  check 'which makes nothing anew' is "$(all_prints)" "$before"
  check 'a low port, by an edit and a restart' low_port
  check 'logrotate has a new log written' rotated
}
low_port() {
  sed -i 's/^address = "\[::\]:8443".*/address = "[::]:443"/' /etc/ringward/ringward.toml
  systemctl restart ringward && is "$(status_of https://127.0.0.1/)" 401
  local answer=$?
  sed -i 's/^address = "\[::\]:443".*/address = "[::]:8443"  # an edit/' /etc/ringward/ringward.toml
  systemctl restart ringward && return "$answer"
}
rotated() {
  logrotate -f /etc/logrotate.d/ringward && [ -s /var/log/ringward/access.log.1 ] || return 1
  until_true new_line && is "$(mode_of /var/log/ringward/access.log)" '640 ringward:ringward'
}
new_line() { status_of $url/ >/dev/null && [ -s /var/log/ringward/access.log ]; }

resilience() {
  local pid
  check 'a restart under load refuses no connection' under_load systemctl restart ringward
  summary
  pid=$(gate_pid)
  systemctl kill --kill-who=main --signal=KILL ringward
  check 'after a crash it is back' until_true is_another "$pid"
  check 'and serves' has_hello
  mkdir -p /run/systemd/system/ringward.service.d
  printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/ringward.service.d/soon.conf
  systemctl daemon-reload
  systemctl restart ringward
  pid=$(gate_pid)
  systemctl kill --kill-who=main --signal=STOP ringward
  check 'the watchdog ends one that hangs, and it is back' until_true is_another "$pid"
  check 'and serves' until_true has_hello
  rm -r /run/systemd/system/ringward.service.d
  systemctl daemon-reload
  systemctl restart ringward
}
is_another() { [ "$(gate_pid)" != "$1" ] && [ "$(gate_pid)" != 0 ] && systemctl is-active -q ringward; }

# Nobody's request fails, unlike at a restart.
handing_over() {
  local pid since
  pid=$(gate_pid)
  since=$(started_at)
  check 'ten reloads under load' under_load reload_often
  no_request_failed
  check 'ringward upgrade under load' under_load ringward upgrade
  no_request_failed
  check 'another process serves' is_another "$pid"
  check 'and the service has not been stopped' is "$(started_at)" "$since"
  check 'the one before has ended' until_true not test -e "/proc/$pid"
  check 'systemctl reload is for the new one' systemctl reload ringward
  check 'which serves' has_hello
}
reload_often() { for _ in 1 2 3 4 5 6 7 8 9 10; do systemctl reload ringward || return; done; }

instances() {
  mkdir /etc/ringward/blue
  cat >/etc/ringward/blue/ringward.toml <<'END'
[log]
access.path = "/var/log/ringward/blue.log"
[server]
state = "/var/lib/ringward/blue"
[admin]
socket = "/run/ringward-blue/admin.sock"
address = "off"
[[listener]]
name = "https"
address = "127.0.0.1:9443"
  [listener.tls]
  certificates = [{ chain = "/etc/ringward/blue/tls/cert.pem", key = { file = "/etc/ringward/blue/tls/key.pem" } }]
[[route]]
name = "all"
path_prefix = "/"
action = "respond"
body = "blue"
auth = []
END
  check 'an instance starts' systemctl start ringward@blue
  check 'with a certificate of its own' is "$(curl -s --cacert /etc/ringward/blue/tls/cert.pem https://localhost:9443/)" blue
  check 'reloads' systemctl reload ringward@blue
  check 'and leaves the other one alone' has_hello
}

upgrade() {
  local before pid since blue
  before=$(all_prints; sha256sum /etc/ringward/ringward.toml)
  pid=$(gate_pid)
  since=$(started_at)
  blue=$(systemctl show -P MainPID ringward@blue)
  echo kept >/var/lib/ringward/state
  check 'apt upgrades it, under load, and no connection is refused' under_load install ./newer.deb
  no_request_failed
  check 'by handing over: the service has not been stopped' is "$(started_at)" "$since"
  check 'the instance has a new process too' not is "$(systemctl show -P MainPID ringward@blue)" "$blue"
  check 'which serves' is "$(curl -s --cacert /etc/ringward/blue/tls/cert.pem https://localhost:9443/)" blue
  check 'configuration and keys are as they were' is "$(all_prints; sha256sum /etc/ringward/ringward.toml)" "$before"
  check 'so is the state' is "$(cat /var/lib/ringward/state)" kept
  check 'the new first configuration is beside the edited one' grep -q newer /etc/ringward/ringward.toml.dpkg-dist
  check 'the new program runs' not is "$(gate_pid)" "$pid"
  check 'and serves' has_hello
}

removal() {
  local before
  before=$(all_prints)
  check 'a profile is applied' tune
  check 'apt removes it' apt-get -q -y remove ringward
  check 'it has stopped' is "$(status_of $url/)" 000
  check 'the instance too' not systemctl is-active -q ringward@blue
  check 'the kernel has what it had before the profile' is_not_tuned
  check 'keys stay' is "$(all_prints)" "$before"
  check 'apt installs it again' install ./newer.deb
  check 'with the same keys' is "$(all_prints)" "$before"
  check 'which are accepted' has_hello
  check 'a profile is applied' tune
  check 'apt purges it' apt-get -q -y purge ringward
  check 'the kernel has what it had, once more' is_not_tuned
  check 'no user is left' not getent passwd ringward
  check 'no group' not getent group ringward
  # The journal, apt's and dpkg's logs and cache are theirs.
  check 'no file' nothing_is_left
  check 'no unit' not systemctl cat ringward
}
nothing_is_left() {
  local found
  found=$(find / -xdev \( -path /proc -o -path /sys -o -path /lab -o -path /var/log/journal -o -path /var/log/apt \
    -o -path /var/lib/apt -o -path /var/cache/apt \) -prune -o -name '*ringward*' -print; find /run -name '*ringward*' -print)
  [ -z "$found" ] || { echo "$found"; return 1; }
}

for part in first_install serving sandbox changes resilience handing_over instances upgrade removal; do "$part"; done
sum_up
