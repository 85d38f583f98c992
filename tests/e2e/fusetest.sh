#!/usr/bin/env bash
# usage: fusetest.sh ISTHMUS
# `isthmus fusetest` against daemons of Debian that keep POSIX's rules, as root and as an ordinary user, against one that changes nothing,
# and against one that breaks its word.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
need bindfs bindfs
need squashfuse squashfuse
need mksquashfs squashfs-tools

# tested STATUS ARG...: fusetest ends so; its table is in $out.
tested() {
    local wanted=$1
    shift
    status=0
    out=$(timeout 300 "${as[@]}" "$isthmus" fusetest "$@" 2>"$tmp/said" </dev/null) || status=$?
    [[ $status = "$wanted" ]] || fail "fusetest $*: exit status $status, not $wanted: $out $(cat "$tmp/said")"
}
has() { [[ $out = *"$1"* ]] || fail "no \"$1\" in: $out"; }
none_left() { ! pgrep -x bindfs >/dev/null && ! pgrep -x squashfuse >/dev/null; }

for who in root nobody; do
    as=()
    [[ $who = root ]] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    rm -rf "$src" && mkdir -m 1777 "$src"
    export ISTHMUS_RUNTIME_DIR=$scratch/run-$who
    mkdir -m 700 "$ISTHMUS_RUNTIME_DIR" && chown "$who" "$ISTHMUS_RUNTIME_DIR"
    tested 0 --junit "$tmp/$who.xml" -- bindfs --no-allow-other "$src" '{}'
    has ', 0 failed,'
    has 'ok       posix     a large file is read back, in any piece'
    has 'ok       protocol  DESTROY is answered'
    [[ -z $(ls -A "$src") ]] || fail "$who: left behind: $(ls -A "$src")"
    python3 - "$tmp/$who.xml" <<'PY' || fail "$who: not JUnit's XML"
import sys
import xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find('testsuite')
cases = suite.findall('testcase')
assert int(suite.get('tests')) == len(cases) > 30 and suite.get('failures') == '0', suite.attrib
assert sum(c.find('skipped') is not None for c in cases) == int(suite.get('skipped'))
PY
done
as=()
export ISTHMUS_RUNTIME_DIR=$scratch/run-root

mkdir "$tmp/tree" && seq 1000 >"$tmp/tree/numbers" && mksquashfs "$tmp/tree" "$tmp/image.sqfs" -quiet >/dev/null || fail 'mksquashfs'
tested 0 -- squashfuse "$tmp/image.sqfs"
has 'skipped  posix     a small file is read back: nothing can be made in its root'
has ', 0 failed,'

liar=$top/tests/e2e/fusetest_liar.py
tested 0 --in fd --read-only -- "$liar" good
has ', 0 failed,'
tested 1 --in fd -- "$liar" bad
has 'FAILED   posix     what is listed is found, once'
has 'FAILED   protocol  every message'

tested 127 -- /nowhere/daemon
tested 5 -- false
within 100 none_left || fail "left behind: $(pgrep -al 'bindfs|squash')"
echo 'fusetest: bindfs as root and nobody, squashfuse, a liar'
