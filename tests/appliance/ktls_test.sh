#!/usr/bin/env bash
# Kernel TLS on kernels that have it: boots Debian systems under qemu and runs, inside, the unit tests of
# TLS streams and the system tests that speak TLS.
#
#   tests/appliance/ktls_test.sh [SUITE...]    bookworm (kernel 6.1) and trixie (6.12) without arguments;
#                                              sid has a kernel that renews keys (6.14 and newer)
#
# Emulated, where there is no KVM: some ten minutes for each. The programs are those of build/release and
# build/debug, brought up to date first. Needs root, what vm_test.sh needs, and images of its own, with
# Python in them: LAB_DIR says where those are kept. ktls_guest.sh is what runs inside.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
need_lab qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils
machine=$here/vm.sh
export LAB_DIR=$LAB_DIR/with-python
export LAB_EXTRA_PKGS='python3 python3-cryptography'
export LAB_BOOT_TIMEOUT=${LAB_BOOT_TIMEOUT:-600}
programs=("$root/build/release/ringward" "$root/build/debug/tests/unit/net/net_test")

# build_programs: unless LAB_KEEP is set, and they are there.
build_programs() {
  if [ -n "${LAB_KEEP:-}" ] && [ -x "${programs[0]}" ] && [ -x "${programs[1]}" ]; then return; fi
  "$root/dev" build
  "$root/dev" test unit net >&2
}

# Everything but the C library's own parts, which are the guest's: a newer Debian takes ours.
collect_libraries() {
  local to=$1
  mkdir -p "$to"
  ldd "${programs[@]}" | awk '/=> \//{print $3}' | sort -u |
    grep -v -E '/lib(c|m|dl|rt|pthread|resolv)\.so' |
    while read -r library; do cp -L "$library" "$to/"; done
}

test_suite() {
  local suite=$1
  build_programs
  need_image "$suite"
  collect_libraries "$work/libraries"
  "$here/vm.sh" up "$suite"
  "$here/vm.sh" push "$suite" "$work/libraries" "${programs[@]}" "$root/tests/vectors" \
    "$root/tests/system" "$here"/{checks,ktls_guest}.sh /lab
  "$here/vm.sh" exec "$suite" bash /lab/ktls_guest.sh
}

[ $# -gt 0 ] || set -- bookworm trixie
each_suite test_suite "$@"
