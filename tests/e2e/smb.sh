#!/usr/bin/env bash
# usage: smb.sh ISTHMUS
# The SMB door before Samba's client, in each dialect, signed and sealed; beside the kernel's FUSE door on the same files; and who must
# not come in.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/smb_lib.sh"
need smbclient smbclient

head -c 20000000 /dev/urandom >"$tmp/large"
echo hello >"$tmp/small"
mkdir -p "$tmp/tree/a/b"
for i in {1..200}; do echo "file $i" >"$tmp/tree/a/f$i"; done
echo deep >"$tmp/tree/a/b/c"

# All that a client does with files, with these options of smbclient.
work() {
    does "put $tmp/large large; put $tmp/small small" "$@"
    does "get large $tmp/back; get SMALL $tmp/small.back" "$@"
    cmp -s "$tmp/large" "$tmp/back" || fail "$*: not what was put"
    cmp -s "$tmp/small" "$tmp/small.back" || fail "$*: not what was put"
    does "recurse; prompt; lcd $tmp; mput tree" "$@"
    rm -rf "$tmp/again"
    mkdir "$tmp/again"
    does "recurse; prompt; lcd $tmp/again; mget tree" "$@"
    diff -r "$tmp/tree" "$tmp/again/tree" || fail "$*: a tree is not what was put"
    does "ls tree\\a\\f1*" "$@"
    [[ $(grep -c ' f1' <<<"$out") = 111 ]] || fail "$*: f1* are not 111 names: $out"
    does "rename small tree\\moved; mkdir d; rmdir d" "$@"
    refuses NT_STATUS_OBJECT_NAME_NOT_FOUND "get small $tmp/none" "$@"
    refuses NT_STATUS_DIRECTORY_NOT_EMPTY "rmdir tree" "$@"
    does "setmode large +rh" "$@"
    refuses NT_STATUS_CANNOT_DELETE "del large" "$@"
    does "setmode large -rh; del large; deltree tree" "$@"
    does "ls" "$@"
    [[ $out != *tree* ]] || fail "$*: something is left: $out"
}

refused() {
    local other
    printf 'username=user\npassword=wrong\n' >"$tmp/wrong"
    out=$(timeout 60 smbclient //127.0.0.1/share -p "$port" -A "$tmp/wrong" -c ls 2>&1 </dev/null)
    [[ $out = *LOGON_FAILURE* ]] || fail "a wrong password: $out"
    out=$(timeout 60 smbclient //127.0.0.1/share -p "$port" -N -c ls 2>&1 </dev/null)
    [[ $out = *LOGON_FAILURE* || $out = *INVALID_PARAMETER* || $out = *ACCESS_DENIED* ]] || fail "nobody came in: $out"
    out=$(timeout 60 smbclient //127.0.0.1/other -p "$port" -A "$tmp/logon" -c ls 2>&1 </dev/null)
    [[ $out = *BAD_NETWORK_NAME* ]] || fail "another share: $out"
    chmod 644 "$tmp/logon"
    other=$(timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups smbclient //127.0.0.1/share -p "$port" -A "$tmp/logon" -c ls 2>&1 </dev/null)
    [[ $other = *NT_STATUS* ]] || fail "another user of the machine came in: $other"
    ! grep -qr "$password" "$tmp/server.log" "$tmp/out" || fail "the password was told"
    ! tr '\0' ' ' <"/proc/$server/cmdline" | grep -q "$password" || fail "the password is in the list of processes"
    [[ $("$isthmus" list --json) != *"$password"* ]] || fail "the password is in the list of mounts"
}

# Each door sees at once what came through the other, whatever the kernel holds of it.
two_doors() {
    local i
    for i in {1..10}; do
        echo "by SMB $i" >"$tmp/new"
        does "put $tmp/new f"
        [[ $(cat "$mnt/f") = "by SMB $i" ]] || fail "the mount shows old content in round $i: $(cat "$mnt/f")"
        echo "by the mount, round $i" >"$mnt/f"
        does "get f $tmp/got"
        [[ $(cat "$tmp/got") = "by the mount, round $i" ]] || fail "SMB shows old content in round $i: $(cat "$tmp/got")"
        does "rename f g"
        [[ -e $mnt/g && ! -e $mnt/f ]] || fail "the mount does not see a rename"
        mv "$mnt/g" "$mnt/Hh"
        does "get hH $tmp/got; del HH"
        [[ ! -e $mnt/Hh ]] || fail "the mount shows a removed file"
    done
}

mkdir -p "$src/deep"
ln -s deep "$src/link"
ln -s /etc "$src/out"
echo inside >"$src/deep/file"
for source in mem: "$src"; do
    serve "$source" --smb
    for dialect in SMB2_02 SMB2_10 SMB3_00 SMB3_02 SMB3_11; do
        [[ $source = mem: || $dialect = SMB3_11 ]] || continue
        work -m "$dialect" --option="client min protocol=$dialect"
    done
    work --client-protection=encrypt
    refused
    stop
done
serve "$src" --smb
does "get link\\file $tmp/got"
[[ $(cat "$tmp/got") = inside ]] || fail "a link inside of the share does not lead to its file"
refuses NT_STATUS_OBJECT "get out\\passwd $tmp/got"
out=$(timeout 60 smbclient -L 127.0.0.1 -p "$port" -A "$tmp/logon" 2>&1 </dev/null)
[[ $out = *share*Disk* ]] || fail "the share is not listed: $out"
stop
serve "$src" --smb --read-only
does "get deep\\file $tmp/got"
refuses NT_STATUS_MEDIA_WRITE_PROTECTED "put $tmp/small new"
refuses NT_STATUS_ACCESS_DENIED "del deep\\file"
stop
serve mem: --smb --encrypt required
refuses NT_STATUS "ls" -m SMB2_10
does "put $tmp/small s; get s $tmp/got" -m SMB3_11
stop
serve mem: --smb --fuse "$mnt"
two_doors
stop
mountpoint -q "$mnt" && fail "the mount is still there"
# A client that is killed leaves nothing open, and a server that is killed nobody hanging.
serve mem: --smb
deletes() {
    client "del s"
    [[ $status = 0 && $out != *NT_STATUS* ]]
}
: >"$tmp/killed"
mkfifo "$tmp/commands"
stdbuf -o0 smbclient //127.0.0.1/share -p "$port" -A "$tmp/logon" <"$tmp/commands" >"$tmp/killed" 2>&1 &
holder=$!
exec 8>"$tmp/commands"
# One command at a time: what smbclient has read, it does not wait for.
echo "put $tmp/small s" >&8
within 100 grep -q putting "$tmp/killed" || fail "nothing was put: $(cat "$tmp/killed")"
echo 'open s' >&8
within 100 grep -q 'open file' "$tmp/killed" || fail "no open file: $(cat "$tmp/killed")"
deletes && fail "a file went that another client has open"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
within 100 deletes || fail "an open file outlived its client: $out"
exec 8>&-
(timeout 30 stdbuf -o0 smbclient //127.0.0.1/share -p "$port" -A "$tmp/logon" <"$tmp/commands" >"$tmp/left" 2>&1) &
holder=$!
exec 8>"$tmp/commands"
echo ls >&8
within 100 grep -q 'blocks available' "$tmp/left" 2>/dev/null || fail "no listing: $(cat "$tmp/left")"
kill -KILL "$server"
wait "$server" 2>/dev/null
server=
echo ls >&8
wait "$holder"
grep -qiE 'NT_STATUS|disconnect' "$tmp/left" || fail "a client did not hear that its server is gone: $(cat "$tmp/left")"
echo passed
