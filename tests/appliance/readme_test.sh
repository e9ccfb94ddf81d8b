#!/usr/bin/env bash
# The README's tours, word for word (readme_tour.py): `./dev run` in a clean clone, and the package on a
# machine that has nothing else of Ringward's, Debian 12 and 13 under systemd-nspawn with this machine's
# kernel.
#
#   tests/appliance/readme_test.sh [demo|SUITE...]    demo, bookworm and trixie without arguments
#
# Needs what deb_test.sh needs; LAB_DIR says where images are kept. The packages are those of
# build/package, built when they are missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export LAB_DIR=${LAB_DIR:-/var/tmp/ringward-lab}

skip() { printf 'readme_test: skipped: %s\n' "$*"; exit 0; }
[ "$(id -u)" = 0 ] || skip 'it needs root'
for tool in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap python3:python3; do
  command -v "${tool%:*}" >/dev/null || skip "${tool%:*} is missing (package ${tool#*:})"
done
if ! grep -q overlay /proc/filesystems; then modprobe -q overlay || skip 'the kernel has no overlayfs'; fi

demo() {
  local clone
  clone=$(mktemp -d)
  # shellcheck disable=SC2064  # the value of now
  trap "rm -rf '$clone'" EXIT
  git clone -q "$root" "$clone/ringward"
  python3 "$here/readme_tour.py" demo "$clone/ringward" --readme "$clone/ringward/README.md"
}

# tour SUITE: in a machine of its own, which goes when the shell does.
tour() {
  local suite=$1 package
  package=("$root/build/package/$suite"/ringward_*.deb)
  if [ ! -e "${package[0]}" ]; then
    "$root/dev" package deb "$suite"
    package=("$root/build/package/$suite"/ringward_*.deb)
  fi
  [ -s "$LAB_DIR/$suite/disk.raw" ] || "$here/build-image.sh" "$suite"
  export LAB_NAME=readme-$suite
  trap '"$here/ns.sh" down "$suite"' EXIT
  "$here/ns.sh" up "$suite"
  "$here/ns.sh" push "$suite" "${package[0]}" /root
  # The machine has no network: apt finds there what the tour's first line asks for.
  "$here/ns.sh" fetch "$suite" "/root/${package[0]##*/}" curl wrk python3 >"$LAB_DIR/readme-fetch.log" 2>&1 || {
    tail "$LAB_DIR/readme-fetch.log"
    return 1
  }
  python3 "$here/readme_tour.py" package /root --readme "$root/README.md" \
    --inside "$here/ns.sh exec $suite bash"
}

[ $# -gt 0 ] || set -- demo bookworm trixie
bad=0
for suite; do
  echo "== $suite"
  # Not in a condition of this shell, where set -e would not hold.
  set +e
  (
    set -e
    if [ "$suite" = demo ]; then demo; else tour "$suite"; fi
  )
  status=$?
  set -e
  [ "$status" = 0 ] || { bad=1; echo "$suite: FAILED"; }
done
exit "$bad"
