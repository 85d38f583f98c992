#!/usr/bin/env bash
# usage: guest-run -- via_smb.sh ISTHMUS
# `isthmus mount --via smb`: the kernel's SMB client mounts what our SMB door serves; the mount ends with the server and the server
# with the mount, whoever of server and keeper is killed, and nothing is left behind.
set -uo pipefail
isthmus=$1 src=/guest/src mnt=/guest/mnt
fail() { echo "FAIL: $*"; dmesg | grep -i cifs | tail -n 8; cat /guest/out 2>/dev/null; exit 1; }
grep -q GUEST_RUN= /proc/cmdline || fail "this is for the guest: it mounts on /guest"
mkdir "$src" "$mnt"
ip link set lo up

within() {  # TENTHS COMMAND...
    local left=$1
    shift
    while ! "$@"; do
        ((left-- > 0)) || return 1
        sleep 0.1
    done
}
mounted() { grep -q " $mnt .* cifs " /proc/self/mountinfo; }
unmounted() { ! mounted; }
gone() { ! pgrep isthmus >/dev/null; }
via() { "$isthmus" mount "$src" "$mnt" "$@" >/guest/out 2>&1 && mounted || fail "mount $*"; }
ended() {
    within 100 unmounted || fail "$1: the mount is still there"
    within 100 gone || fail "$1: left behind: $(pgrep -al isthmus)"
    [[ $("$isthmus" list) = 'nothing is mounted by isthmus' ]] || fail "$1: still in the list"
    [[ -z $(ls -A "$mnt") ]] || fail "$1: the mountpoint is not what it was"
}

via --via smb
grep -q 'mounting by cifs: ' /guest/out || fail "it does not say how: $(cat /guest/out)"
# Random words of 26 letters are what passwords of ours look like.
! grep -aqE '[a-z2-7]{26}' /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/self/mountinfo 2>/dev/null || fail "a secret can be seen"
"$isthmus" list | grep -q "$mnt *smb " || fail "not in the list: $("$isthmus" list)"
head -c 3000000 /dev/urandom >/guest/random
cp /guest/random "$mnt/a" && cmp /guest/random "$mnt/a" && cmp /guest/random "$src/a" || fail "copy"
mkdir "$mnt/d" && mv "$mnt/a" "$mnt/d/b" && cmp /guest/random "$src/d/b" || fail "rename"
echo lower >"$mnt/d/x" && echo upper >"$mnt/d/X" && [[ $(cat "$src/d/x") = lower && $(cat "$src/d/X") = upper ]] || fail "names in two cases"
# By the POSIX extensions. What Linux 6.1 does not make it shows at least.
grep -qE " $mnt cifs .*[, ]posix[, ]" /proc/self/mounts || fail "no POSIX extensions: $(grep cifs /proc/self/mounts)"
(umask 0 && mkdir -m 2775 "$mnt/d/modes") && (umask 077 && echo x >"$mnt/d/modes/private") && chmod 4751 "$mnt/d/b" && chown 12:34 "$mnt/d/b" ||
    fail "modes and owners"
[[ $(stat -c '%a %u %g' "$src/d/b" "$src/d/modes" "$src/d/modes/private" | tr '\n' ',') = '751 12 34,2775 0 0,600 0 0,' ]] ||
    fail "modes and owners are others in the source: $(stat -c '%n %a %u %g' "$src/d/b" "$src/d/modes" "$src/d/modes/private")"
chmod 4751 "$mnt/d/b" && [[ $(stat -c %a "$src/d/b") = 4751 ]] || fail "a mode is another in the source: $(stat -c %a "$src/d/b")"
if [[ $(uname -r) = 6.1.* ]]; then
    ln -s b "$src/d/link" && ln -s /no/where "$src/d/far"
else
    ln -s b "$mnt/d/link" && ln -s /no/where "$mnt/d/far" && mkfifo "$mnt/d/fifo" && mknod "$mnt/d/null" c 1 3 || fail "special files"
    [[ -p $src/d/fifo && $(stat -c '%F %t %T' "$src/d/null") = 'character special file 1 3' ]] || fail "special files are others in the source"
    (echo through >"$mnt/d/fifo") & [[ -p $mnt/d/fifo && $(cat "$mnt/d/fifo") = through ]] || fail "a fifo"
