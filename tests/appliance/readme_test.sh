#!/usr/bin/env bash
# The README's tours, word for word (readme_tour.py): `./dev run` in a clean clone, and the package on a
# machine that has nothing else of Ringward's, Debian 12 and 13 under systemd-nspawn with this machine's
# kernel.
#
#   tests/appliance/readme_test.sh [demo|SUITE...]    demo, bookworm and trixie without arguments
#
# Needs what deb_test.sh needs; LAB_DIR says where images are kept. The packages are those of
# build/package, built when they are of another commit.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
need_lab python3:python3

demo() {
  local clone
  clone=$work/clone
  git clone -q "$root" "$clone/ringward"
  python3 "$here/readme_tour.py" demo "$clone/ringward" --readme "$clone/ringward/README.md"
}

# tour SUITE: in a machine of its own.
tour() {
  local suite=$1 package
  package=$(built_package deb "$suite")
  need_image "$suite"
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "$package" /root
  # The machine has no network: apt finds there what the tour's first line asks for.
  "$here/ns.sh" fetch "$suite" "/root/${package##*/}" curl wrk python3 >"$work/fetch.log" 2>&1 || {
    tail "$work/fetch.log"
    return 1
  }
  python3 "$here/readme_tour.py" package /root --readme "$root/README.md" \
    --inside "$here/ns.sh exec $suite bash"
}

walk() { if [ "$1" = demo ]; then demo; else tour "$1"; fi; }

[ $# -gt 0 ] || set -- demo bookworm trixie
each_suite walk "$@"
