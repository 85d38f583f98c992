#!/usr/bin/env bash
# usage: smb_clients.sh ISTHMUS
# The SMB door before clients that have nothing in common with Samba's or the kernel's: impacket (Python), rclone (go-smb2); and before gio,
# as a desktop uses it (gvfs over libsmbclient). What another door changes meanwhile they see at once.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need curl curl

has() { command -v "$1" >/dev/null || { echo "SKIP: $1: not installed (Debian package $2)"; return 1; }; }

# Debian's Python, as its packages are not in others'.
impacket() {
    /usr/bin/python3 -c 'import impacket.smbconnection' 2>/dev/null || { echo "SKIP: impacket: not installed (Debian package python3-impacket)"; return; }
    /usr/bin/python3 "$top/tests/e2e/smb_impacket.py" "$port" "$tmp/password" "$url" "$src" >"$tmp/impacket.txt" 2>&1 ||
        fail "impacket: $(cat "$tmp/impacket.txt")"
}

does_rclone() { timeout 120 rclone "$@" >"$tmp/rclone.txt" 2>&1 || fail "rclone $*: $(cat "$tmp/rclone.txt")"; }
go_smb2() {
    has rclone rclone || return 0
    : >"$tmp/rclone.conf"
    RCLONE_SMB_PASS=$(rclone obscure - <"$tmp/password")
    export RCLONE_CONFIG=$tmp/rclone.conf RCLONE_SMB_HOST=127.0.0.1 RCLONE_SMB_PORT=$port RCLONE_SMB_USER=user RCLONE_SMB_PASS
    mkdir -p "$tmp/tree/a/b"
    for i in {1..40}; do echo "file $i" >"$tmp/tree/a/f$i"; done
    head -c 20000000 /dev/urandom >"$tmp/tree/large"
    echo odd >"$tmp/tree/a/b/"$'sp ace \xc3\xbc'
    : >"$tmp/tree/empty"
    touch -d '2001-02-03 04:05:06' "$tmp/tree/a/f1"
    does_rclone copy "$tmp/tree" :smb:share/tree
    does_rclone check --download "$tmp/tree" :smb:share/tree
    does_rclone lsl :smb:share/tree
    grep -q '2001-02-03 04:05:06.* a/f1$' "$tmp/rclone.txt" || fail "rclone: a time did not come through: $(cat "$tmp/rclone.txt")"
    does_rclone moveto :smb:share/tree/a/f2 :smb:share/tree/moved
    does_rclone cat --offset 3 --count 4 :smb:share/tree/moved
    [[ $(cat "$tmp/rclone.txt") = "e 2" ]] || fail "rclone: a part of a file that was moved: $(cat "$tmp/rclone.txt")"
    does_rclone moveto :smb:share/tree/a :smb:share/tree/c
    does_rclone lsf :smb:share/tree/c
    [[ $(wc -l <"$tmp/rclone.txt") = 40 ]] || fail "rclone: a folder that was moved: $(cat "$tmp/rclone.txt")"
    by_webdav tree/moved -T - <<<"by another door"
    does_rclone cat :smb:share/tree/moved
    [[ $(cat "$tmp/rclone.txt") = "by another door" ]] || fail "rclone: not what WebDAV put: $(cat "$tmp/rclone.txt")"
    # Several connections at once.
    does_rclone copy --transfers 8 :smb:share/tree "$tmp/again"
    does_rclone check --download "$tmp/again" :smb:share/tree
    does_rclone deletefile :smb:share/tree/large
    does_rclone purge :smb:share/tree
    does_rclone lsf :smb:share
    [[ ! -s $tmp/rclone.txt ]] || fail "rclone: something is left: $(cat "$tmp/rclone.txt")"
}

# In a session of its own.
gvfs() {
    has dbus-run-session dbus-daemon && has gio libglib2.0-bin || return 0
    [[ -x /usr/libexec/gvfsd-smb || -x /usr/lib/gvfs/gvfsd-smb ]] || { echo "SKIP: gvfsd-smb: not installed (Debian package gvfs-backends)"; return; }
    cat >"$tmp/session.sh" <<'END'
set -u
fail() { echo "FAIL: gio: $*"; exit 1; }
at=smb://user@127.0.0.1:$port/share
{ echo WORKGROUP; cat "$tmp/password"; } | timeout 60 gio mount "$at" || fail "mount"
gio mkdir "$at/d" || fail "mkdir"
gio copy "$tmp/random" "$at/d/f" || fail "put"
gio copy "$at/d/f" "$tmp/random.back" && cmp "$tmp/random" "$tmp/random.back" || fail "get"
gio rename "$at/d/f" g && gio move "$at/d/g" "$at/d/h" || fail "rename"
[[ $(gio list "$at/d") = h ]] || fail "list: $(gio list "$at/d")"
[[ $(gio info -a standard::size "$at/d/h") = *"standard::size: 3000000"* ]] || fail "info: $(gio info "$at/d/h")"
echo saved | gio save "$at/d/h" || fail "save"
[[ $(gio cat "$at/d/h") = saved ]] || fail "cat: $(gio cat "$at/d/h")"
by_webdav d/h -T - <<<"by another door"
[[ $(gio info -a standard::size "$at/d/h") = *"standard::size: 16"* ]] || fail "not the size that WebDAV made: $(gio info "$at/d/h")"
[[ $(gio cat "$at/d/h") = "by another door" ]] || fail "not what WebDAV put: $(gio cat "$at/d/h")"
gio remove "$at/d/h" && gio remove "$at/d" || fail "remove"
[[ -z $(gio list "$at") ]] || fail "something is left: $(gio list "$at")"
gio mount -u "$at" || fail "unmount"
exit 0
END
    mkdir -m 700 "$tmp/session"
    head -c 3000000 /dev/urandom >"$tmp/random"
    export port url tmp
    export -f by_webdav
    XDG_RUNTIME_DIR=$tmp/session HOME=$tmp/session dbus-run-session -- bash "$tmp/session.sh" >"$tmp/session.log" 2>&1 || fail "$(cat "$tmp/session.log")"
    umount -l "$tmp/session/gvfs" 2>/dev/null
}

# by_webdav PATH CURL-ARG...: what another door does.
by_webdav() {
    local path=$1
    shift
    curl -sf "$@" "$url$path" >/dev/null || fail "curl $* $path"
}

for source in mem: "$src"; do
    serve "$source" --smb --webdav
    url=$(sed -n 's/^WebDAV at //p' "$tmp/out")
    [[ -n $url ]] || fail "no URL of WebDAV: $(cat "$tmp/out")"
    [[ $source = mem: ]] || impacket
    go_smb2
    gvfs
    rm -rf "$tmp/tree" "$tmp/again" "$tmp/session"
    stop
done
passed "clients of others"
