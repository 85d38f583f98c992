#!/usr/bin/env bash
# usage: via_webdav.sh ISTHMUS
# `isthmus mount --via webdav`: real clients of this system mount what our WebDAV door serves; whoever of server, client and keeper is
# killed, no mount hangs and no process or file is left behind.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"

mounted() { mountpoint -q "$mnt"; }
none_left() { no_servers && ! pgrep -x 'mount.davfs' >/dev/null; }
# clean_all WHAT: everything of a mount is gone, also of its client.
clean_all() {
    within 200 unmounted || fail "$1: the mount is still there"
    within 200 none_left || fail "$1: left behind: $(pgrep -al "isthmus|mount.davfs")"
    [[ $("$isthmus" list) = 'nothing is mounted by isthmus' ]] || fail "$1: still in the list"
    clean "$1"
    [[ -z $(ls -d /var/cache/isthmus-* 2>/dev/null) ]] || fail "$1: files are left in /var/cache"
    [[ ! -e /run/mount.davfs/var-local-mnt.pid ]] || fail "$1: the file of mount.davfs' process number is left"
    [[ -d $mnt && -z $(ls -A "$mnt") ]] || fail "$1: the mountpoint is not what it was"
}
via() { expect 0 "" mount "$src" "$mnt" "$@"; mounted || fail "mount $*: it returned and nothing is mounted"; }

# Random words of 26 letters are what passwords of ours look like.
no_secret() {
    ! grep -aqE '[a-z2-7]{26}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/self/mountinfo 2>/dev/null || fail "a secret can be seen"
}

davfs2() {
    # The parent has returned: files can be used at once.
    via --via webdav
    [[ $out = 'mounting by davfs2: '* ]] || fail "it does not say how: $out"
    no_secret
    "$isthmus" list | grep -q "$mnt *webdav " || fail "not in the list: $("$isthmus" list)"
    head -c 3000000 /dev/urandom >"$tmp/random"
    cp "$tmp/random" "$mnt/a" && cmp "$tmp/random" "$mnt/a" || fail "davfs2: copy"
    # It uploads soon after a file is closed.
    within 100 cmp -s "$tmp/random" "$src/a" || fail "davfs2: a file that was closed is not in the source"
    mkdir "$mnt/d" && mv "$mnt/a" "$mnt/d/b" && cmp "$tmp/random" "$src/d/b" || fail "davfs2: rename"
    echo more >>"$mnt/d/b"
    echo more >>"$tmp/random"
    within 100 cmp -s "$tmp/random" "$src/d/b" || fail "davfs2: append"
    [[ $(find "$mnt/d" -type f) = "$mnt/d/b" ]] || fail "davfs2: list"
    ! setpriv --reuid=65534 --regid=65534 --clear-groups ls "$mnt" >/dev/null 2>&1 || fail "another user sees the mount of root"
    rm -r "$mnt/d" && [[ ! -e $src/d ]] || fail "davfs2: remove"
    expect 0 "" unmount "$mnt"
    clean_all "unmount"

    # In the foreground, ended by the system's umount.
    "$isthmus" mount -f "$src" "$mnt" --via davfs2 >"$tmp/server.log" 2>&1 &
    server=$!
    within 200 mounted || fail "in the foreground: not mounted"
    echo x >"$mnt/f"
    umount -i "$mnt" || fail "umount"
    wait "$server" || fail "the server ended with status $?"
    server=
    [[ $(cat "$src/f") = x ]] || fail "umount lost a file"
    clean_all "umount"

    # SIGTERM: what a program still has open is written back when it closes it, within the grace.
    via --via webdav -o grace=20
    exec 7>"$mnt/late"
    echo written >&7
    kill -TERM "$(server_pid)"
    within 100 unmounted || fail "SIGTERM: a busy mount is not taken out of sight"
    echo "later" >&7
    exec 7>&-
    clean_all SIGTERM
    [[ $(tr '\n' ' ' <"$src/late") = 'written later ' ]] || fail "SIGTERM: not written back: $(cat "$src/late")"

    # A user that does not leave is cut off.
    via --via webdav -o grace=1
    exec 7<"$mnt/late"
    kill -TERM "$(server_pid)"
    clean_all "SIGTERM while in use"
    exec 7<&-

    expect 0 "" mount "$src" "$mnt" --via webdav -o ro
    ! touch "$mnt/no" 2>/dev/null || fail "-o ro: a file was made"
    [[ $(cat "$mnt/f") = x ]] || fail "-o ro: a file is not read"
    expect 0 "" unmount "$mnt"
    clean_all "-o ro"
}

