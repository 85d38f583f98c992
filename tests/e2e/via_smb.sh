#!/usr/bin/env bash
# usage: via_smb.sh ISTHMUS
# `isthmus mount --via smb` where it cannot be, and what it says of that; where the kernel has a client of SMB, a mount. All else of it
# is tried on Debian's kernel (tests/guest/via_smb.sh).
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"

"$isthmus" doctor >"$tmp/out"
grep -q 'mount --via cifs ' "$tmp/out" || fail "doctor does not list it"
as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
expect 4 "cifs: only root" mount "$src" "$mnt" --via smb
as=()
if grep -qE '^ *yes +mount --via cifs ' "$tmp/out"; then
    expect 2 "mount option 'max_read=4096'" mount "$src" "$mnt" --via smb -o max_read=4096
    expect 3 "No such file" mount "$src" "$scratch/none" --via smb
    expect 2 "lies inside" mount "$scratch" "$mnt" --via smb
    expect 0 "mounting by cifs" mount "$src" "$mnt" --via smb
    echo x >"$mnt/f" && [[ $(cat "$src/f") = x ]] || fail "what was written is not in the source"
    expect 0 "" unmount "$mnt"
else
    expect 4 "this kernel has no client of SMB" mount "$src" "$mnt" --via smb
fi
# The kernel's FUSE driver is the best there is.
expect 0 "mounting by fuse" mount "$src" "$mnt" --via auto
expect 0 "" unmount "$mnt"
within 100 no_servers || fail "left behind: $(pgrep -al isthmus)"
passed "mounts through SMB"
