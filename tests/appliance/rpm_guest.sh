#!/usr/bin/env bash
# What rpm_test.sh runs inside: the package is in /lab/rpms/this, its upgrade in newer, what the base
# system provides in compat, and in old what one with too old a glibc would.
set -u
cd /lab/rpms || exit
export DEBIAN_FRONTEND=noninteractive
# shellcheck source=tests/appliance/checks.sh
. ../checks.sh
refused_for() {
  local said
  if said=$(rpm -i "$1" 2>&1); then echo 'was installed'; return 1; fi
  has "$said" "$2"
}

first=(this/*.rpm) newer=(newer/*.rpm)

dependencies() {
  check 'refused where the base system is unknown' refused_for "${first[0]}" 'libc.so.6'
  rpm -i old/*.rpm
  check 'refused where glibc is too old' refused_for "${first[0]}" 'libc.so.6(GLIBC_2.3[2-9])'
  rpm -e debian-compat
  check 'a base system' rpm -i compat/*.rpm
}

install() {
  check 'rpm installs it' rpm -i "${first[0]}"
  check 'every file is as it was packed' rpm -V ringward
  check 'the user is of the system and cannot log in' \
    has "$(getent passwd ringward)" '/var/lib/ringward:/usr/sbin/nologin$'
  check 'no key or certificate comes with it' \
    is "$(find /etc/ringward -type f)" /etc/ringward/ringward.toml
  check 'its folder is for root and the group' is "$(mode_of /etc/ringward)" '750 root:ringward'
  check 'so is the configuration' is "$(mode_of /etc/ringward/ringward.toml)" '640 root:ringward'
  check 'it is not started by being installed' not systemctl is-active -q ringward
  check 'systemctl starts it' systemctl enable --now ringward
  check 'it answers: 401 without a key' until_true answers
  check 'the key of the first start is accepted: 502, nobody being behind' \
    is "$(with_key -o /dev/null -w '%{http_code}' $url/)" 502
  check 'which says what to edit' has "$(with_key $url/)" /etc/ringward/ringward.toml
  check 'the key is for root and the group' is "$(mode_of /etc/ringward/first-api-key)" '640 root:ringward'
  check 'reload' systemctl reload ringward
  check 'the bill of materials is there' python3 -c '
import json
bill = json.load(open("/usr/share/ringward/ringward.cdx.json"))
names = {c["name"] for c in bill["components"] if c.get("version")}
assert {"wolfssl", "simdjson", "mimalloc", "libsodium-dev", "libc-ares-dev", "libmaxminddb-dev", "libcrypt-dev", "libc6"} <= names, names'
  check 'so are the licences' test -s /usr/share/licenses/ringward/GPL-3
  check 'the program wants nothing but glibc' \
    is "$(ldd /usr/bin/ringward | grep -vE 'linux-vdso|ld-linux-x86-64|libc\.so|libm\.so')" ''
}

upgrade() {
  local before pid since
  since=$(started_at)
  echo '# an edit' >>/etc/ringward/ringward.toml
  before=$(all_prints; sha256sum /etc/ringward/ringward.toml)
  pid=$(gate_pid)
  check 'rpm upgrades it, under load, and no connection is refused' under_load rpm -U "${newer[0]}"
  no_request_failed
  check 'by handing over: the service has not been stopped' is "$(started_at)" "$since"
  check 'to the other version' is "$(rpm -q --qf '%{VERSION}' ringward)" 99.0
  check 'configuration and keys are as they were' is "$(all_prints; sha256sum /etc/ringward/ringward.toml)" "$before"
  check 'the new first configuration is beside the edited one' grep -q newer /etc/ringward/ringward.toml.rpmnew
  check 'the new program runs' not is "$(gate_pid)" "$pid"
  check 'and answers' until_true answers
  check 'it goes back' rpm -U --oldpackage "${first[0]}"
  check 'and answers' until_true answers
}

erase() {
  local before
  before=$(all_prints)
  check 'a profile is applied' tune
  check 'rpm erases it' rpm -e ringward
  check 'it has stopped' is "$(status_of $url/)" 000
  check 'the kernel has what it had before the profile' is_not_tuned
  check 'and is not started at boot' not systemctl is-enabled -q ringward
  check 'keys stay' is "$(all_prints)" "$before"
  check 'the edited configuration is kept' test -s /etc/ringward/ringward.toml.rpmsave
  check 'no other file of it' is "$(find /usr -name '*ringward*')" ''
  rm -rf /etc/ringward
}

with_dnf() {
  check 'a repository of both' createrepo_c -q /lab/rpms
  mkdir -p /etc/yum.repos.d
  printf '[lab]\nname=lab\nbaseurl=file:///lab/rpms\ngpgcheck=0\n' >/etc/yum.repos.d/lab.repo
  local version
  version=$(rpm -q --qf '%{VERSION}-%{RELEASE}' -p "${first[0]}")
  check 'dnf installs it' dnf -q -y install "ringward-$version"
  check 'systemctl starts it' systemctl enable --now ringward
  check 'it answers' until_true answers
  check 'dnf upgrades it' dnf -q -y upgrade ringward
  check 'to the other version' is "$(rpm -q --qf '%{VERSION}' ringward)" 99.0
  check 'it answers' until_true answers
  check 'dnf removes it' dnf -q -y remove ringward
  check 'it has stopped' is "$(status_of $url/)" 000
}

apt-get -q -y install --no-install-recommends rpm dnf createrepo-c python3 logrotate >/tmp/tools 2>&1 || { cat /tmp/tools; exit 1; }
rpm --initdb
for part in dependencies install upgrade erase with_dnf; do "$part"; done
sum_up
