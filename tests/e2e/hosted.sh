#!/usr/bin/env bash
# usage: hosted.sh ISTHMUS
# Unmodified FUSE programs on our libfuse through WebDAV instead of the kernel: `isthmus serve run:...`, `isthmus run --via webdav`, and
# add-ons; with curl, rclone and davfs2.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/webdav_lib.sh"

# archivemount has a file in /tmp for each that is written, whatever TMPDIR says, and leaves some.
mount -t tmpfs -o mode=1777 e2e /tmp || skip "no tmpfs can be mounted"
none_left() { no_servers && ! pgrep -x 'mount.davfs|sshfs|bindfs|archivemount|fuse-zip|unionfs' >/dev/null 2>&1; }
# clean_all WHAT: nothing is left of server, program and client.
clean_all() {
    within 150 unmounted || fail "$1: still mounted"
    within 150 none_left || fail "$1: left behind: $(pgrep -al 'isthmus|mount.davfs|sshfs|bindfs|archivemount|fuse-zip|unionfs')"
    clean "$1"
}

stop_clean() {
    stop
    clean_all "serve"
}

# What a client does with a file system that can be changed; $1 says whose.
change_by_curl() {
    code 201 -T "$tmp/random" "${url}new"
    code 200 "${url}new"
    cmp -s "$tmp/random" "$tmp/body" || fail "$1: not what was put"
    # archivemount answers nonsense when a file is renamed over another, on the kernel and its own libfuse as well.
    if [[ $1 = archivemount ]]; then code 204 -X DELETE "${url}new" && code 201 -T "$tmp/other" "${url}new"; else code 204 -T "$tmp/other" "${url}new"; fi
    code 206 -r 1000-1999 "${url}new"
    cmp -s <(tail -c +1001 "$tmp/other" | head -c 1000) "$tmp/body" || fail "$1: not the range"
    code 201 -X MKCOL "${url}dir"
    code 201 -X MOVE -H "Destination: ${url}dir/moved" "${url}new"
    code 201 -X COPY -H "Destination: ${url}dir/copy" "${url}dir/moved"
    code 207 -X PROPFIND -H 'Depth: 1' "${url}dir"
    grep -q 'dir/moved' "$tmp/body" && grep -q 'dir/copy' "$tmp/body" || fail "$1: not listed: $(cat "$tmp/body")"
    code 404 "${url}new"
    code 204 -X DELETE "${url}dir/copy"
}
# The same by rclone: a tree there, checked, and away.
change_by_rclone() {
    has rclone rclone || return 0
    : >"$tmp/rclone.conf"
    export RCLONE_CONFIG=$tmp/rclone.conf RCLONE_WEBDAV_URL=$url RCLONE_WEBDAV_VENDOR=owncloud
    rclone copy "$tmp/tree" :webdav:tree >"$tmp/rclone.txt" 2>&1 || fail "$1: rclone copy: $(cat "$tmp/rclone.txt")"
    rclone check --download "$tmp/tree" :webdav:tree >"$tmp/rclone.txt" 2>&1 || fail "$1: rclone check: $(cat "$tmp/rclone.txt")"
    rclone purge :webdav:tree >"$tmp/rclone.txt" 2>&1 || fail "$1: rclone purge: $(cat "$tmp/rclone.txt")"
}
# By davfs2, on $mnt.
change_by_davfs() {
    mkdir "$mnt/d" && cp "$tmp/random" "$mnt/d/a" && cmp "$tmp/random" "$mnt/d/a" || fail "$1: copy"
    mv "$mnt/d/a" "$mnt/d/b" && [[ $(ls "$mnt/d") = b ]] || fail "$1: rename"
    echo tail >>"$mnt/d/b"
    [[ $(tail -c 5 "$mnt/d/b") = tail ]] || fail "$1: append"
    cp -r "$tmp/tree" "$mnt/tree" && diff -r "$tmp/tree" "$mnt/tree" || fail "$1: a tree"
    rm -r "$mnt/tree" || fail "$1: rm -r"
}
# run_via PROGRAM ARG...: mounted by davfs2 when it returns.
run_via() {
    # Not through a pipe: ssh keeps standard error.
    timeout 30 "$isthmus" run --via webdav -- "$@" >"$tmp/via.log" 2>&1 </dev/null || fail "run --via webdav $*: status $?: $(cat "$tmp/via.log")"
    mountpoint -q "$mnt" || fail "$*: not mounted"
}

