# Sourced by scripts that serve WebDAV, behind cli_lib.sh.
# shellcheck shell=bash disable=SC2154  # $isthmus and $tmp are those of cli_lib.sh and lib.sh
need curl curl
need python3 python3
url='' as_user=()
curl_options=(--path-as-is)

# serve SOURCE ARG...: a server, with its URL in $url.
serve() {
    : >"$tmp/out"
    "${as_user[@]}" "$isthmus" serve "$@" >"$tmp/out" 2>"$tmp/server.log" </dev/null &
    server=$!
    within 300 grep -q '^ *Windows' "$tmp/out" || fail "serve $*: no URL: $(cat "$tmp/server.log")"
    url=$(sed -n 's/^WebDAV at //p' "$tmp/out")
}
stop() {
    kill "$server"
    local ended=0
    wait "$server" || ended=$?
    server=
    [[ $ended = 0 ]] || fail "the server's exit status is $ended"
    ! grep -qE 'Sanitizer|runtime error:' "$tmp/server.log" || fail "a sanitizer complained"
}
# code STATUS CURL-ARG...: what is answered; the body is in $tmp/body.
code() {
    local wanted=$1 got
    shift
    got=$(curl -s "${curl_options[@]}" -o "$tmp/body" -w '%{http_code}' "$@")
    [[ $got = "$wanted" ]] || fail "curl $*: $got, not $wanted: $(head -c 1000 "$tmp/body")"
}
has() { command -v "$1" >/dev/null || { echo "SKIP: $1: not installed (Debian package $2)"; return 1; }; }
