#!/usr/bin/env bash
# The Debian package on a real systemd: installs it, uses it as its README says, upgrades, removes and
# purges it, under systemd-nspawn on Debian 12 and 13 with this machine's kernel.
#
#   tests/appliance/deb_test.sh [SUITE...]    bookworm and trixie without arguments
#
# Needs root, systemd-nspawn, and what build-image.sh needs for an image that is not there yet; LAB_DIR
# says where those are kept. The packages are those of build/package, built when they are of another
# commit.
# deb_guest.sh is what runs inside.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
need_lab dpkg-deb:dpkg

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
  local suite=$1 package
  package=$(built_package deb "$suite")
  need_image "$suite"
  mkdir -p "$work/$suite"
  cp "$package" "$work/$suite/ringward.deb"
  newer "$work/$suite/ringward.deb" "$work/$suite/newer.deb"
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "$work/$suite"/*.deb "$here"/{checks,deb_guest}.sh /lab
  "$here/ns.sh" fetch "$suite" /lab/ringward.deb python3 logrotate >"$work/fetch.log" 2>&1 ||
    { cat "$work/fetch.log"; return 1; }
  "$here/ns.sh" exec "$suite" bash /lab/deb_guest.sh
}

[ $# -gt 0 ] || set -- bookworm trixie
each_suite test_suite "$@"
