#!/usr/bin/env bash
# The Debian package on that Debian's own kernel, under qemu: limits on locked memory and on memory, what
# outlives a boot, and what outlives a loss of power, right behind a first start and under load.
#
#   tests/appliance/vm_test.sh [SUITE...]    bookworm (kernel 6.1) and trixie (6.12) without arguments
#
# Emulated, where there is no KVM: for correctness, never for speed. Needs root, what deb_test.sh needs,
# and qemu; LAB_DIR says where images are. vm_guest.sh is what runs inside, a part at a time.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
need_lab qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils
machine=$here/vm.sh
export LAB_BOOT_TIMEOUT=${LAB_BOOT_TIMEOUT:-600}
# What the guest takes for flushed has to outlive the emulator.
export LAB_CACHE=writeback

# with_dependencies SUITE PACKAGE TO: copies it and what it depends on, which the same image is asked for,
# with this machine's network: the emulated one has none.
with_dependencies() (
  export LAB_NAME=vmdeps-$1
  trap '"$here/ns.sh" down "$1"' EXIT
  "$here/ns.sh" up "$1"
  "$here/ns.sh" push "$1" "$2" /root
  "$here/ns.sh" fetch "$1" "/root/${2##*/}" >"$work/fetch.log" 2>&1 || { cat "$work/fetch.log"; exit 1; }
  mkdir -p "$3"
  find "$2" "$LAB_DIR/run/$LAB_NAME/root/var/cache/apt/archives" -name '*.deb' -exec cp {} "$3/" \;
)

test_suite() {
  local suite=$1 package bad=0
  package=$(built_package deb "$suite")
  need_image "$suite"
  with_dependencies "$suite" "$package" "$work/$suite/debs"
  "$here/vm.sh" up "$suite"
  "$here/vm.sh" push "$suite" "$work/$suite/debs" "$here"/{checks,vm_guest}.sh /lab
  part() { "$here/vm.sh" exec "$suite" bash /lab/vm_guest.sh "$1" || bad=1; }
  part installed
  part bounded
  part prepared
  "$here/vm.sh" reboot "$suite"
  part rebooted
  "$here/vm.sh" cut "$suite"
  part first_start_lost
  "$here/vm.sh" cut "$suite"
  part load_lost
  return "$bad"
}

[ $# -gt 0 ] || set -- bookworm trixie
each_suite test_suite "$@"