fi
[[ $(readlink "$mnt/d/link") = b && $(readlink "$mnt/d/far") = /no/where && $(readlink "$src/d/far") = /no/where ]] || fail "symlinks: $(ls -l "$src/d" "$mnt/d")"
cmp /guest/random "$mnt/d/link" || fail "a symlink does not lead to its file"
rm "$mnt/d/far" && [[ ! -L $src/d/far ]] || fail "a symlink is not removed"
# shellcheck disable=SC2016  # expanded by the inner shell
flock "$mnt/d/x" bash -c '! flock -n "$1" true && cat "$1"' bash "$mnt/d/x" >/guest/out || fail "flock lets two in, or nobody read"
! setpriv --reuid=65534 --regid=65534 --clear-groups ls "$mnt" >/dev/null 2>&1 || fail "another user sees the mount of root"
"$isthmus" unmount "$mnt" >/guest/out 2>&1 || fail "unmount"
ended unmount
[[ $(cat "$src/d/x") = lower ]] || fail "unmount lost a file"

# Others, if they may come in, have what modes and owners say.
via --via smb -o allow_other
other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@" 2>/dev/null; }
chmod 1777 "$mnt" && (umask 0 && echo public >"$mnt/public" && echo private >"$mnt/private" && chmod 600 "$mnt/private") || fail "allow_other: modes"
[[ $(other cat "$mnt/public") = public ]] || fail "allow_other: a file that everybody may read is not read"
# What a file is opened as may be believed for a second.
closed() { ! other cat "$mnt/private" >/dev/null; }
within 100 closed || fail "allow_other: a file of root's alone is read by others"
[[ $(uname -r) = 6.1.* ]] || { other touch "$mnt/hers" && [[ $(stat -c %u "$src/hers") = 65534 ]] || fail "allow_other: a file is not its maker's: $(ls -l "$src")"; }
"$isthmus" unmount "$mnt" >/guest/out 2>&1 || fail "unmount of -o allow_other"
ended allow_other
rm -f "$src/public" "$src/private" "$src/hers"

# In the foreground, ended by the system's umount.
"$isthmus" mount -f "$src" "$mnt" --via cifs >/guest/out 2>&1 &
server=$!
within 200 mounted || fail "in the foreground: not mounted"
echo x >"$mnt/f"
umount -i "$mnt" || fail "umount"
wait "$server" || fail "the server ended with status $?"
[[ $(cat "$src/f") = x ]] || fail "umount lost a file"
ended umount

# SIGTERM: what a program still has open is written back when it closes it, within the grace.
via --via smb -o grace=20
exec 7>"$mnt/late"
echo written >&7
kill -TERM "$(pgrep -x isthmus)"
within 100 unmounted || fail "SIGTERM: a busy mount is not taken out of sight"
echo later >&7
exec 7>&-
ended SIGTERM
[[ $(tr '\n' ' ' <"$src/late") = 'written later ' ]] || fail "SIGTERM: not written back: $(cat "$src/late")"

via --via smb -o ro
! touch "$mnt/no" 2>/dev/null || fail "-o ro: a file was made"
[[ $(cat "$mnt/f") = x ]] || fail "-o ro: a file is not read"
"$isthmus" unmount "$mnt" >/guest/out 2>&1 || fail "unmount of -o ro"
ended "-o ro"

via --via smb
kill -KILL "$(pgrep -x isthmus-client)"
ended "keeper killed"

# Last, as the kernel may try for minutes to write back what it has.
via --via smb
echo kept >"$mnt/kept" && sync "$mnt/kept"
kill -KILL "$(pgrep -x isthmus)"
within 100 unmounted || fail "server killed: the mount is still there"
[[ $(cat "$src/kept") = kept && -z $(ls -A "$mnt") ]] || fail "server killed: what was written is lost"
echo passed