head -c 3000000 /dev/urandom >"$tmp/random"
head -c 500000 /dev/urandom >"$tmp/other"
mkdir -p "$tmp/tree/deep/er"
for i in {1..20}; do echo "file $i" >"$tmp/tree/deep/f$i"; done
head -c 2000000 /dev/urandom >"$tmp/tree/deep/er/large"
davfs=
if has mount.davfs davfs2; then
    davfs=yes
    # What a test that is killed leaves there would be in the way of the next.
    mkdir -p /run/mount.davfs
    mount -t tmpfs -o mode=1775,gid=davfs2 e2e /run/mount.davfs && mount -t tmpfs e2e /var/cache || skip "no tmpfs can be mounted"
fi

case_bindfs() {
    serve "run:bindfs $src" --webdav
    change_by_curl bindfs
    cmp -s "$tmp/other" "$src/dir/moved" || fail "bindfs: it is not below"
    echo "by another way" >"$src/dir/moved"
    sleep 1.1  # bindfs lets attributes be believed for a second
    code 200 "${url}dir/moved"
    [[ $(cat "$tmp/body") = "by another way" ]] || fail "bindfs: old content"
    change_by_rclone bindfs
    "$isthmus" list | grep -q '^run:bindfs ' || fail "not in the list"
    stop_clean
    # An add-on is the same program.
    serve "addon:$(command -v bindfs)?args=$src" --webdav
    code 200 "${url}dir/moved"
    code 204 -X DELETE "${url}dir"
    stop_clean
    [[ -n $davfs ]] || return 0
    run_via bindfs "$src" "$mnt"
    change_by_davfs bindfs
    expect 0 "" unmount "$mnt"
    cmp -s <(cat "$tmp/random"; echo tail) "$src/d/b" || fail "bindfs: unmounted, and it is not below"
    clean_all bindfs
    # The program ends: the mount does not stay without it.
    run_via bindfs "$src" "$mnt"
    pkill -KILL -x bindfs
    clean_all "bindfs killed"
    # A program that does not start says so.
    expect 5 "bindfs" run --via webdav -- bindfs "$src/none" "$mnt"
    clean_all "no bindfs"
}

# How sshfs reaches $src, in $sshfs_words: by an sshd of ours on the loopback interface, or where there is none by its sftp-server alone.
sshd=
reach_src() {
    if sshd_here; then
        local port
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        ssh-keygen -q -t ed25519 -N '' -f "$tmp/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$tmp/id" || return 1
        mkdir -p /run/sshd
        "${E2E_SSHD:-/usr/sbin/sshd}" -D -e -f /dev/null -h "$tmp/host_key" -p "$port" -o ListenAddress=127.0.0.1 -o PidFile=none -o UsePAM=no -o StrictModes=no \
            -o "AuthorizedKeysFile=$tmp/id.pub" -o 'Subsystem=sftp /usr/lib/openssh/sftp-server' 2>"$tmp/sshd.log" &
        sshd=$!
        within 100 grep -qs "Server listening" "$tmp/sshd.log" || fail "sshd: $(cat "$tmp/sshd.log")"
        sshfs_words=(-p "$port" -o "IdentityFile=$tmp/id,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null" "$(id -un)@127.0.0.1:$src")
    else
        echo "SKIP: sshd: not installed (Debian package openssh-server); sshfs talks to its sftp-server alone"
        printf '#!/bin/sh\nunset LD_LIBRARY_PATH\nexec /usr/lib/openssh/sftp-server\n' >"$tmp/ssh"
        chmod 755 "$tmp/ssh"
        sshfs_words=(-o "ssh_command=$tmp/ssh" "host:$src")
    fi
}