# crash WHAT PID-COMMAND...: the process is killed while files are written.
crash() {
    local what=$1 pid writer
    shift
    via --via webdav
    pid=$("$@")
    [[ -n $pid ]] || fail "$what: no process"
    (for i in {1..1000}; do echo "$i" >"$mnt/w$i" || exit; done) 2>/dev/null &
    writer=$!
    within 100 test -e "$src/w3" || fail "$what: nothing is written"
    kill -KILL "$pid"
    within 200 unmounted || fail "$what killed: the mount is still there"
    # It hangs nowhere, but may have gone on in the folder below.
    kill "$writer" 2>/dev/null
    within 50 gone "$writer" || fail "$what killed: who was writing hangs"
    wait "$writer" 2>/dev/null
    rm -f "$mnt"/w* "$src"/w*
    clean_all "$what killed"
}
davfs_pid() { pgrep -x mount.davfs; }
keeper_pid() { pgrep -x isthmus-client; }

refuses() {
    expect 3 "does not exist" mount "$src" "$scratch/none/mnt" --via webdav
    expect 3 "No such file" mount "$src" "$scratch/none" --via webdav
    expect 2 "mount option 'max_read=4096'" mount "$src" "$mnt" --via webdav -o max_read=4096
    expect 2 "lies inside" mount "$scratch" "$mnt" --via webdav
    expect 2 "" mount nosuch:x "$mnt" --via webdav
    clean_all "refused"
    # Another user has no client here, and hears why.
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR)
    expect 4 "davfs2: only root" mount "$src" "$mnt" --via webdav
    as=()
    "$isthmus" doctor >"$tmp/out"
    for way in fuse cifs davfs2 gio; do grep -q "mount --via $way " "$tmp/out" || fail "doctor does not list $way"; done
    # The kernel's driver is the best there is.
    expect 0 "" mount "$src" "$mnt" --via auto
    [[ $out = 'mounting by fuse'* ]] || fail "--via auto: $out"
    expect 0 "" unmount "$mnt"
    clean_all auto
}

# In a session of its own: gvfs' mounts are seen in a folder of its own, where a link leads.
gvfs() {
    cat >"$tmp/session.sh" <<'END'
set -u
fail() { echo "FAIL: gvfs: $*"; exit 1; }
linked() { [[ -L $mnt ]]; }
within() { for ((i = 0; i < $1; i++)); do "${@:2}" && return 0; sleep 0.1; done; return 1; }
not() { ! "$@"; }
alone() { ! pgrep -x "isthmus|isthmus-client|gvfsd-dav" >/dev/null 2>&1 && ! linked; }
"$isthmus" mount "$src" "$mnt" --via gio || fail "does not mount"
linked || fail "no link at the mountpoint"
echo "by gvfs" >"$mnt/g" || fail "cannot write"
written() { [[ $(cat "$src/g" 2>/dev/null) = "by gvfs" ]]; }
within 50 written || fail "what was written is not in the source"
echo "at home" >"$src/h"
[[ $(cat "$mnt/h") = "at home" ]] || fail "cannot read"
"$isthmus" list | grep -q "$mnt *webdav " || fail "not in the list"
"$isthmus" unmount "$mnt" || fail "does not unmount"
within 50 alone || fail "left behind: $(pgrep -al "isthmus|gvfsd-dav")"
[[ -d $mnt ]] || fail "the mountpoint did not come back"
for whom in isthmus gvfsd-dav; do
    "$isthmus" mount "$src" "$mnt" --via gio || fail "does not mount again"
    if [[ $whom = isthmus ]]; then pid=$("$isthmus" list --json | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'); else pid=$(pgrep -x gvfsd-dav); fi
    kill -KILL "$pid"
    within 100 alone || fail "$whom killed: left behind: $(pgrep -al "isthmus|gvfsd-dav"; ls -ld "$mnt")"
done
exit 0
END
    mkdir -m 700 "$tmp/session"
    export isthmus src mnt
    XDG_RUNTIME_DIR=$tmp/session HOME=$tmp/session dbus-run-session -- bash "$tmp/session.sh" >"$tmp/session.log" 2>"$tmp/session.err" ||
        fail "$(cat "$tmp/session.log" "$tmp/session.err")"
    umount -l "$tmp/session/gvfs" 2>/dev/null
    clean_all gvfs
}

if command -v mount.davfs >/dev/null; then
    # What a test that is killed leaves there would be in the way of the next.
    mkdir -p /run/mount.davfs
    mount -t tmpfs -o mode=1775,gid=davfs2 e2e /run/mount.davfs && mount -t tmpfs e2e /var/cache || skip "no tmpfs can be mounted"
    davfs2
    crash server server_pid
    crash mount.davfs davfs_pid
    crash keeper keeper_pid
    refuses
else
    echo "SKIP: davfs2: not installed (Debian package davfs2)"
fi
if command -v dbus-run-session >/dev/null && command -v gio >/dev/null && [[ -x /usr/libexec/gvfsd-dav || -x /usr/lib/gvfs/gvfsd-dav ]]; then
    gvfs
else
    echo "SKIP: gvfs: not installed (Debian packages dbus-daemon, libglib2.0-bin, gvfs-backends, gvfs-fuse)"
fi
passed "mounts through WebDAV"
