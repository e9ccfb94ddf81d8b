#!/usr/bin/env bash
# Kernel TLS on kernels that have it: boots Debian systems in emulation and runs, inside, the unit
# tests of TLS streams and the system tests that speak TLS. By hand, not in CI: a run takes some ten
# minutes for each system, most of it the emulated processor's.
#
#   tests/appliance/ktls.sh [SUITE...]     bookworm (kernel 6.1) and trixie (6.12) without arguments;
#                                          sid has a kernel that renews keys (6.14 and newer)
#
# Needs build/release/ringward and build/debug (./dev build, ./dev test unit net), the packages
# qemu-system-x86 qemu-utils mmdebstrap busybox-static cpio zstd xz-utils openssh-client e2fsprogs
# kmod, and root for a disk image that is not there yet. LAB_DIR says where those are kept. A failure
# leaves nothing behind but LAB_DIR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export LAB_DIR=${LAB_DIR:-/var/tmp/ringward-lab}
export LAB_EXTRA_PKGS='python3 python3-cryptography'

die() { printf 'ktls.sh: %s\n' "$*" >&2; exit 1; }

programs=("$root/build/release/ringward" "$root/build/debug/tests/unit/net/net_test")
for program in "${programs[@]}"; do
  [ -x "$program" ] || die "$program is missing: ./dev build && ./dev test unit net"
done

# Everything but the C library's own parts, which are the guest's: a newer Debian takes ours.
collect_libraries() {
  local to=$1
  ldd "${programs[@]}" | awk '/=> \//{print $3}' | sort -u |
    grep -v -E '/lib(c|m|dl|rt|pthread|resolv)\.so' |
    while read -r library; do cp -L "$library" "$to/"; done
}

running=''
down() {
  [ -z "$running" ] || "$here/vm.sh" down "$running"
  running=''
}

run_in() {
  local suite=$1 status=0
  [ -s "$LAB_DIR/$suite/disk.raw" ] || "$here/build-image.sh" "$suite" || return
  running=$suite
  "$here/vm.sh" up "$suite" || return
  "$here/vm.sh" push "$suite" "$work/libraries" "${programs[@]}" "$root/tests/vectors" \
    "$root/tests/system" /lab || return
  "$here/vm.sh" exec "$suite" bash -s <<'END' || status=$?
set -u
cd /lab
printf '#!/bin/sh\nLD_LIBRARY_PATH=/lab/libraries exec /lab/ringward "$@"\n' >gate
chmod +x gate
modprobe tls
failed=0
check() {
  echo "== $*"
  "$@" >out 2>&1 || { failed=1; cat out; }
  tail -n 3 out
}
./gate version
./gate version | grep -q 'kernel TLS makes the records' || { echo 'no kernel TLS'; exit 1; }
LD_LIBRARY_PATH=/lab/libraries check ./net_test --gtest_filter='StreamTls.*:StreamSplice.*'
export RW_BINARY=/lab/gate RW_SANITIZER=emulated RW_BODY_MIB=8
for name in ktls tls; do check python3 system/${name}_test.py; done
# Records that are larger than the socket's queue: the end must wait for what is held beside it.
sysctl -qw net.ipv4.tcp_wmem='4096 8192 8192'
for _ in 1 2 3; do check python3 system/ktls_test.py TheEnd; done
grep -E 'TlsTxSw|TlsCurrTxSw' /proc/net/tls_stat
exit $failed
END
  down
  return "$status"
}

work=$(mktemp -d)
trap 'down; rm -rf "$work"' EXIT
mkdir "$work/libraries"
collect_libraries "$work/libraries"
[ $# -gt 0 ] || set -- bookworm trixie
bad=0
for suite; do
  run_in "$suite" || { bad=1; echo "$suite: FAILED"; }
done
exit "$bad"
