#!/usr/bin/env bash
# usage: smbtorture.sh ISTHMUS
# Samba's own tests of servers (smbtorture), those of smbtorture.passes: each passed once and has to pass from then on. A line is the
# name of a test; one process a test.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need smbtorture samba-testsuite
list=$top/tests/e2e/smbtorture.passes
[[ -s $list ]] || fail "no list of tests"

serve mem: --smb --signing offered
# Samba's programs take no password from a file alone.
printf '[global]\n  client min protocol = SMB2_02\n' >"$tmp/smb.conf"
failed=()
while read -r -u 9 name; do
    PASSWD=$password timeout -k 5 60 smbtorture //127.0.0.1/share -s "$tmp/smb.conf" -p "$port" -U user "$name" \
        >"$tmp/torture.log" 2>&1 </dev/null
    grep -q '^success:' "$tmp/torture.log" && ! grep -qE '^(failure|error):' "$tmp/torture.log" && continue
    failed+=("$name")
    echo "--- $name"
    tail -n 15 "$tmp/torture.log"
done 9<"$list"
[[ ${#failed[@]} = 0 ]] || fail "${#failed[@]} of $(wc -l <"$list") tests of smbtorture: ${failed[*]}"
stop
echo "$(wc -l <"$list") tests of smbtorture passed"
