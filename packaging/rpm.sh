# shellcheck shell=bash
# ./dev package rpm [--twice]: build/package/rpm/ringward-*.rpm, for distributions with rpm and dnf.
# Sourced by ./dev, whose functions it uses. --twice builds a second time, from a copy of the tree
# elsewhere and with nothing kept from the first, and compares the bytes.

# shellcheck disable=SC2034,SC2154  # the array is ./dev's, and rpm a key of it
packages[rpm]='rpm rpmlint git binutils'

rpm_out=build/package/rpm

# As old as the last commit, whenever it is built.
rpm_epoch() { echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"; }

# What is not tagged as the release is older than it, and younger than the commit before.
rpm_version() {
  local version
  version=$(sed -n "s/^project('ringward'.* version: '\([^']*\)'.*/\1/p" meson.build)
  if [ "$(git describe --tags --exact-match 2>/dev/null)" != "v$version" ]; then
    version+="~git$(date -u -d "@$(rpm_epoch)" +%Y%m%d%H%M%S)"
  fi
  echo "$version"
}

# glibc's own libraries, and nothing else, is what another machine has to have.
rpm_check_needed() {
  local library
  while read -r library; do
    case $library in
      libc.so.6 | libm.so.6 | ld-linux-x86-64.so.2) ;;
      *) echo "the program wants $library"; return 1 ;;
    esac
  done < <(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
}

# rpm_build TREE OUT: the package of what was built in TREE/build/static.
rpm_build() {
  local tree=$1 out=$2 work=$1/build/rpm epoch
  epoch=$(rpm_epoch)
  rm -rf "$work" "$out"
  mkdir -p "$work" "$out"
  rpm_check_needed "$tree/build/static/ringward"
  SOURCE_DATE_EPOCH=$epoch /usr/bin/python3 "$tree/packaging/sbom.py" --build "$tree/build/static" \
    --output "$tree/build/static/ringward.cdx.json"
  {
    cat packaging/rpm/ringward.spec
    printf '%%changelog\n* %s Ringward maintainers <maintainers@ringward.example> - %s-1\n' \
      "$(LC_ALL=C date -u -d "@$epoch" '+%a %b %d %Y')" "$(rpm_version)"
    printf -- '- Commit %s; CHANGELOG.md says what is new.\n' "$(git rev-parse --short=12 HEAD)"
  } >"$work/ringward.spec"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$work" LC_ALL=C.UTF-8 TZ=UTC \
    SOURCE_DATE_EPOCH="$epoch" rpmbuild -bb --define "_topdir $work" --define "_rpmdir $work/out" \
    --define "ringward_version $(rpm_version)" --define "ringward_release 1" \
    --define "ringward_tree $tree" --define "ringward_build $tree/build/static" \
    "$work/ringward.spec"
  mv "$work"/out/*/*.rpm "$out/"
  git rev-parse HEAD >"$out/commit"
  rpmlint --strict --config packaging/rpm/rpmlint.toml "$out"/*.rpm
  rm -rf "$work"
}

# rpm_again OUT: the whole of it once more.
rpm_again() {
  local out=$1 tree=$PWD/build/rpm-again/elsewhere
  rm -rf "$tree"
  mkdir -p "$tree"
  git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$tree"
  cp subprojects/packagefiles/*.tar.* "$tree/subprojects/packagefiles/"
  (unset CCACHE_BASEDIR CCACHE_NOHASHDIR
    CCACHE_DISABLE=1 XDG_CACHE_HOME=$tree/cache "$tree/dev" build static)
  rpm_build "$tree" "$out"
  rm -rf "$tree"
}

rpm_main() {
  local twice=''
  case ${1:-} in
    '') ;;
    --twice) twice=yes ;;
    *) die "package rpm: '$1' is not --twice" ;;
  esac
  need_packages build rpm
  build static
  step "building the package, and rpmlint" rpm rpm_build "$PWD" "$PWD/$rpm_out"
  if [ -n "$twice" ]; then
    step "building all of it once more, elsewhere" rpm-again rpm_again "$PWD/$rpm_out-again"
    step "comparing the bytes" rpm-compare diff -r "$rpm_out" "$rpm_out-again"
  fi
  sha256sum "$rpm_out"/*.rpm
}

rpm_main "$@"
