#!/usr/bin/env bash
# A full `mem:` and a user's full share of it, as programs see them through the kernel: ENOSPC and EDQUOT, nothing lost, room again after a removal.
# Called with a mount of 4 MiB and 40 files of which user 65534 may have 1 MiB and 10 files.
. "$(dirname "$0")/lib.sh"
begin "$@"
user=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# refused ERRNO-TEXT COMMAND...
refused() {
    local text=$1 said
    shift
    if said=$(LC_ALL=C "$@" 2>&1); then fail "$* succeeded"; fi
    [[ $said = *"$text"* ]] || fail "$*: '$said', not '$text'"
}

start_mount

# A user's share of the bytes.
"${user[@]}" dd if=/dev/zero of="$mnt/u1" bs=64k count=14 status=none
refused "Disk quota exceeded" "${user[@]}" dd if=/dev/zero of="$mnt/u2" bs=64k count=4 conv=fsync status=none
[[ $(stat -c %s "$mnt/u1") = $((14 * 65536)) ]] || fail "another file of the user lost data"
rm "$mnt/u1"
"${user[@]}" dd if=/dev/zero of="$mnt/u3" bs=64k count=8 conv=fsync status=none
# And of the files; root is not bound.
i=0
while "${user[@]}" touch "$mnt/n$i" 2>"$scratch/said"; do
    i=$((i + 1))
    [[ $i -lt 20 ]] || fail "no limit of files"
done
grep -q "Disk quota exceeded" "$scratch/said" || fail "the limit of files: $(cat "$scratch/said")"
refused "Disk quota exceeded" "${user[@]}" mkdir "$mnt/d"
touch "$mnt/roots"
rm "$mnt"/n0
"${user[@]}" mkdir "$mnt/d"

# The whole.
refused "No space left on device" dd if=/dev/zero of="$mnt/big" bs=64k count=100 conv=fsync status=none
rm "$mnt/big"
dd if=/dev/zero of="$mnt/fits" bs=64k count=16 conv=fsync status=none
i=0
while touch "$mnt/r$i" 2>"$scratch/said"; do
    i=$((i + 1))
    [[ $i -lt 60 ]] || fail "no limit of inodes"
done
grep -q "No space left on device" "$scratch/said" || fail "the limit of inodes: $(cat "$scratch/said")"
[[ $(stat -f -c %d "$mnt") = 0 && $(stat -f -c %c "$mnt") = 40 ]] || fail "statfs: $(stat -f "$mnt")"
stop_mount
passed "limits of size and number, of the whole and of a user"