case_sshfs() {
    [[ -x /usr/lib/openssh/sftp-server ]] || { echo "SKIP: sshfs: no sftp-server here (Debian package openssh-sftp-server)"; return 0; }
    rm -rf "${src:?}"/*
    reach_src || fail "no keys for sshd"
    serve "run:sshfs ${sshfs_words[*]}" --webdav
    change_by_curl sshfs
    cmp -s "$tmp/other" "$src/dir/moved" || fail "sshfs: it is not on the host"
    change_by_rclone sshfs
    stop_clean
    if [[ -n $davfs ]]; then
        run_via sshfs "${sshfs_words[@]}" "$mnt"
        change_by_davfs sshfs
        expect 0 "" unmount "$mnt"
        cmp -s <(cat "$tmp/random"; echo tail) "$src/d/b" || fail "sshfs: unmounted, and it is not on the host"
        clean_all sshfs
    fi
    [[ -z $sshd ]] || kill "$sshd"
}

# Archives are written when their program ends. archivemount writes a new file by the first name that it had, on the kernel and its own libfuse as
# well, and a PUT gives two: of its archives, directories are looked for.
kept() {
    if [[ $1 = archivemount ]]; then code 207 -X PROPFIND -H 'Depth: 0' "${url}dir"; return; fi
    code 200 "$url$2"
    cmp -s "$3" "$tmp/body" || fail "$1: the archive was not written"
}
case_archives() {
    local program archive
    for program in archivemount fuse-zip; do
        has "$program" "$program" || continue
        if [[ $program = fuse-zip ]]; then
            has zip zip || continue
            archive=$tmp/a.zip
            (cd "$tmp/tree" && zip -qr "$archive" .)
        else
            archive=$tmp/a.tar.gz
            tar -C "$tmp/tree" -czf "$archive" .
        fi
        serve "run:$program $archive" --webdav
        code 200 "${url}deep/er/large"
        cmp -s "$tmp/tree/deep/er/large" "$tmp/body" || fail "$program: not what was packed"
        change_by_curl "$program"
        stop_clean
        serve "run:$program $archive" --webdav
        kept "$program" dir/moved "$tmp/other"
        stop_clean
        [[ -n $davfs ]] || continue
        run_via "$program" "$archive" "$mnt"
        diff -r "$tmp/tree/deep" "$mnt/deep" || fail "$program: not what was packed"
        cp "$tmp/random" "$mnt/by_davfs" || fail "$program: copy"
        expect 0 "" unmount "$mnt"
        clean_all "$program"
        serve "run:$program $archive" --webdav
        kept "$program" by_davfs "$tmp/random"
        stop_clean
    done
}

# Daemons on their own libfuses, mounted by davfs2: written, compared, unmounted in order; and one that is killed.
host_via() {
    timeout 60 "$isthmus" host --via webdav "$@" >"$tmp/via.log" 2>&1 </dev/null || fail "host --via webdav $*: status $?: $(cat "$tmp/via.log")"
    mountpoint -q "$mnt" || fail "host $*: not mounted"
}
case_host_via() {
    local isolate
    for isolate in '' --isolate; do
        rm -rf "${src:?}"/*
        host_via ${isolate:+"$isolate"} -- bindfs "$src" "$mnt"
        change_by_davfs "host $isolate bindfs"
        expect 0 "" unmount "$mnt"
        cmp -s <(cat "$tmp/random"; echo tail) "$src/d/b" || fail "host $isolate bindfs: unmounted, and it is not below"
        clean_all "host $isolate bindfs"
    done
    if has unionfs unionfs-fuse; then
        rm -rf "${src:?}"/*
        host_via -- unionfs "$src=RW" "$mnt"
        change_by_davfs "host unionfs"
        expect 0 "" unmount "$mnt"
        clean_all "host unionfs"
    fi
    if has fuse-zip fuse-zip && has unzip unzip; then
        rm -f "$tmp/host.zip"
        (cd "$tmp/tree" && zip -qr "$tmp/host.zip" .)
        host_via -- fuse-zip "$tmp/host.zip" "$mnt"
        diff -r -x lost+found "$tmp/tree" "$mnt" || fail "host fuse-zip: not what was packed"
        cp "$tmp/random" "$mnt/by_davfs" || fail "host fuse-zip: copy"
        expect 0 "" unmount "$mnt"
        clean_all "host fuse-zip"
        unzip -p "$tmp/host.zip" by_davfs | cmp - "$tmp/random" || fail "host fuse-zip: the archive was not written"
    fi
    host_via -- bindfs "$src" "$mnt"
    pkill -KILL -x bindfs
    clean_all "host bindfs killed"
    local status=0
    "$isthmus" host --via smb -- bindfs "$src" "$mnt" >"$tmp/via.log" 2>&1 </dev/null || status=$?
    if [[ $status = 4 ]]; then
        echo "SKIP: host --via smb: $(head -n 1 "$tmp/via.log")"
    else
        [[ $status = 0 ]] || fail "host --via smb: status $status: $(cat "$tmp/via.log")"
        change_by_davfs "host --via smb"
        expect 0 "" unmount "$mnt"
    fi
    clean_all "host --via smb"
}

! has bindfs bindfs || case_bindfs
! has sshfs sshfs || case_sshfs
case_archives
[[ -z $davfs ]] || ! command -v bindfs >/dev/null || case_host_via
passed "FUSE programs through WebDAV"
