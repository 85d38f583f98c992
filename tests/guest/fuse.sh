#!/usr/bin/env bash
# usage: guest-run --modules "ext4 loop" -- fuse.sh ISTHMUS WITH_MOUNT CONFORMANCE_FOLDER
# The conformance suite on mem and pass through the FUSE of Debian's kernel (6.1: protocol 7.38, without io_uring, passthrough,
# EXPIRE_ONLY, NO_EXPORT_SUPPORT). Runs in a guest that is emulated: tests that take minutes there are left out.
set -uo pipefail
grep -q GUEST_RUN= /proc/cmdline || { echo "FAIL: this is for the guest: it mounts on /guest"; exit 1; }
isthmus=$1 with_mount=$2 folder=$3
slow='Concurrency.*:Readdir.*:Chmod.EveryMode*:Names.*:Directory.ManySubdirectories:Link.ManyNames:Full.*:Exec.*'
failed=0

# The tmpfs of 6.1 has no user.* attributes, so the folder that pass shows lies on an ext4 file system.
truncate -s 300m /guest/image && mkfs.ext4 -q -b 4096 -O ^has_journal,ea_inode -E lazy_itable_init=1 /guest/image && mkdir /guest/store &&
    mount -o loop /guest/image /guest/store || { echo "FAIL: no ext4 file system in the guest"; exit 1; }

suite() {  # SOURCE TRAITS
    "$with_mount" --timeout 400 --tmpfs other - -- "$isthmus" mount -f -o allow_other,default_permissions,dev,suid "$1" "{mnt}" \
        --- "$folder" --dir="{mnt}" --native="{other}" --traits="$2" --patience=10 --gtest_filter="-$slow" || failed=1
}
echo "kernel $(uname -r), FUSE $(dmesg | grep -o 'API version [0-9.]*')"
suite mem: -collapse_range,-btime
suite /guest/store ext4,-collapse_range,-btime
exit "$failed"
