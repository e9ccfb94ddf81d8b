#!/usr/bin/env bash
# ./dev audit: has anything that is in the program, or that builds it, an update waiting in Debian's
# security suite?
#
#   packaging/audit.sh BUILD_DIRECTORY [PACKAGE...]
#
# What is in the program, packaging/sbom.py says; PACKAGEs are those that build it. The mirror is that
# of this machine's apt; the lists are fetched anew into BUILD_DIRECTORY/audit, so that no root is
# needed. Exits with 0 when nothing waits, 1 when something does, 2 when there is no telling.
set -euo pipefail
build=$(realpath "${1:?see the head of this file}")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. subprojects/fetch.sh

say() { printf 'audit: %s\n' "$*"; }
no_telling() { printf 'audit: %s\n' "$*" >&2; exit 2; }

work=$build/audit
pending=0 checked=0

# read_lists DIRECTORY SUITE TYPE: fetches the lists of SUITE's security suite, or those of sid itself.
read_lists() {
  local dir=$1 suite=$2 type=$3 wanted=$2-security
  if [ "$suite" = sid ]; then wanted=sid; fi
  mkdir -p "$dir"
  private_sources "$dir" "$suite" "$type" >"$dir/log" 2>&1 ||
    no_telling "apt on this machine has no Debian mirror in its sources"
  awk -v RS= -v ORS='\n\n' -v wanted="Suites: $wanted" 'index($0, wanted "\n")' "$dir/deb.sources" \
    >"$dir/chosen"
  mv "$dir/chosen" "$dir/deb.sources"
  if [ ! -s "$dir/deb.sources" ]; then
    no_telling "$wanted is not among apt's sources on this machine: add it, or nobody tells you either"
  fi
  private_apt "$dir" apt-get -o APT::Update::Error-Mode=any update >"$dir/log" 2>&1 ||
    no_telling "$wanted is out of reach; apt said:
$(grep '^[EW]:' "$dir/log" || tail -n 5 "$dir/log")"
}

# compare NAME INSTALLED: reads the versions there are; one that is newer is waiting.
compare() {
  local name=$1 installed=$2 version newest=''
  checked=$((checked + 1))
  while read -r version; do
    if [ -n "$version" ] && dpkg --compare-versions "$version" gt "${newest:-$installed}"; then newest=$version; fi
  done
  if [ -n "$newest" ]; then
    say "$name $installed: the security suite has $newest"
    pending=$((pending + 1))
  fi
}

# The packages of Debian: what the program was linked with, and what built it.
audit_packages() {
  local name version here
  here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  read_lists "$work/packages" "$here" deb
  while read -r name version; do
    compare "$name" "$version" < <(private_apt "$work/packages" apt-cache madison "$name" |
      awk -F ' *[|] *' '{ print $2 }')
  done < <({
    awk 'NF == 2' "$work/linked"
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' "$@" 2>/dev/null |
      sed -n 's/^installed //p'
  } | sort -u)
}

# The sources that were built with ours, by the suite each came from.
audit_sources() {
  local name version suite there newest
  while read -r name version suite; do
    read_lists "$work/$suite" "$suite" deb-src
    there=$(private_apt "$work/$suite" apt-cache showsrc "$name" 2>/dev/null |
      sed -n 's/^Version: //p' | sort -V)
    if [ "$suite" != sid ]; then
      compare "$name" "$version" <<<"$there"
      continue
    fi
    # Unstable has no security suite: what is new there may or may not be a fix.
    newest=$(tail -n 1 <<<"$there")
    checked=$((checked + 1))
    if dpkg --compare-versions "${newest%-*}" gt "$version"; then
      say "$name $version: unstable has $newest; read its change log for fixes"
    fi
  done < <(awk 'NF == 3' "$work/linked")
}

mkdir -p "$work"
/usr/bin/python3 packaging/sbom.py --build "$build" --packages >"$work/linked"
/usr/bin/python3 packaging/sbom.py --build "$build" --output "$build/ringward.cdx.json"
audit_packages "$@"
audit_sources
say "$checked packages and sources, $pending with an update in the security suite"
say "$build/ringward.cdx.json is for scanners: trivy sbom FILE, grype sbom:FILE"
[ "$pending" = 0 ]
