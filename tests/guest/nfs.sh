#!/usr/bin/env bash
# usage: guest-run --modules "ext4 loop nfsd nfsv3 nfsv4" -- nfs.sh ISTHMUS CONFORMANCE_FOLDER TREE
# The kernel's NFS server exports mem and pass (docs/fuse.md, NFS), and its client mounts them, as v3 and as v4.2: real work, a part of
# the conformance suite, handles of nodes that the kernel has forgotten, and handles of a server that was restarted. TREE: any
# files to work with.
set -uo pipefail
isthmus=$1 folder=$2 tree=$3
share=/guest/share client=/guest/client trace=/guest/trace
fail() { echo "FAIL: $*"; dmesg | tail -n 5; exit 1; }
grep -q GUEST_RUN= /proc/cmdline || fail "this is for the guest: it changes /etc and mounts on /guest"
for each in rpcbind rpc.statd rpc.mountd rpc.nfsd exportfs mount.nfs; do
    command -v "$each" >/dev/null || { echo "SKIP: no $each here (Debian package nfs-kernel-server)"; exit 77; }
done

mkdir "$share" "$client" /guest/native /guest/store
truncate -s 200m /guest/image && mkfs.ext4 -q -b 4096 -O ^has_journal -E lazy_itable_init=1 /guest/image && mount -o loop /guest/image /guest/store ||
    fail "no ext4 file system in the guest"
# Debian's settings have the server look up users' groups by itself (manage-gids); the suite's users are nobody it knows.
: >/etc/nfs.conf
rm -f /etc/nfs.conf.d/*
sysctl -q fs.nfs.nlm_grace_period=1 &&
    mount -t nfsd nfsd /proc/fs/nfsd && mount -t tmpfs nfs /var/lib/nfs || fail "no nfsd"
mkdir /var/lib/nfs/{sm,sm.bak,v4recovery,rpc_pipefs}
touch /var/lib/nfs/{etab,rmtab,xtab}
rpcbind -w && rpc.statd --no-notify && rpc.mountd && rpc.nfsd 2 || fail "the NFS server does not start"
echo Y >/proc/fs/nfsd/v4_end_grace  # no client of before waits for its locks

serve() {  # SOURCE
    local options=allow_other,default_permissions,dev,suid
    [[ $1 = mem: ]] || options+=,noforget
    "$isthmus" mount -o "$options" "trace+$1?trace.ops=lookup&trace.file=$trace" "$share" || fail "mount of $1"
    chmod 1777 "$share"
    # fsid names the export where the device does not; 0 makes it the root of NFSv4, so that no other folder need be exported.
    exportfs -o rw,no_root_squash,insecure,no_subtree_check,fsid=0 "127.0.0.1:$share" || fail "export"
}
# The server and the kernel keep nothing of the export that they could do without.
# Each pass drops a folder's names, only then can its own be dropped.
forget() { exportfs -f && sync && for _ in {1..5}; do echo 3 >/proc/sys/vm/drop_caches; done; }
stop() {
    exportfs -ua
    forget
    for _ in {1..50}; do
        ! umount "$share" 2>/dev/null || return 0
        sleep 0.2
    done
    fail "the mount stays busy after the export has ended"
}
connect() {  # VERSION
    local path=$share
    [[ $1 = 3 ]] || path=/
    mount -t nfs -o "vers=$1" "127.0.0.1:$path" "$client" || fail "NFS mount, version $1"
}

disconnect() {
    cd /
    local said
    for _ in {1..50}; do
        ! said=$(umount "$client" 2>&1) || return 0
        sleep 0.2
    done
    fail "the client's mount stays: $said"
}

work() {
    local repo=$client/repo
    cp -a "$tree/src/run" "$client/run" && diff -r "$tree/src/run" "$client/run" || fail "cp and diff"
    git init -q "$repo" && tar -C "$tree" -cf - src/run | tar -C "$repo" -xf - && git -C "$repo" add . &&
        git -C "$repo" -c user.name=n -c user.email=e commit -qm c && git -C "$repo" fsck 2>/dev/null || fail "git"
    # shellcheck disable=SC2016  # expanded by the inner shell
    flock "$client/lock" bash -c '! flock -n "$1" true' bash "$client/lock" || fail "flock lets two in"
    rm -rf "${client:?}"/* "$client"/.[a-z]* 2>/dev/null
    [[ -z $(ls -A "$client") ]] || fail "left after rm -r: $(ls -A "$client")"
}

# Left out is what NFS does otherwise: a request carries 16 groups, files that are open are renamed instead of removed, times of version 3 have
# 32 bits, setuid bits outlive a truncation by others.
conformance() {  # TRAITS
    "$folder" --dir="$client" --native=/guest/native --patience=10 --gtest_filter="$families" \
        --traits="-collapse_range,-zero_range,-xattrs_trusted,-posix_acl,-tmpfile,-rename_noreplace,-rename_exchange,-rename_whiteout,-btime,-unlinked_open,$1" ||
        bad+=("conformance: $source over NFS $version")
}
families='Access.*:Mknod.*:Rename.*:Statfs.*:Symlink.*:Unlink.*-Access.Groups*:Unlink.OneOfTwoNames'
bad=()

# The server of version 4 keeps what its client has open, and so the way there; that of version 3 keeps nothing.
handles() {
    local before
    mkdir -p "$client/deep/er/est" && echo kept >"$client/deep/er/est/file" && chmod -R a+rX "$client/deep"
    [[ $version != 3 ]] || exec 5<"$client/deep/er/est/file"
    cd "$client/deep/er/est" || fail "cd"
    before=$(grep -c '"\."' "$trace")
    forget
    [[ $version != 3 || $(cat <&5) = kept ]] || fail "an open file after the server has forgotten it"
    [[ $(cat file) = kept && $(ls ../..) = er ]] || fail "a working directory after the server has forgotten it"
    cd / && exec 5<&-
    [[ $(grep -c '"\."' "$trace") -gt $before ]] || fail "no handle was looked up: the test looked at caches only"
    rm -r "$client/deep"
}

# After a restart numbers of nodes mean others. An old handle is stale, or finds its file; never another one.
restart() {  # SOURCE
    local got
    echo "a secret" >"$client/held" && exec 5<"$client/held"
    stop
    serve "$1"
    for each in {1..30}; do echo "another file" >"$share/other.$each"; done
    got=$(cat <&5 2>&1)
    [[ $got = *"Stale file handle"* || ($1 != mem: && $got = "a secret") ]] || fail "a handle of before the restart gives: $got"
    exec 5<&-
    [[ $(cat "$client/other.7") = "another file" ]] || fail "the client does not find new files after a restart"
}

step() { echo "$SECONDS s: $source over NFS $version: $*"; }

for source in mem: dir:/guest/store; do
    serve "$source"
    for version in 3 4.2; do
        connect "$version"
        step work
        work
        case $source$version in  # one of each, for the sake of time
            mem:4.2) step conformance; conformance "" ;;
            dir:*3) step conformance; conformance -xattrs,-holes,-fallocate,-punch_hole,-keep_size,-copy_file_range ;;
        esac
        step handles
        handles
        [[ $version != 3 ]] || { step a restart; restart "$source"; }
        disconnect
    done
    stop
done
[[ ${#bad[@]} = 0 ]] || fail "${bad[*]}"
echo "passed: mem and pass over NFS 3 and 4.2"
