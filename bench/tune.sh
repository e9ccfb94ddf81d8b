#!/usr/bin/env bash
# What the tuning profiles change on this machine: Ringward under wrk and h2load in a fresh network namespace,
# as it is and with each profile, then with each of their lines alone. docs/tuning.md explains the table.
#
#   bench/tune.sh [--global] [--rounds N] [--seconds N] [--no-lines | --only-lines] [--rows A,B] [--save NAME] [PROFILE...]
#
# Settings of the network namespace end with it. Those of the whole machine are left alone, unless --global is given:
# then they are set too, and put back at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'tune.sh: %s\n' "$*" >&2; exit 1; }

case " $* " in
  *' --help '* | *' -h '*) exec python3 bench/load/tuning.py --help ;;
esac
if [ "$(id -u)" != 0 ]; then die "namespaces and settings take root"; fi
for tool in wrk h2load unshare nsenter ip taskset openssl python3; do
  command -v "$tool" >/dev/null || die "$tool is not installed; ./dev bench installs what is needed"
done

# What is of the whole machine, with the values of now: put back whatever happens, even to tuning.py.
declare -A machine=()
restore() {
  local name
  for name in "${!machine[@]}"; do
    if [ "$(cat "/proc/sys/$name")" != "${machine[$name]}" ]; then
      printf '%s\n' "${machine[$name]}" >"/proc/sys/$name"
    fi
  done
}
if [[ " $* " == *' --global '* ]]; then
  while read -r name; do
    name=${name//.//}
    if [ -w "/proc/sys/$name" ]; then machine[$name]=$(cat "/proc/sys/$name"); fi
  done < <(sed -n 's/^-\{0,1\}\([a-z][^ =]*\) *=.*/\1/p' tuning/ringward-*.conf)
  trap restore EXIT
fi

# shellcheck disable=SC2016  # the inner shell's words
unshare -n bash -c 'ip link set lo up && exec python3 "$@"' bash bench/load/tuning.py --host "$$" "$@"
