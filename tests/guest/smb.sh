#!/usr/bin/env bash
# usage: guest-run --modules cifs -- smb.sh ISTHMUS TREE
# The kernel's SMB client (cifs) mounts the SMB door, in several dialects, signed and sealed, of mem and of a folder: real work,
# content compared by hash, names that Windows cannot take, locks, multichannel, what changes in the folder meanwhile, and a
# server that is gone. TREE: any files.
set -uo pipefail
isthmus=$1 tree=$2
client=/guest/client store=/guest/store
server=
fail() { echo "FAIL: $*"; dmesg | tail -n 8; [[ ! -s /guest/server.log ]] || tail -n 5 /guest/server.log; exit 1; }
grep -q GUEST_RUN= /proc/cmdline || fail "this is for the guest: it mounts on /guest"
command -v mount.cifs >/dev/null || { echo "SKIP: no mount.cifs here (Debian package cifs-utils)"; exit 77; }
mkdir "$client" "$store" /guest/tree
mount -t tmpfs store "$store" || fail "no tmpfs"
echo secret >/guest/password
printf 'username=user\npassword=secret\n' >/guest/logon
cp -r "$tree/dev" "$tree/cmake" /guest/tree
mkdir /guest/tree/empty
head -c 3000000 /dev/urandom >/guest/tree/large
head -c 128M /dev/urandom >/guest/stream
step() { echo "$SECONDS s: $*"; }

serve() {  # SOURCE
    "$isthmus" serve "$1" --smb 14450 --user user --password-file /guest/password --share share >/guest/out 2>/guest/server.log </dev/null &
    server=$!
    for _ in {1..300}; do
        grep -q '^ *any' /guest/out && return
        sleep 0.1
    done
    fail "no server of $1"
}
# A guest that is emulated beside other work may take longer to log on than the door waits.
connect() {
    for _ in {1..3}; do
        ! mount -t cifs //127.0.0.1/share "$client" -o "port=14450,credentials=/guest/logon,$1" || return 0
    done
    fail "mount with $1"
}
disconnect() {
    cd /
    for _ in {1..50}; do
        ! umount "$client" 2>/dev/null || return 0
        sleep 0.2
    done
    fail "the mount stays busy"
}

# NAME...: each of them can be made, listed, read and removed, and its file is called so in the folder (if there is one).
odd_names() {
    for name in "$@"; do
        echo "$name" >"./$name" || fail "name '$name': not made"
        [[ $(cat "./$name") = "$name" ]] || fail "name '$name': not read"
        [[ $source = mem: || $(cat "$store/$name") = "$name" ]] || fail "name '$name' is another in the folder: $(ls -a "$store")"
    done
    for name in "$@"; do
        find . -mindepth 1 -printf '%P\n' | grep -qxF -- "$name" || fail "name '$name' is not listed: $(ls -a)"
        rm "./$name" || fail "name '$name': not removed"
    done
}

