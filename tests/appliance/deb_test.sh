#!/usr/bin/env bash
# The Debian package on a real systemd: installs it, uses it as its README says, upgrades, removes and
# purges it, under systemd-nspawn on Debian 12 and 13 with this machine's kernel.
#
#   tests/appliance/deb_test.sh [SUITE...]    bookworm and trixie without arguments
#
# Needs root, systemd-nspawn, and what build-image.sh needs for an image that is not there yet; LAB_DIR
# says where those are kept. The packages are those of build/package, built when they are missing.
# deb_guest.sh is what runs inside.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export LAB_DIR=${LAB_DIR:-/var/tmp/ringward-lab}

skip() { printf 'deb_test: skipped: %s\n' "$*"; exit 0; }
[ "$(id -u)" = 0 ] || skip 'it needs root'
for tool in systemd-nspawn:systemd-container mke2fs:e2fsprogs busybox:busybox-static cpio:cpio xz:xz-utils \
  zstd:zstd ssh-keygen:openssh-client depmod:kmod mmdebstrap:mmdebstrap dpkg-deb:dpkg; do
  command -v "${tool%:*}" >/dev/null || skip "${tool%:*} is missing (package ${tool#*:})"
done
if ! grep -q overlay /proc/filesystems; then modprobe -q overlay || skip 'the kernel has no overlayfs'; fi

running=''
work=$(mktemp -d)
# shellcheck disable=SC2317,SC2329  # called by the trap
clean() {
  [ -z "$running" ] || "$here/ns.sh" down "$running"
  rm -rf "$work"
}
trap clean EXIT

# newer DEB TO: the same package with a higher version and a changed first configuration.
newer() {
  local from=$1 to=$2
  dpkg-deb -R "$from" "$work/newer"
  sed -i 's/^Version: .*/&+newer/' "$work/newer/DEBIAN/control"
  echo '# A newer package has this line.' >>"$work/newer/etc/ringward/ringward.toml"
  (cd "$work/newer" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
  dpkg-deb --root-owner-group -b "$work/newer" "$to" >/dev/null
  rm -rf "$work/newer"
}

test_suite() {
  local suite=$1 packages
  packages=("$root/build/package/$suite"/ringward_*.deb)
  if [ ! -e "${packages[0]}" ]; then
    "$root/dev" package deb "$suite"
    packages=("$root/build/package/$suite"/ringward_*.deb)
  fi
  [ -s "$LAB_DIR/$suite/disk.raw" ] || "$here/build-image.sh" "$suite"
  mkdir -p "$work/$suite"
  cp "${packages[0]}" "$work/$suite/ringward.deb"
  newer "$work/$suite/ringward.deb" "$work/$suite/newer.deb"
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "$work/$suite"/*.deb "$here/deb_guest.sh" /lab
  "$here/ns.sh" fetch "$suite" /lab/ringward.deb python3 logrotate >"$work/fetch.log" 2>&1 ||
    { cat "$work/fetch.log"; return 1; }
  "$here/ns.sh" exec "$suite" bash /lab/deb_guest.sh
}

[ $# -gt 0 ] || set -- bookworm trixie
bad=0
for suite; do
  export LAB_NAME=deb-$suite
  echo "== the .deb on $suite"
  running=$suite
  # Not in a condition of this shell, where set -e would not hold.
  set +e
  (set -e; test_suite "$suite")
  status=$?
  set -e
  [ "$status" = 0 ] || { bad=1; echo "$suite: FAILED"; }
  "$here/ns.sh" down "$suite"
done
exit "$bad"
