#!/usr/bin/env bash
# usage: smb_two_doors.sh ISTHMUS
# One volume behind a FUSE mount and the SMB door: oplocks and leases that the mount breaks, what a client is told of changes, share modes
# and files that are to be deleted (smb_two_doors.py).
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
/usr/bin/python3 -c 'import impacket.smbconnection' 2>/dev/null || skip "no impacket here (Debian package python3-impacket)"

for source in mem: "$src"; do
    serve "$source" --smb --fuse "$mnt"
    timeout 600 /usr/bin/python3 "$top/tests/e2e/smb_two_doors.py" "$port" "$tmp/password" "$mnt" >"$tmp/doors.txt" 2>&1 ||
        fail "$source: $(cat "$tmp/doors.txt")"
    stop
done
passed "two doors"
