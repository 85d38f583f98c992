#!/usr/bin/env bash
# usage: guest-run --modules cifs -- smb_kill.sh ISTHMUS
# The server is killed (SIGKILL) under the kernel's SMB client, which has files open, and started again on the same port with the same
# password: what was flushed is there, what was not is written again or reported, and nothing hangs. On hard and on soft mounts.
set -uo pipefail
isthmus=$1
client=/guest/client store=/guest/store
server=
fail() { echo "FAIL: $*"; dmesg | tail -n 8; [[ ! -s /guest/server.log ]] || tail -n 5 /guest/server.log; exit 1; }
grep -q GUEST_RUN= /proc/cmdline || fail "this is for the guest: it mounts on /guest"
command -v mount.cifs >/dev/null || { echo "SKIP: no mount.cifs here (Debian package cifs-utils)"; exit 77; }
mkdir "$client" "$store"
echo secret >/guest/password
printf 'username=user\npassword=secret\n' >/guest/logon
step() { echo "$SECONDS s: $*"; }

serve() {
    "$isthmus" serve "$store" --smb 14450 --user user --password-file /guest/password --share share >/guest/out 2>/guest/server.log </dev/null &
    server=$!
    for _ in {1..300}; do
        ! grep -q '^ *any' /guest/out || return 0
        sleep 0.1
    done
    fail "no server"
}
crash() {
    kill -KILL "$server"
    wait "$server" 2>/dev/null
}
# A guest that is emulated beside other work may take longer to log on than the door waits.
connect() {
    for _ in {1..3}; do
        ! mount -t cifs //127.0.0.1/share "$client" -o "port=14450,credentials=/guest/logon,vers=3.1.1,echo_interval=1,$1" || return 0
    done
    fail "mount with $1"
}
# Within minutes: the client tries to connect again when it likes.
answers() {
    for _ in {1..120}; do
        ! timeout 60 stat -f "$client" >/dev/null 2>&1 || return 0
        sleep 1
    done
    fail "the client does not find its server again"
}

# A file that stays open, a lock-step writer that is told what reached the disk, and what the client has not sent yet.
under_a_crash() {  # hard | soft
    local line
    connect "$1"
    step "$1: an open file"
    exec 5>"$client/open"
    echo flushed >&5 && sync "$client/open" || fail "$1: write"
    exec 6>"$client/cached"
    echo "only in the client's cache" >&6
    crash
    [[ $(cat "$store/open") = flushed ]] || fail "$1: what was flushed is lost: $(cat "$store/open")"
    serve
    answers
    [[ $(cat "$client/open") = flushed ]] || fail "$1: what was flushed is not read again"
    # The client opens the file again by itself.
    echo more >&5 && sync "$client/open" || fail "$1: an open file is not usable with the server's next run"
    [[ $(tr '\n' ' ' <"$store/open") = 'flushed more ' ]] || fail "$1: not what was written: $(cat "$store/open")"
    exec 5>&-
    if sync "$client/cached"; then
        [[ $(cat "$store/cached") = "only in the client's cache" ]] || fail "$1: lost without a word: $(cat "$store/cached")"
    else
        echo "$1: what was cached is reported as lost"
    fi
    exec 6>&-

    step "$1: a writer"
    : >/guest/flushed
    (
        for line in {1..100000}; do
            [[ ! -e /guest/enough ]] || exit 0
            echo "$line" >>"$client/lines" && sync "$client/lines" && echo "$line" >>/guest/flushed
            sleep 0.02
        done
    ) 2>/dev/null &
    local writer=$!
    lines() { [[ $(wc -l </guest/flushed) -ge $1 ]]; }
    for _ in {1..600}; do ! lines 5 || break; sleep 0.1; done
    lines 5 || fail "$1: nothing is written"
    for _ in 1 2; do
        crash
        local before
        before=$(wc -l </guest/flushed)
        serve
        for _ in {1..1200}; do ! lines $((before + 5)) || break; sleep 0.1; done
        lines $((before + 5)) || fail "$1: the writer does not go on after a crash: $(tail -n 1 /guest/flushed)"
    done
    touch /guest/enough
    wait "$writer" || fail "$1: the writer ended with status $?"
    rm /guest/enough
    # Each line that was flushed is there, once, and none is torn. Lines that were not may be there too.
    sort /guest/flushed >/guest/wanted
    sort "$store/lines" >/guest/got
    [[ -z $(comm -23 /guest/wanted /guest/got) ]] || fail "$1: flushed and lost: $(comm -23 /guest/wanted /guest/got | head -n 3)"
    [[ -z $(uniq -d /guest/got) ]] || fail "$1: written twice: $(uniq -d /guest/got | head -n 3)"
    ! grep -vqE '^[0-9]+$' "$store/lines" || fail "$1: torn: $(grep -vE '^[0-9]+$' "$store/lines" | head -n 3)"

    step "$1: a copy"
    (dd if=/guest/random of="$client/copy" bs=64k conv=fsync 2>/guest/dd; echo $? >/guest/dd.status) &
    for _ in {1..600}; do
        [[ $(stat -c %s "$store/copy" 2>/dev/null || echo 0) -lt 1000000 ]] || break
        sleep 0.05
    done
    crash
    sleep 1
    serve
    wait %?dd 2>/dev/null
    for _ in {1..1800}; do [[ ! -s /guest/dd.status ]] || break; sleep 0.1; done
    [[ -s /guest/dd.status ]] || fail "$1: a copy hangs: $(cat /guest/dd)"
    answers
    if [[ $(cat /guest/dd.status) = 0 ]]; then
        cmp /guest/random "$store/copy" || fail "$1: a copy that went well is another"
    else
        echo "$1: the copy is reported as failed: $(head -n 1 /guest/dd)"
    fi
    rm /guest/dd.status "$client"/* || fail "$1: rm"
    [[ -z $(ls -A "$store") ]] || fail "$1: something is left: $(ls -A "$store")"
    for _ in {1..50}; do
        ! umount "$client" 2>/dev/null || return 0
        sleep 0.2
    done
    fail "$1: the mount stays busy"
}

head -c 20000000 /dev/urandom >/guest/random
serve
under_a_crash hard
under_a_crash soft
kill "$server" && wait "$server" || fail "the server ended with status $?"
step passed
