#!/usr/bin/env bash
# What ktls_test.sh runs inside: the programs, their libraries and tests/system are in /lab.
set -u
cd /lab || exit
# shellcheck source=tests/appliance/checks.sh
. ./checks.sh

printf '#!/bin/sh\nLD_LIBRARY_PATH=/lab/libraries exec /lab/ringward "$@"\n' >gate
chmod +x gate
export RW_BINARY=/lab/gate RW_SANITIZER=emulated RW_BODY_MIB=8
unit() { LD_LIBRARY_PATH=/lab/libraries ./net_test --gtest_filter='StreamTls.*:StreamSplice.*'; }
# system NAME [CLASS]; counted: what that one said of itself.
system() { python3 "system/$1_test.py" "${@:2}"; }
counted() { sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in.*/        \1 tests/p; s/^OK (\(.*\))/        \1/p' /tmp/check; }
records() { awk '$1 == "TlsTxSw" { print $2 }' /proc/net/tls_stat; }

printf '        kernel %s\n' "$(uname -r)"
check 'the kernel has the module' modprobe tls
check 'and ringward sees it' has "$(./gate version)" 'kernel TLS makes the records'
check 'unit tests of TLS streams' unit
before=$(records)
check 'kernel TLS: every suite of TLS 1.2 and 1.3, 8 MiB both ways' system ktls
counted
check "the kernel has counted ($before to $(records) sockets)" [ "$(records)" -gt "$before" ]
check 'TLS' system tls
counted
# Records that are larger than the socket's queue: the end must wait for what is held beside it.
sysctl -qw net.ipv4.tcp_wmem='4096 8192 8192'
for _ in 1 2 3; do check 'the end of a stream, past a small queue' system ktls TheEnd; done
sum_up
