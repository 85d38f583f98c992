#!/usr/bin/env bash
# usage: smb_kill.sh ISTHMUS
# The server of the SMB door is killed under clients and started again on the same port with the same password: they hear of it, none
# hangs, what was flushed or closed is there, and durable handles, which are not persistent, are gone.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need smbclient smbclient

crash() {
    kill -KILL "$server"
    wait "$server" 2>/dev/null
}
# Where it was, with the password that it had.
serve_again() {
    : >"$tmp/out"
    "$isthmus" serve "$src" --smb "$port" --user user --password-file "$tmp/password" --share share >"$tmp/out" 2>"$tmp/server.log" </dev/null &
    server=$!
    within 300 grep -q '^ *any' "$tmp/out" || fail "no server on the port that it had: $(cat "$tmp/server.log")"
}

head -c 100000000 /dev/urandom >"$tmp/large"
serve "$src" --smb

# While a file is put.
does "put $tmp/large closed"
(timeout 120 smbclient //127.0.0.1/share -p "$port" -A "$tmp/logon" -c "put $tmp/large torn" >"$tmp/put" 2>&1 </dev/null; echo $? >"$tmp/put.status") &
client=$!
has_begun() { [[ $(stat -c %s "$src/torn" 2>/dev/null || echo 0) -gt 1000000 ]]; }
within 600 has_begun || fail "nothing is put: $(cat "$tmp/put")"
crash
wait "$client"
status=$(cat "$tmp/put.status")
# It may have been done just before.
[[ $status != 124 ]] || fail "smbclient hangs without its server"
[[ $status != 0 ]] || cmp -s "$tmp/large" "$src/torn" || fail "smbclient did not hear that its server was gone: $(cat "$tmp/put")"
cmp -s "$tmp/large" "$src/closed" || fail "a file that was closed is not what was put"
serve_again
does "get closed $tmp/back; put $tmp/large torn; get torn $tmp/back2"
cmp -s "$tmp/large" "$tmp/back" && cmp -s "$tmp/large" "$tmp/back2" || fail "not what was put, after a crash"

if /usr/bin/python3 -c 'import impacket.smbconnection' 2>/dev/null; then
    # It tells when the server is to be killed, and goes on when it hears that there is another.
    mkfifo "$tmp/told" "$tmp/say"
    timeout 300 /usr/bin/python3 "$top/tests/e2e/smb_kill.py" "$port" "$tmp/password" "$src" <"$tmp/say" >"$tmp/told" 2>"$tmp/kill.txt" &
    client=$!
    exec 8>"$tmp/say" 7<"$tmp/told"
    read -r -t 120 line <&7 || fail "impacket: $(cat "$tmp/kill.txt")"
    [[ $line = ready ]] || fail "impacket: $line $(cat "$tmp/kill.txt")"
    crash
    serve_again
    echo go >&8
    wait "$client" || fail "impacket: $(cat "$tmp/kill.txt")"
else
    echo "SKIP: impacket: not installed (Debian package python3-impacket)"
fi
stop
passed "servers that are killed"
