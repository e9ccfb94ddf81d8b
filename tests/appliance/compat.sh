# shellcheck shell=bash
# A Debian whose rpm knows what the base system provides, as that of an EL or Fedora does. Sourced after
# lab.sh by what installs the rpm; takes rpmbuild.
# shellcheck disable=SC2154  # $work is of each_suite

# rpm_of SPEC TO: builds a package.
rpm_of() {
  rpmbuild -bb --quiet --define "_topdir $work/top" --define "_rpmdir $work/out" "$1" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; return 1; }
  mv "$work"/out/*/*.rpm "$2/"
}

# compat GLIBC TO: what a system with that glibc provides. Of the package's own requirements, none is
# copied: they are what is tested.
compat() {
  local version glibc=$1 minor
  {
    printf 'Name: debian-compat\nVersion: %s\nRelease: 1\nSummary: What a base system provides\n' "$glibc"
    printf 'License: MIT\nBuildArch: noarch\nProvides: systemd = 252, shadow-utils, util-linux, /bin/sh\n'
    printf 'Provides: libc.so.6()(64bit), libm.so.6()(64bit), ld-linux-x86-64.so.2()(64bit)\n'
    printf 'Provides: rtld(GNU_HASH), ld-linux-x86-64.so.2(GLIBC_2.3)(64bit)\n'
    printf 'Provides: libc.so.6(GLIBC_2.2.5)(64bit), libm.so.6(GLIBC_2.2.5)(64bit)\n'
    for minor in 3 3.2 3.4 $(seq 4 "${glibc#2.}"); do
      version="GLIBC_2.$minor"
      printf 'Provides: libc.so.6(%s)(64bit), libm.so.6(%s)(64bit)\n' "$version" "$version"
    done
    printf '%%description\nNothing: it only provides.\n%%files\n'
  } >"$work/compat.spec"
  rpm_of "$work/compat.spec" "$2"
}
