#!/usr/bin/env bash
# The README's tours, word for word (readme_tour.py): `./dev run` in a clean clone, and the packages, each
# on a machine that has nothing else of Ringward's, Debian 12 and 13 under systemd-nspawn with this
# machine's kernel. The rpm's has Debian's rpm and dnf, as in rpm_test.sh.
#
#   tests/appliance/readme_test.sh [demo|SUITE...]    demo, bookworm and trixie without arguments
#
# Needs what deb_test.sh needs; LAB_DIR says where images are kept. The packages are those of
# build/package, built when they are of another commit. LAB_KIND=deb or rpm has it walk with that one only.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# shellcheck source=tests/appliance/compat.sh
. "$here/compat.sh"
need_lab python3:python3 rpmbuild:rpm

demo() {
  local clone
  clone=$work/clone
  git clone -q "$root" "$clone/ringward"
  python3 "$here/readme_tour.py" demo "$clone/ringward" --readme "$clone/ringward/README.md"
}

# tour SUITE KIND: in a machine of its own. It has no network: apt finds there what is fetched before.
tour() {
  local suite=$1 kind=$2 name=package package fetched
  if [ "$kind" = rpm ]; then
    name=rpm
    package=$(built_package rpm)
    fetched=(curl wrk python3 rpm dnf)
  else
    package=$(built_package deb "$suite")
    fetched=("/root/${package##*/}" curl wrk python3)
  fi
  need_image "$suite"
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "$package" /root
  "$here/ns.sh" fetch "$suite" "${fetched[@]}" >"$work/fetch.log" 2>&1 || {
    tail "$work/fetch.log"
    return 1
  }
  if [ "$kind" = rpm ]; then rpm_system "$suite"; fi
  python3 "$here/readme_tour.py" "$name" /root --readme "$root/README.md" \
    --inside "$here/ns.sh exec $suite bash"
  "$here/ns.sh" down "$suite"
}

# rpm_system SUITE: makes that machine one of rpm's.
rpm_system() {
  mkdir -p "$work/compat"
  compat 2.36 "$work/compat"
  "$here/ns.sh" push "$1" "$work"/compat/*.rpm /lab
  "$here/ns.sh" exec "$1" 'apt-get -q -y install --no-install-recommends curl wrk python3 rpm dnf &&
    rpm --initdb && rpm -i /lab/debian-compat-*.rpm' >"$work/rpm-system.log" 2>&1 || {
    tail "$work/rpm-system.log"
    return 1
  }
  rm -r "$work/compat"
}

walk() {
  if [ "$1" = demo ]; then
    demo
  else
    for kind in ${LAB_KIND:-deb rpm}; do tour "$1" "$kind"; done
  fi
}

[ $# -gt 0 ] || set -- demo bookworm trixie
each_suite walk "$@"
