# shellcheck shell=bash
# ./dev package deb [bookworm|trixie|all] [--twice]: the Debian package of a suite, by debhelper from
# packaging/debian; without a suite that of this machine. Sourced by ./dev, whose functions it uses.
#
# The suite of this machine is built here, another one in a root directory that mmdebstrap makes from
# this machine's own apt sources, kept in ~/.cache/ringward for the next time. So is what compilers made
# (debian/rules). --twice builds a second time elsewhere, with nothing kept, and compares the bytes.

declare -gA packages  # ./dev's
packages+=([deb]='debhelper dpkg-dev fakeroot lintian git ccache' [deb-root]='mmdebstrap util-linux')

deb_here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
declare -A deb_releases=([bookworm]=12 [trixie]=13)
deb_out=build/package

# As old as the last commit, whenever it is built.
deb_epoch() {
  if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then echo "$SOURCE_DATE_EPOCH"; else git log -1 --format=%ct; fi
}

# deb_version SUITE: what is not tagged as the release is older than it, and younger than the commit
# before. An upgrade of Debian itself finds the newer suite's package.
deb_version() {
  local version
  version=$(sed -n "s/^project('ringward'.* version: '\([^']*\)'.*/\1/p" meson.build)
  if [ "$(git describe --tags --exact-match 2>/dev/null)" != "v$version" ]; then
    version+="~git$(date -u -d "@$(deb_epoch)" +%Y%m%d%H%M%S)"
  fi
  echo "$version+deb${deb_releases[$1]}"
}

# deb_sources DIRECTORY SUITE: the tree with its edits, less what git ignores; wolfSSL and uPlot, for there is no network.
deb_sources() {
  local dir=$1 suite=$2 maintainer
  rm -rf "$dir"
  mkdir -p "$dir"
  git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done | tar -c --null -T - | tar -x -C "$dir"
  # Tarballs; or of wolfSSL the directories of the version that takes its place.
  find subprojects/packagefiles \( -name 'wolfssl_*.tar.*' -o -name 'uplot-*.tgz' \) -exec cp {} "$dir/subprojects/packagefiles/" \;
  if [ -L "subprojects/$(wrap_value wolfssl directory)" ]; then
    cp -a subprojects/wolfssl-* "$dir/subprojects/"
  fi
  cp -r packaging/debian "$dir/debian"
  maintainer=$(sed -n 's/^Maintainer: //p' packaging/debian/control)
  cat >"$dir/debian/changelog" <<END
ringward ($(deb_version "$suite")) $suite; urgency=medium

  * Commit $(git rev-parse --short=12 HEAD); CHANGELOG.md says what is new.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$(deb_epoch)")
END
  find "$dir" -exec touch -h -d "@$(deb_epoch)" {} +
}

