#!/usr/bin/env bash
# usage: run_test.sh GUEST-RUN
# What tools/guest-run promises: words, environment, status and output of the command, nothing written here, an end in time.
set -uo pipefail
run=$1
fail() { echo "FAIL: $*"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch GUEST_TEST="a 'b' \$c"
cd "$scratch" || exit 1
echo here >file

# shellcheck disable=SC2016  # expanded in the guest
output=$("$run" --timeout 200 -- bash -c '
    printf "%s|" "$@" "$GUEST_TEST" "$PWD" "$(cat file)" "$(id -u)"; echo >&2 told
    echo changed >file; echo more >added; [ -c /dev/fuse ] || echo no fuse; uname -r >/tmp/guest; exit 7' bash 'x y' '' '*')
status=$?
[[ $status != 77 ]] || { echo "$output"; exit 77; }
[[ $status = 7 ]] || fail "the command's status 7 came as $status: $output"
[[ $output = "x y||*|$GUEST_TEST|$scratch|here|0|told" ]] || fail "the output is: $output"
[[ $(cat file) = here && ! -e added ]] || fail "the guest wrote here"
[[ $(ls "$scratch") = file ]] || fail "left behind: $(ls "$scratch")"

"$run" --timeout 200 -- bash -c 'echo c >/proc/sysrq-trigger; sleep 100' >/dev/null 2>panic
status=$?
[[ $status = 125 ]] && grep -q 'Kernel panic' panic || fail "a panic came as status $status: $(cat panic)"
"$run" --timeout 1 -- true >/dev/null 2>late
status=$?
[[ $status = 124 ]] && grep -q 'no end after 1 s' late || fail "an end for lack of time came as status $status: $(cat late)"
"$run" --mem 1x -- true 2>/dev/null && fail "--mem 1x is taken"
"$run" --kernel six -- true 2>/dev/null && fail "--kernel six is taken"
output=$("$run" --kernel 0.9 -- true)
status=$?
[[ $status = 77 && $output = *'no Debian kernel 0.9'* ]] || fail "a kernel that is not there came as status $status: $output"
echo "passed: a guest's command, a panic, an end for lack of time"
