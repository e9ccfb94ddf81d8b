#!/usr/bin/env bash
# A clean clone on a Debian that has nothing but apt: the README's tour with `./dev run`, word for word,
# and `./dev test`, which install what they miss.
#
#   tests/appliance/clone_test.sh [SUITE...]    bookworm and trixie without arguments
#
# Each Debian is made by mmdebstrap from this machine's apt sources and runs under systemd-nspawn, with
# this machine's network, where apt finds its mirror, and therefore its port 8443, which has to be free.
# There is no init in it and no git. LAB_CCACHE=DIRECTORY lends it a compiler cache; LAB_KIND=unit, sim or
# system has it run these tests only. Needs root, systemd-nspawn and mmdebstrap; LAB_DIR says where the
# root directories are, while they are needed: some 3 GB each.
set -euo pipefail
# shellcheck source=tests/appliance/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
# For private_sources: apt's mirrors.
# shellcheck source=subprojects/fetch.sh
. "$root/subprojects/fetch.sh"
need_root
need_tools systemd-nspawn:systemd-container mmdebstrap:mmdebstrap git:git nsenter:util-linux

# make_debian SUITE DIRECTORY
make_debian() {
  local suite=$1 to=$2
  private_sources "$work/apt" "$suite" deb
  mmdebstrap --mode=root --variant=minbase --include=curl \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
    "$suite" "$to" "$work/apt/deb.sources" >"$work/mmdebstrap.log" 2>&1 ||
    { tail -n 20 "$work/mmdebstrap.log"; return 1; }
  cp -L /etc/hosts "$to/etc/hosts"
}

# start DIRECTORY: a container in which nothing happens. Its first process is $leader.
start() {
  local bind=()
  if [ -n "${LAB_CCACHE:-}" ]; then bind=(--bind="$LAB_CCACHE:/root/.cache/ccache"); fi
  systemd-nspawn -q -D "$1" --as-pid2 --register=no --keep-unit --resolv-conf=copy-host \
    --machine="$LAB_NAME" --capability=all --rlimit=MEMLOCK=infinity "${bind[@]}" \
    --system-call-filter='@io-uring io_uring_setup io_uring_enter io_uring_register' \
    --console=pipe sleep infinity </dev/null >"$1.log" 2>&1 &
  echo $! >"$1.pid"
  for _ in $(seq 300); do
    leader=$(tr ' ' '\n' <"/proc/$!/task/$!/children" 2>/dev/null | head -n 1)
    if [ -n "$leader" ] && [ -e "/proc/$leader/root/root/ringward/dev" ]; then return; fi
    sleep 0.1
  done
  cat "$1.log"
  return 1
}

# shellcheck disable=SC2317,SC2329  # take_down calls it
container() {
  local at=$LAB_DIR/clone-$2 pid
  pid=$(cat "$at.pid" 2>/dev/null) || return 0
  # The container ends with it: it is the parent of its first process.
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null || true
  rm -rf --one-file-system "$at" "$at.pid" "$at.log"
}
machine=container

test_suite() {
  local suite=$1 at=$LAB_DIR/clone-$1 inside
  mkdir -p "$LAB_DIR"
  container down "$suite"
  rm -rf --one-file-system "$at"
  make_debian "$suite" "$at"
  git clone -q --no-hardlinks "$root" "$at/root/ringward"
  start "$at"
  inside="nsenter -t $leader -m -u -i -p -r -w env -i HOME=/root LANG=C.UTF-8
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  python3 "$here/readme_tour.py" demo /root/ringward --readme "$root/README.md" --inside "$inside bash"
  # shellcheck disable=SC2086  # words on purpose
  $inside bash -c 'cd /root/ringward && exec ./dev test "$@" </dev/null' bash ${LAB_KIND:-}
}

[ $# -gt 0 ] || set -- bookworm trixie
each_suite test_suite "$@"