work() {  # OPTIONS that it is mounted with
    cd "$client" || fail "$1: no mount"
    cp -r /guest/tree . && diff -r /guest/tree tree || fail "$1: a tree is not what was copied"
    disconnect && connect "$1" && cd "$client" || exit 1
    diff -r /guest/tree tree || fail "$1: a tree is not what was copied, without the client's cache"
    for i in {1..20}; do echo "file $i" >"f$i" || fail "$1: f$i"; done
    [[ $(find . -name 'f[0-9]*' | wc -l) = 20 ]] || fail "$1: not all names are listed"
    mv f1 tree/moved && [[ $(cat tree/moved) = "file 1" ]] || fail "$1: rename"
    mv -f f2 f3 && [[ $(cat f3) = "file 2" && ! -e f2 ]] || fail "$1: rename over another"
    mkdir folder && mv tree/moved folder && mv folder tree/folder && [[ $(cat tree/folder/moved) = "file 1" ]] || fail "$1: rename of a folder"
    ! mv -T tree/folder tree/cmake 2>/dev/null || fail "$1: a folder went over another that is not empty"
    [[ -e F3 ]] || fail "$1: names are not the same in any case"
    echo more >>f3 && [[ $(cat f3) = "file 2
more" ]] || fail "$1: append"
    truncate -s 100000 f3 && [[ $(stat -c %s f3) = 100000 && $(head -c 7 f3) = "file 2" ]] || fail "$1: truncate"
    truncate -s 3 f3 && [[ $(cat f3) = fil ]] || fail "$1: truncate to less"
    touch -d '2001-02-03 04:05:06.5 UTC' f3 && [[ $(stat -c %.1Y f3) = 981173106.5 ]] || fail "$1: time: $(stat -c %.9Y f3)"
    exec 5<f4 && rm f4 && [[ $(cat <&5) = "file 4" ]] || fail "$1: a file that was removed while open"
    exec 5<&-
    [[ ! -e f4 ]] || fail "$1: a file that was removed while open is there"
    ln f5 linked && echo x >>linked && [[ $(tail -n 1 f5) = x && $(stat -c %h f5) = 2 ]] || fail "$1: hard link"
    dd if=/dev/zero of=sparse bs=1 count=1 seek=3000000 status=none && [[ $(stat -c %s sparse) = 3000001 ]] || fail "$1: sparse"
    # shellcheck disable=SC2016  # expanded by the inner shell
    flock f6 bash -c '! flock -n "$1" true 2>/dev/null' bash f6 || fail "$1: flock lets two in"
    [[ $(stat -fc %b .) -gt 0 ]] || fail "$1: statfs"
    rm -rf ./* && [[ -z $(ls -A) ]] || fail "$1: something is left: $(ls -A)"
    cd /
}

# Once, as it takes its time.
stream() {
    cd "$client" || fail "no mount"
    cp /guest/stream stream && sync stream && echo 1 >/proc/sys/vm/drop_caches
    disconnect && connect "$1" && cd "$client" || exit 1
    [[ $(sha256sum <stream) = $(sha256sum </guest/stream) ]] || fail "$1: a large file is not what was copied"
    rm stream
    cd /
}

# By the POSIX extensions. Debian's 6.1 makes no links and fifos by them, and tells a deleted file's name while it has it open.
posix() {
    cd "$client" || fail "posix: no mount"
    umask 0
    echo text >mode && mkdir -m 1775 dir || fail "posix: a file and a folder"
    umask 022
    touch lower Lower LOWER && [[ $(find . -iname lower | wc -l) = 3 ]] || fail "posix: names in several cases"
    echo odd >'a:b?c*' && echo odd >'dot.' || fail "posix: names that Windows cannot take"
    [[ $(cat "$store/a:b?c*" "$store/dot.") = "odd
odd" ]] || fail "posix: names are others in the folder: $(ls -a "$store")"
    [[ $(stat -c %a "$store/mode" "$store/dir" | tr '\n' ' ') = '666 1775 ' ]] || fail "posix: modes: $(stat -c %a "$store"/{mode,dir})"
    chmod 4751 mode && chown 12:34 mode && [[ $(stat -c '%a %u %g' "$store/mode") = '751 12 34' ]] || fail "posix: chmod, chown"
    ln -s mode "$store/link" && ln -s /nowhere "$store/dangling" && [[ $(cat link) = text && $(readlink dangling) = /nowhere ]] ||
        fail "posix: symlinks: $(ls -l)"
    mv link moved && rm dangling && [[ $(readlink "$store/moved") = mode && ! -L $store/dangling ]] || fail "posix: rename and remove of links"
    echo old >held && exec 5<held && rm held && [[ ! -e $store/held && $(cat <&5) = old ]] || fail "posix: removed while open"
    exec 5<&-
    echo old >held && echo new >other && exec 5<held && mv -f other held && [[ $(cat "$store/held") = new && $(cat <&5) = old ]] ||
        fail "posix: rename over an open file"
    exec 5<&-
    [[ $(cat held) = new ]] || fail "posix: rename over an open file, which is closed now"
    touch readonly && chmod 444 readonly && rm readonly && [[ ! -e readonly ]] || fail "posix: a file without write bits"
    [[ $(stat -fc %c .) -gt 0 ]] || fail "posix: statfs has no number of files"
    rm -r ./* && [[ -z $(ls -A) ]] || fail "posix: something is left: $(ls -A)"
    cd /
}

for source in mem: "$store"; do
    serve "$source"
    for options in vers=3.1.1 vers=2.1 vers=3.0,seal vers=3.1.1,seal; do
        [[ $source = mem: || $options = vers=3.1.1 ]] || continue
        step "$source, $options"
        connect "$options"
        work "$options"
        [[ $options != vers=3.1.1 ]] || { step names; cd "$client" && odd_names 'a:b' 'c*?"d<e>f|g' 'dot.' 'two..' 'space ' $'u\xc3\xbcml' .hidden 'x y'; }
        [[ $source$options != mem:vers=3.1.1 ]] || { step "a large file"; stream "$options"; }
        disconnect
    done
    if [[ $source = mem: ]]; then
        step "a session on two connections"
        connect vers=3.1.1,multichannel,max_channels=2
        for _ in {1..600}; do ! grep -q 'Extra Channels: 1' /proc/fs/cifs/DebugData || break; sleep 0.1; done
        grep -q 'Extra Channels: 1' /proc/fs/cifs/DebugData || fail "the client has no second connection"
        cp -r /guest/tree "$client" && sync && echo 1 >/proc/sys/vm/drop_caches
        diff -r /guest/tree "$client/tree" || fail "two connections: a tree is not what was copied"
        rm -r "$client/tree"
        disconnect
    fi
    if [[ $source != mem: ]]; then
        step "POSIX extensions"
        connect vers=3.1.1,posix,modefromsid,idsfromsid
        posix
        disconnect
        step "changes in the folder"
        connect vers=3.1.1
        echo one >"$client/both" && [[ $(cat "$store/both") = one ]] || fail "the folder does not have what the client wrote"
        echo second >"$store/both"
        sleep 1.1  # that long the client may believe what it knows (actimeo)
        [[ $(cat "$client/both") = second ]] || fail "the client shows old content"
        disconnect
    fi
    [[ $source != mem: ]] || { kill "$server" && wait "$server" || fail "the server ended with status $?"; }
done
step "a server that ends"
connect vers=3.1.1,echo_interval=1
echo here >"$client/file" && sync "$client/file" || fail "write"
kill "$server" && wait "$server" || fail "the server does not end while a client is connected"
timeout -s KILL 60 cat "$client/other" 2>/dev/null && fail "a server that is gone answers"
# Out of sight at once; what the kernel still wants to write back it tries for minutes.
umount -l "$client" &
there() { grep -q " $client " /proc/self/mountinfo; }
for _ in {1..50}; do there || break; sleep 0.1; done
! there || fail "umount without a server"
step passed
