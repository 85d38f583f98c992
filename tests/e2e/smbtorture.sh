#!/usr/bin/env bash
# usage: smbtorture.sh ISTHMUS
# Samba's own tests of servers (smbtorture), those of smbtorture.expected: each passed and has to pass from then on. A line is the
# name of a test, or `- NAME: why it does not pass, and Samba's server does`. One process a test. Most wait for what must not come, so
# several servers are asked at once; a test has its server to itself.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need smbtorture samba-testsuite
list=$tmp/list
grep -v '^-' "$top/tests/e2e/smbtorture.expected" >"$list" || fail "no list of tests"
servers=8

# Samba's programs take no password from a file alone.
printf '[global]\n  client min protocol = SMB2_02\n' >"$tmp/smb.conf"

# worker N: every eighth test, with a server of its own; names of tests that fail go to a file.
worker() {
    tmp=$tmp/$1
    mkdir "$tmp"
    serve mem: --smb --signing offered
    while read -r -u 9 name; do
        PASSWD=$password timeout -k 5 60 smbtorture //127.0.0.1/share -s "$tmp/../smb.conf" -p "$port" -U user "$name" \
            >"$tmp/torture.log" 2>&1 </dev/null
        grep -q '^success:' "$tmp/torture.log" && ! grep -qE '^(failure|error):' "$tmp/torture.log" && continue
        echo "$name" >>"$tmp/failed"
        { echo "--- $name" && tail -n 15 "$tmp/torture.log"; } >>"$tmp/failures"
    done 9< <(awk -v n="$servers" -v mine="$1" 'NR % n == mine' "$list")
    stop
}
pids=()
for ((i = 0; i < servers; i++)); do
    (trap - EXIT && worker "$i") &
    pids+=($!)
done
broken=0
for pid in "${pids[@]}"; do wait "$pid" || broken=$((broken + 1)); done
cat "$tmp"/*/failures 2>/dev/null
[[ $broken = 0 ]] || fail "$broken of $servers servers: $(tail -n 20 "$tmp"/*/server.log)"
mapfile -t failed < <(cat "$tmp"/*/failed 2>/dev/null)
[[ ${#failed[@]} = 0 ]] || fail "${#failed[@]} of $(wc -l <"$list") tests of smbtorture: ${failed[*]}"
echo "$(wc -l <"$list") tests of smbtorture passed"
