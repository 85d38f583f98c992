#!/usr/bin/env bash
# usage: smb_copy.sh ISTHMUS
# Large files through the SMB door by Samba's client, both ways, signed and sealed, compared by hash; also two at a time. SMB_COPY_MIB: their
# size (256).
export E2E_SIZE=${E2E_SIZE:-12g}
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need smbclient smbclient
size=${SMB_COPY_MIB:-256}
[[ $size =~ ^[1-9][0-9]*$ ]] || fail "SMB_COPY_MIB is no number: $size"

hash() { sha256sum <"$1" | cut -d ' ' -f 1; }
# is_same FILE WHAT
is_same() { [[ $(stat -c %s "$1") = $((size << 20)) && $(hash "$1") = "$wanted" ]] || fail "$2: $(stat -c %s "$1") bytes with another hash"; }

copies() {  # SOURCE SMBCLIENT-ARG...
    local source=$1
    shift
    does "put $tmp/large large" "$@"
    [[ $source = mem: ]] || is_same "$src/large" "$source, $*: put"
    does "get large $tmp/back" "$@"
    is_same "$tmp/back" "$source, $*: get"
    rm "$tmp/back"
    # Each way at the same time.
    (does "get large $tmp/back" "$@") &
    local getting=$!
    does "put $tmp/large second" "$@"
    wait "$getting" || fail "$source, $*: get beside put"
    is_same "$tmp/back" "$source, $*: get beside put"
    does "get second $tmp/back" "$@"
    is_same "$tmp/back" "$source, $*: put beside get"
    does "del large; del second" "$@"
    rm "$tmp/back"
}

head -c "$((size << 20))" /dev/urandom >"$tmp/large"
wanted=$(hash "$tmp/large")
for source in mem: "$src"; do
    serve "$source" --smb
    for protection in sign encrypt; do
        began=$SECONDS
        copies "$source" --client-protection=$protection
        echo "$source, $protection: $((SECONDS - began)) s"
    done
    stop
done
passed "copies of $size MiB"
