# shellcheck shell=bash
# The sources that are built with ours, from Debian's archive or npm's. ./dev reads this file and lends it
# die, step and need_packages. Where the mirror is, apt on this machine knows; what has to come from
# there, the hash in the wrap file says.

# private_apt DIRECTORY COMMAND...: apt with lists and a cache of its own, so that no root is needed
# and the machine's lists stay as they are.
private_apt() {
  local dir=$1 tool=$2 user=()
  shift 2
  if [ "$(id -u)" = 0 ]; then user=(-o APT::Sandbox::User=root); fi
  "$tool" -q -o Dir::Etc::sourcelist="$dir/deb.sources" -o Dir::Etc::sourceparts="$dir/empty" \
    -o Dir::State="$dir/state" -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" \
    -o Dir::State::status="$dir/status" -o Acquire::Languages=none "${user[@]}" "$@"
}

# private_sources DIRECTORY SUITE [TYPE]: points a private apt at the sources of SUITE, or at its
# packages when TYPE is deb, on the mirrors this machine uses; apt itself reads its list of them,
# whichever syntax that has.
private_sources() {
  local dir=$1 suite=$2 type=${3:-deb-src} keyring mirror release here
  mkdir -p "$dir"/{lists/partial,cache/archives/partial,state,empty}
  : >"$dir/status"
  : >"$dir/deb.sources"
  here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    if [ -r "$keyring" ]; then break; fi
  done
  while read -r mirror release; do
    case $release in
      "$here" | stable | testing | sid | unstable) release=$suite ;;
      "$here-security" | stable-security) release=$suite-security ;;
      *) continue ;;
    esac
    if [ "$release" = sid-security ]; then continue; fi
    printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
      "$type" "$mirror" "$release" "$keyring" >>"$dir/deb.sources"
  done < <(apt-get --print-uris update |
    sed -n "s|^'\(.*\)/dists/\([^/]*\)/main/binary-.*|\1 \2|p" | sort -u)
  if [ ! -s "$dir/deb.sources" ]; then
    echo "no Debian mirror in apt's list of sources"
    return 1
  fi
}

# source_version DIRECTORY PACKAGE VERSION: the newest Debian revision of VERSION there, or nothing;
# an error when there is no such package at all: that is a mirror out of reach, no verdict on the
# version.
source_version() {
  local versions
  versions=$(private_apt "$1" apt-cache showsrc "$2" | sed -n 's/^Version: //p')
  if [ -z "$versions" ]; then
    echo "no source packages to be had from apt's mirrors" >&2
    return 1
  fi
  awk -v wanted="$3-" 'index($0, wanted) == 1' <<<"$versions" | sort -V | tail -n 1
}

# fetch_wrapped DIRECTORY SUITE FILE SHA256: the tarball that a wrap file names. DIRECTORY/gone
# afterwards: the suite has another version by now.
fetch_wrapped() {
  local dir=$1 suite=$2 file=$3 hash=$4 package=${3%%_*} version=${3#*_}
  private_sources "$dir" "$suite"
  private_apt "$dir" apt-get -o Acquire::Check-Valid-Until=false update  # the hash decides
  version=$(source_version "$dir" "$package" "${version%.orig.*}")
  if [ -z "$version" ]; then
    touch "$dir/gone"
    return
  fi
  (cd "$dir" && private_apt "$dir" apt-get source --download-only --tar-only "$package=$version")
  echo "$hash  $dir/$file" | sha256sum --check
  mv "$dir/$file" subprojects/packagefiles/
}

# Unstable moves on. What stays for years is Debian 13's 5.7.2, whose security fixes are Debian's
# patches; it takes the directory's place by a link, and the overlay builds it as well.
fetch_stable_wolfssl() {
  local dir=$1 directory=$2 version source=subprojects/wolfssl-5.7.2
  private_sources "$dir" trixie
  private_apt "$dir" apt-get update
  version=$(source_version "$dir" wolfssl 5.7.2)
  if [ -z "$version" ]; then
    echo "neither unstable nor trixie has a wolfSSL that is known to this build"
    return 1
  fi
  (cd "$dir" && private_apt "$dir" apt-get source --download-only "wolfssl=$version")
  rm -rf "$source"
  dpkg-source --no-copy -x "$dir"/wolfssl_5.7.2*.dsc "$source"
  cp subprojects/packagefiles/wolfssl/* "$source/"
  ln -sfn "$(basename "$source")" "subprojects/$directory"
}

# fetch_packed DIRECTORY PACKAGE FILE SHA256: the same from where npm on this machine finds packages.
fetch_packed() {
  mkdir -p "$1"
  npm pack --silent --pack-destination "$1" "$2"
  echo "$4  $1/$3" | sha256sum --check
  mv "$1/$3" subprojects/packagefiles/
}

# wrap_value NAME KEY
wrap_value() { sed -n "s/^$2 *= *//p" "subprojects/$1.wrap"; }

# need_wrap NAME: sees to the sources of subprojects/NAME.wrap.
need_wrap() {
  local name=$1 file directory overlay dir=$PWD/build/$1-fetch
  file=$(wrap_value "$name" source_filename)
  directory=$(wrap_value "$name" directory)
  # Meson lays our files over the library's when it unpacks it, and never again.
  for overlay in subprojects/packagefiles/"$name"/*; do
    if [ -e "subprojects/$directory/meson.build" ] &&
      ! cmp -s "$overlay" "subprojects/$directory/${overlay##*/}"; then
      cp "$overlay" "subprojects/$directory/"
    fi
  done
  if [ -e "subprojects/packagefiles/$file" ] || [ -e "subprojects/$directory/meson.build" ]; then
    return
  fi
  rm -rf "$dir"
  if [ -n "$(wrap_value "$name" npm)" ]; then
    command -v npm >/dev/null || need_packages npm
    step "fetching $name" "$name" \
      fetch_packed "$dir" "$(wrap_value "$name" npm)" "$file" "$(wrap_value "$name" source_hash)"
    rm -rf "$dir"
    return
  fi
  command -v apt-get >/dev/null ||
    die "put $file (sha256 $(wrap_value "$name" source_hash)) into subprojects/packagefiles"
  if [ "$name" = wolfssl ] && [ "${RW_WOLFSSL:-}" = 5.7.2 ]; then
    mkdir -p "$dir"
    touch "$dir/gone"  # asked to do as if
  else
    step "fetching $name" "$name" \
      fetch_wrapped "$dir" "$(wrap_value "$name" suite)" "$file" "$(wrap_value "$name" source_hash)"
  fi
  if [ -e "$dir/gone" ]; then
    [ "$name" = wolfssl ] ||
      die "Debian has another $name by now: put $file into subprojects/packagefiles"
    need_packages source
    step "fetching wolfSSL 5.7.2 with Debian's fixes: $file has left Debian" wolfssl-stable \
      fetch_stable_wolfssl "$dir" "$directory"
  fi
  rm -rf "$dir"
}