# The same here and in a root directory.
# shellcheck disable=SC2016  # for the shell that runs it
deb_build_command='cd "$1" && dpkg-buildpackage -b -us -uc && cd .. &&
  lintian --allow-root --fail-on error,warning --tag-display-limit 0 ./*.changes'

# deb_build_here DIRECTORY [CACHE]
deb_build_here() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 RINGWARD_CACHE="${2:-}" \
    DEB_BUILD_OPTIONS="parallel=$(nproc)" sh -ec "$deb_build_command" sh "$1"
}

# deb_make_root ROOT SUITE: a root directory with what building needs; anew when that has changed.
deb_make_root() {
  local root=$1 suite=$2 wanted
  wanted="$(sed -n '/^Build-Depends:/,/^[A-Z].*:/{s/^Build-Depends://;/^[A-Z].*:/d;p}' \
    packaging/debian/control | sed 's/([^)]*)//g' | tr -d ' \n'),lintian,fakeroot,ccache"
  wanted=${wanted/debhelper-compat/debhelper}
  if [ "$(as_root cat "$root/ringward-wanted" 2>/dev/null)" = "$wanted" ]; then return; fi
  as_root rm -rf --one-file-system "$root"
  mkdir -p "$(dirname "$root")"
  private_sources "$root.apt" "$suite" deb
  as_root mmdebstrap --variant=buildd --include="$wanted" \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt=force-unsafe-io "$suite" "$root" "$root.apt/deb.sources"
  rm -rf "$root.apt"
  as_root tee "$root/ringward-wanted" <<<"$wanted"
}

# shellcheck disable=SC2016  # likewise
# deb_build_in ROOT DIRECTORY [CACHE]: builds the sources at DIRECTORY of the root, with no network.
deb_build_in() {
  as_root unshare --mount --net --pid --ipc --uts --fork --kill-child sh -ec '
    mount -t proc proc "$1/proc"
    if [ -n "$4" ]; then mkdir -p "$1/cache" "$4"; mount --bind "$4" "$1/cache"; fi
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 \
      RINGWARD_CACHE="${4:+/cache}" DEB_BUILD_OPTIONS="parallel=$(nproc)" sh -ec "$2" sh "$3"' \
    sh "$1" "$deb_build_command" "$2" "${3:-}"
}

# deb_build SUITE DIRECTORY WORK [CACHE]: the package of SUITE into DIRECTORY, by way of the directory
# WORK; with what compilers keep in CACHE.
deb_build() {
  local suite=$1 to=$2 work=$3 cache=${4:-} root
  deb_sources "build/$work/ringward" "$suite"
  rm -rf "$to"
  mkdir -p "$to"
  if [ "$suite" = "$deb_here" ]; then
    deb_build_here "$PWD/build/$work/ringward" "$cache"
  else
    root=$(deb_root "$suite")
    as_root rm -rf "$root/$work"
    as_root mkdir -p "$(dirname "$root/$work")"
    as_root cp -a "build/$work" "$root/$work"
    deb_build_in "$root" "/$work/ringward" "$cache"
    as_root find "$root/$work" -maxdepth 1 -type f -exec cp {} "build/$work/" \;
    as_root rm -rf "$root/$work"
  fi
  cp "build/$work"/*.deb "build/$work"/*.changes "build/$work"/*.buildinfo "$to/"
  rm -rf "build/${work:?}"
  git rev-parse HEAD >"$to/commit"
}

deb_kept=${XDG_CACHE_HOME:-$HOME/.cache}/ringward
deb_root() { echo "$deb_kept/deb-$1"; }

# deb_compare DIRECTORY DIRECTORY: the packages in both, byte by byte.
deb_compare() {
  local file
  for file in "$1"/*.deb; do
    cmp "$file" "$2/${file##*/}"
  done
}

deb_main() {
  local suites=() suite twice=''
  for suite; do
    case $suite in
      all) suites=(bookworm trixie) ;;
      --twice) twice=yes ;;
      *)
        [ -n "${deb_releases[$suite]:-}" ] ||
          die "package deb: '$suite' is not bookworm, trixie, all or --twice"
        suites+=("$suite") ;;
    esac
  done
  if [ ${#suites[@]} = 0 ]; then
    [ -n "${deb_releases[$deb_here]:-}" ] || die "package deb: name a suite: bookworm, trixie or all"
    suites=("$deb_here")
  fi
  need_packages deb
  need_wrap wolfssl
  need_wrap uplot
  for suite in "${suites[@]}"; do
    if [ "$suite" = "$deb_here" ]; then
      need_packages build
    else
      need_packages deb-root
      step "making a root directory of $suite" "deb-root-$suite" \
        deb_make_root "$(deb_root "$suite")" "$suite"
    fi
    step "building the package for $suite, and lintian" "deb-$suite" \
      deb_build "$suite" "$deb_out/$suite" "deb-$suite" "$deb_kept/deb-$suite-made"
    if [ -n "$twice" ]; then
      step "building it once more, elsewhere" "deb-$suite-again" \
        deb_build "$suite" "$deb_out/$suite-again" "deb-again/of-$suite"
      step "comparing the bytes" "deb-$suite-compare" \
        deb_compare "$deb_out/$suite" "$deb_out/$suite-again"
    fi
    sha256sum "$deb_out/$suite"/*.deb
  done
}

deb_main "$@"
