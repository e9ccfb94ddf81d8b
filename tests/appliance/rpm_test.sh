#!/usr/bin/env bash
# The rpm on a real systemd: installed, used, upgraded and erased with rpm and with dnf, under
# systemd-nspawn on this machine's kernel.
#
#   tests/appliance/rpm_test.sh [SUITE...]    bookworm and trixie without arguments
#
# The system inside is Debian's, there being no other to be had here, with Debian's rpm and dnf. What
# an EL or Fedora base system provides, a package `debian-compat` made here says that this one does
# too, for what it really has: so dependencies are checked, and one that is missing is refused.
#
# Needs root, systemd-nspawn, rpmbuild, and what build-image.sh needs for an image that is not there
# yet; LAB_DIR says where those are kept. The package is that of build/package/rpm, built when it is
# of another commit. rpm_guest.sh is what runs inside.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# shellcheck source=tests/appliance/compat.sh
. "$here/compat.sh"
need_lab rpmbuild:rpm

# newer FROM TO: the same files under a higher version, with a changed first configuration. It is made
# from the package's own scriptlets, so that those of an upgrade are the real ones.
newer() {
  local tree=$work/newer
  mkdir -p "$tree"
  (cd "$tree" && rpm2cpio "$1" | cpio -idm --quiet)
  echo '# A newer package has this line.' >>"$tree/etc/ringward/ringward.toml"
  {
    printf 'Name: ringward\nVersion: 99.0\nRelease: 1\nSummary: A newer one\nLicense: GPL-3.0-or-later\n'
    printf '%%global __os_install_post %%{nil}\n%%global debug_package %%{nil}\n'
    printf '%%description\nA newer one.\n%%install\ncp -a %s/. %%{buildroot}/\n' "$tree"
    sed -n '/^%pre$/,$p' "$root/packaging/rpm/ringward.spec" | sed 's/^%files .*/%files/'
    find "$tree/usr/share" -type f -not -path '*/share/doc/*' -not -path '*/share/licenses/*' \
      -not -path '*/share/ringward/*' -printf '/usr/share/%P\n'
  } >"$work/newer.spec"
  rpm_of "$work/newer.spec" "$2"
}

test_suite() {
  local suite=$1 package
  package=$(built_package rpm)
  need_image "$suite"
  mkdir -p "$work"/rpms/{compat,old,this,newer}
  cp "$package" "$work/rpms/this/"
  compat 2.31 "$work/rpms/old"
  compat 2.36 "$work/rpms/compat"
  newer "$package" "$work/rpms/newer"
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "$work/rpms" "$here"/{checks,rpm_guest}.sh /lab
  "$here/ns.sh" fetch "$suite" rpm dnf createrepo-c python3 logrotate >"$work/fetch.log" 2>&1 ||
    { cat "$work/fetch.log"; return 1; }
  "$here/ns.sh" exec "$suite" bash /lab/rpm_guest.sh
  rm -rf "$work/rpms" "$work/newer"
}

[ $# -gt 0 ] || set -- bookworm trixie
each_suite test_suite "$@"
