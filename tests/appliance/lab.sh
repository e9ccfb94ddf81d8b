# shellcheck shell=bash
# What the scripts that start machines share: what they need, where images and packages are, and that
# each machine goes when its test ends. A script sources it first, and calls need_lab and each_suite.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
test_name=$(basename "$0" .sh)
export LAB_DIR=${LAB_DIR:-/var/tmp/ringward-lab}

# skip WHY: as the last line of a test says it.
skip() { printf '%s: skipped: %s\n' "$test_name" "$*"; exit 0; }

need_root() { [ "$(id -u)" = 0 ] || skip 'it needs root'; }

# need_tools COMMAND:PACKAGE...
need_tools() {
  local tool
  for tool; do
    command -v "${tool%:*}" >/dev/null || skip "${tool%:*} is missing (package ${tool#*:})"
  done
}

# need_lab COMMAND:PACKAGE...: these, and what ns.sh and build-image.sh take.
need_lab() {
  need_root
  need_tools systemd-nspawn:systemd-container mke2fs:e2fsprogs busybox:busybox-static cpio:cpio \
    xz:xz-utils zstd:zstd ssh-keygen:openssh-client depmod:kmod mmdebstrap:mmdebstrap "$@"
  if ! grep -q overlay /proc/filesystems; then
    modprobe -q overlay || skip 'the kernel has no overlayfs'
  fi
}

need_image() { [ -s "$LAB_DIR/$1/disk.raw" ] || "$here/build-image.sh" "$1"; }

# built_package KIND [SUITE]: the path of the package of this tree. What lies in build/package is built
# anew, unless it is of this commit and nothing is there that is not committed, or LAB_KEEP is set.
built_package() {
  local kind=$1 out=$root/build/package/${2:-$1}
  if [ -n "${LAB_KEEP:-}" ]; then :
  elif [ -n "$(git -C "$root" status --porcelain)" ] ||
    [ "$(cat "$out/commit" 2>/dev/null)" != "$(git -C "$root" rev-parse HEAD)" ]; then
    "$root/dev" package "$kind" ${2:+"$2"} >&2 || return
  fi
  ls "$out"/ringward[_-][0-9]*."$kind"  # not ringward-dbgsym
}

# each_suite COMMAND SUITE...: COMMAND SUITE for each, in a machine that ns.sh, or $machine, takes down
# when it ends, whatever ends it. Sets $work, a directory of the test's own. The last thing a script does.
each_suite() {
  local command=$1 bad=0 suite status
  shift
  work=$(mktemp -d)
  trap 'take_down; rm -rf "$work"' EXIT
  for suite; do
    export LAB_NAME=${test_name%_test}-$suite
    printf '== %s on %s\n' "$test_name" "$suite"
    running=$suite
    # Not in a condition of this shell, where set -e would not hold.
    set +e
    (set -e; "$command" "$suite")
    status=$?
    set -e
    [ "$status" = 0 ] || { bad=1; echo "$suite: FAILED"; }
    take_down
  done
  return "$bad"
}
running=''
machine=$here/ns.sh
take_down() {
  if [ -n "$running" ]; then "$machine" down "$running"; fi
  running=''
}
