#!/usr/bin/env bash
# usage: smbtorture.sh ISTHMUS
# Samba's own tests of servers (smbtorture), those of smbtorture.expected: each passed and has to pass from then on. A line is the
# name of a test, or `- NAME: why it does not pass, and Samba's server does`. One process a test. Most wait for what must not come, so
# several servers are asked at once; a test has its server to itself. They expect breaks and answers within seconds: what fails beside
# the others is run once more when they are done, and has to pass then.
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

# run_tests NAME: the tests of standard input, with a server of their own and files in $tmp/NAME; names of those that fail go to the file
# failed there, and what they said to failures.
run_tests() {
    tmp=$tmp/$1
    mkdir "$tmp"
    serve mem: --smb --signing offered
    while read -r -u 9 name; do
        PASSWD=$password timeout -k 5 120 smbtorture //127.0.0.1/share -s "$tmp/../smb.conf" -p "$port" -U user "$name" \
            >"$tmp/torture.log" 2>&1 </dev/null
        grep -q '^success:' "$tmp/torture.log" && ! grep -qE '^(failure|error):' "$tmp/torture.log" && continue
        echo "$name" >>"$tmp/failed"
        { echo "--- $name" && tail -n 15 "$tmp/torture.log"; } >>"$tmp/failures"
    done
    stop
}
pids=()
for ((i = 0; i < servers; i++)); do
    (trap - EXIT && run_tests "$i" 9< <(awk -v n="$servers" -v mine="$i" 'NR % n == mine' "$list")) &
    pids+=($!)
done
broken=0
for pid in "${pids[@]}"; do wait "$pid" || broken=$((broken + 1)); done
[[ $broken = 0 ]] || fail "$broken of $servers servers: $(tail -n 20 "$tmp"/*/server.log)"
cat "$tmp"/*/failed >"$tmp/again" 2>/dev/null
if [[ -s $tmp/again ]]; then
    echo "failed beside others: $(paste -sd' ' "$tmp/again")"
    (trap - EXIT && run_tests alone 9<"$tmp/again") || fail "the server: $(tail -n 20 "$tmp/alone/server.log")"
    cat "$tmp/alone/failures" 2>/dev/null
fi
mapfile -t failed < <(cat "$tmp/alone/failed" 2>/dev/null)
[[ ${#failed[@]} = 0 ]] || fail "${#failed[@]} of $(wc -l <"$list") tests of smbtorture: ${failed[*]}"
echo "$(wc -l <"$list") tests of smbtorture passed"
