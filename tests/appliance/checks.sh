# shellcheck shell=bash
# What the guest scripts share: checks that are counted, and looks at the installed gate. Sourced by
# deb_guest.sh, rpm_guest.sh and vm_guest.sh, beside which it is pushed.

failed=0
passed=0

# check WHAT COMMAND...: one line; what a failing command printed follows it.
check() {
  local what=$1
  shift
  if "$@" >/tmp/check 2>&1; then
    passed=$((passed + 1))
    printf '  ok    %s\n' "$what"
  else
    failed=$((failed + 1))
    printf '  FAIL  %s\n' "$what"
    tail -n 30 /tmp/check | sed 's/^/        /'
  fi
}
is() { [ "$1" = "$2" ] || { printf 'is %s, not %s\n' "$1" "$2"; return 1; }; }
has() { grep -q -- "$2" <<<"$1" || { printf 'no %s in: %s\n' "$2" "$1"; return 1; }; }
has_not() { ! has "$@" >/dev/null || { printf '%s is in: %s\n' "$2" "$1"; return 1; }; }
not() { ! "$@"; }
until_true() { for _ in $(seq 100); do if "$@"; then return 0; fi; sleep 0.1; done; "$@"; }

# under_load COMMAND...: whether no connection is refused meanwhile. Those that are open are cut, and
# wrk opens them anew.
under_load() {
  wrk -t 1 -c 20 -d 6s $url/ >/tmp/wrk &
  sleep 2
  local status=0
  "$@" || status=$?
  wait $!
  cat /tmp/wrk
  [ "$status" = 0 ] && has "$(cat /tmp/wrk)" 'requests in' && not grep -E 'connect [1-9]' /tmp/wrk
}
summary() { sed -n 's/^ *\(.* requests in .*\|Socket errors.*\)/        wrk: \1/p' /tmp/wrk; }
no_request_failed() {
  summary
  check 'no request fails either' has_not "$(cat /tmp/wrk)" 'Socket errors'
}

url=https://127.0.0.1:8443
started_at() { systemctl show -P ActiveEnterTimestampMonotonic ringward; }
gate_pid() { systemctl show -P MainPID ringward; }
status_of() { curl -sk -o /dev/null -w '%{http_code}' "$@"; }
answers() { is "$(status_of $url/)" 401; }
with_key() { curl -sk -H "x-api-key: $(cat /etc/ringward/first-api-key)" "$@"; }
mode_of() { stat -c '%a %U:%G' "$1"; }
made='first-api-key api-keys mint.jwk tls/cert.pem tls/key.pem'
all_prints() { for one in $made; do sha256sum "/etc/ringward/$one"; done; }

# A setting of this machine's network that the profile `latency` changes, and what it is before.
tuned=/proc/sys/net/ipv4/tcp_slow_start_after_idle
tune() {
  before_tuning=$(cat "$tuned")
  # In a container some of the profile is read-only: that is told, and the rest is set.
  ringward tune latency --apply || true
  is "$(cat "$tuned")" 0 && test -s /etc/sysctl.d/ringward-tune.conf &&
    test -s /var/lib/ringward/tune-before
}
# What removing the package has to have put back.
is_not_tuned() {
  is "$(cat "$tuned")" "$before_tuning" && not test -e /etc/sysctl.d/ringward-tune.conf &&
    not test -e /var/lib/ringward/tune-before
}

# sum_up: the last line, and the exit status.
sum_up() {
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
