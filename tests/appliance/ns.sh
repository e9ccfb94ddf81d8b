#!/usr/bin/env bash
# shellcheck disable=SC2015,SC2016,SC2086  # LAB_PUSH is split on purpose
# ns.sh - an image of build-image.sh with a real systemd as PID 1, at native speed on this machine's kernel (systemd-nspawn;
# no systemd is needed outside). For installing, units, users, sandboxing, restart, reload, the journal. Not for kernel TLS
# or anything else of that Debian's own kernel: vm.sh.
#   ns.sh up SUITE                a fresh copy of the image, running; the image itself is never written
#   ns.sh exec SUITE CMD...       a shell command in it; its output, its exit status
#   ns.sh push SUITE SRC... DST   copies files in
#   ns.sh fetch SUITE DEB...      has apt download what these packages, of its own file system, depend on: with this machine's
#                                 network, which the container does not have
#   ns.sh run SUITE SCRIPT [ARGS] up + copy SCRIPT and LAB_PUSH + run it + down; exit status is SCRIPT's
#   ns.sh down SUITE
# It has a network of its own with only lo. Env: LAB_DIR, LAB_NAME (several of one suite), LAB_PUSH, LAB_PULL (a directory that gets
# what SCRIPT leaves in /lab/out), LAB_TIMEOUT=600
# Needs systemd-container, util-linux, overlayfs and a loop device in the kernel; root.
set -euo pipefail
CMD=${1:?see the head of this file}; SUITE=${2:?suite}; shift 2
LAB_DIR=${LAB_DIR:-/var/tmp/appliance-lab}; I=$LAB_DIR/$SUITE; N=${LAB_NAME:-ns-$SUITE}; W=$LAB_DIR/run/$N; mkdir -p "$W"

# The PID of its PID 1.
leader() {
  local pid
  pid=$(cat "$W/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && tr ' ' '\n' <"/proc/$pid/task/$pid/children" | head -1
}
# enter NAMESPACES COMMAND...
enter() {
  local pid spaces=$1
  shift
  pid=$(leader); [ -n "$pid" ] || { echo "not up: $N" >&2; exit 1; }
  nsenter -t "$pid" $spaces -r -w env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}
inside() { enter '-m -u -i -n -p -C' "$@"; }
down() {
  local pid first
  pid=$(cat "$W/pid" 2>/dev/null || true); first=$(leader || true)
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
    [ -z "$first" ] || kill -RTMIN+4 "$first" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  for m in root up lower; do mountpoint -q "$W/$m" && umount -l "$W/$m" || true; done
  rm -f "$W/pid"
}
up() {
  [ -z "$(leader || true)" ] || return 0
  down
  mkdir -p "$W"/{lower,up,root}
  mount -o loop,ro,noload "$I/disk.raw" "$W/lower"
  mount -t tmpfs -o size=4G t "$W/up"; mkdir "$W/up/u" "$W/up/w"
  mount -t overlay -o "lowerdir=$W/lower,upperdir=$W/up/u,workdir=$W/up/w" o "$W/root"
  rm -f "$W/root/etc/fstab"
  for unit in lab-ready systemd-firstboot; do ln -sf /dev/null "$W/root/etc/systemd/system/$unit.service"; done
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=${LAB_CGROUP2:-1} systemd-nspawn -q -D "$W/root" --boot --register=no --keep-unit \
    --machine="${N//[^a-z0-9]/-}" --private-network --capability=all --rlimit=MEMLOCK=infinity \
    --system-call-filter='@io-uring io_uring_setup io_uring_enter io_uring_register' --console=pipe \
    </dev/null >"$W/console.log" 2>&1 &
  echo $! >"$W/pid"; disown
  for _ in $(seq 600); do
    sleep 0.1
    [ -n "$(leader || true)" ] && inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && return 0
    kill -0 "$(cat "$W/pid")" 2>/dev/null || break
  done
  echo "did not come up" >&2; tail -20 "$W/console.log" >&2; return 1
}
push() { local to=${*: -1}; mkdir -p "$W/root/$to"; cp -a "${@:1:$#-1}" "$W/root/$to/"; }
fetch() {
  rm -f "$W/root/etc/resolv.conf"; cp -L /etc/resolv.conf "$W/root/etc/resolv.conf"
  enter '-m -p' apt-get -q update
  enter '-m -p' apt-get -q -y -o APT::Keep-Downloaded-Packages=true --download-only install "$@"
}
case $CMD in
  up) up ;;
  down) down ;;
  push) push "$@" ;;
  fetch) fetch "$@" ;;
  exec) inside bash -c "$*" ;;
  run)
    script=${1:?script}; shift
    trap down EXIT
    up; push "$script" ${LAB_PUSH:-} /lab; mkdir -p "$W/root/lab/out"
    status=0
    inside bash -c 'cd /lab && exec timeout "${0}" bash "$@"' "${LAB_TIMEOUT:-600}" "./$(basename "$script")" "$@" || status=$?
    [ -z "${LAB_PULL:-}" ] || { mkdir -p "$LAB_PULL"; cp -a "$W/root/lab/out/." "$LAB_PULL/"; }
    exit $status ;;
  *) sed -n 3,17p "$0"; exit 2 ;;
esac
