# Sourced by scripts that serve SMB, behind cli_lib.sh.
# shellcheck shell=bash disable=SC2154  # $isthmus and $tmp are those of cli_lib.sh and lib.sh
port='' password=''

# serve SOURCE ARG...: a server of the share "share" for the user "user", with its port in $port.
serve() {
    : >"$tmp/out"
    password=$(head -c 12 /dev/urandom | base64 | tr -d '/+=')
    (umask 077 && echo "$password" >"$tmp/password")
    printf 'username=user\npassword=%s\n' "$password" >"$tmp/logon"
    "$isthmus" serve "$@" --user user --password-file "$tmp/password" --share share >"$tmp/out" 2>"$tmp/server.log" </dev/null &
    server=$!
    within 300 grep -q '^ *any' "$tmp/out" || fail "serve $*: no port: $(cat "$tmp/server.log")"
    port=$(sed -n 's|^SMB at smb://127.0.0.1:\([0-9]*\)/share$|\1|p' "$tmp/out")
}
stop() {
    kill "$server"
    local ended=0
    wait "$server" || ended=$?
    server=
    [[ $ended = 0 ]] || fail "the server's exit status is $ended"
    ! grep -qE 'Sanitizer|runtime error:' "$tmp/server.log" || fail "a sanitizer complained"
}
# client COMMANDS ARG...: smbclient's commands on the share; what it says is in $out, its exit status in $status.
client() {
    local commands=$1
    shift
    status=0
    out=$(timeout 120 smbclient "//127.0.0.1/share" -p "$port" -A "$tmp/logon" "$@" -c "$commands" 2>&1 </dev/null) || status=$?
}
# does COMMANDS ARG...: the same, and it must not fail.
does() {
    client "$@"
    [[ $status = 0 && $out != *NT_STATUS* ]] || fail "smbclient $*: $out"
}
# refuses TEXT COMMANDS ARG...: it must be refused so.
refuses() {
    local text=$1
    shift
    client "$@"
    [[ $out = *"$text"* ]] || fail "smbclient $*: no $text in: $out"
}
