#!/usr/bin/env bash
# usage: fuse_corpus.sh LIBDIR [CASE...]
# Debian's programs that are linked to libfuse 2 or 3, unmodified, doing real work: first on the system's library, then on that in
# LIBDIR. What passes there must pass here. Of a build with AddressSanitizer its runtime is loaded into the programs first, on both
# libraries: what does not run with it is left out, and a report fails.
. "$(dirname "$0")/lib.sh"
begin "$@"
libdir=$1
shift
cases=("$@")
chmod 755 "$scratch"

# Each case is a function that runs in a folder of its own, made anew, with the server's library in $LD_LIBRARY_PATH; it fails by
# bad, and says by lacks that something is not installed.
bad() { echo "$*"; exit 1; }
lacks() { echo "$*"; exit 77; }
has() { command -v "$1" >/dev/null || lacks "no $1 here (Debian package $2)"; }
mounted() { for _ in {1..100}; do ! grep -q " $PWD/$1 " /proc/self/mountinfo || return 0; sleep 0.05; done; bad "not mounted"; }
unmount() { umount "$1" || { sleep 0.5; umount "$1"; } || bad "cannot unmount"; }
make_tree() {
    mkdir -p "$1/sub/deep"
    head -c 300000 /dev/urandom >"$1/big"
    echo hello >"$1/a"
    echo x >"$1/sub/deep/name with spaces"
    ln -s deep "$1/sub/link"
}
same() { diff -r "$1" "$2" || bad "not the content"; }
# Work of a file system that can be written to.
read_write() {
    local d=$1
    head -c 300000 /dev/urandom >random
    cp random "$d/big" && cmp random "$d/big" || bad "write, read"
    echo hello >"$d/f" && echo more >>"$d/f" && [[ $(cat "$d/f") = $'hello\nmore' ]] || bad "append"
    truncate -s 1000 "$d/big" && cmp -n 1000 random "$d/big" && [[ $(stat -c %s "$d/big") = 1000 ]] || bad "truncate"
    mkdir "$d/dir" && mv "$d/f" "$d/dir/g" && [[ ! -e $d/f && $(ls "$d/dir") = g ]] || bad "rename"
    ln -s target "$d/link" && [[ $(readlink "$d/link") = target ]] || bad "link"
    for i in {1..100}; do echo "$i" >"$d/dir/$i" || bad "file $i"; done
    [[ $(cat "$d"/dir/* | wc -l) = 102 ]] || bad "a hundred files"
    chmod 640 "$d/big" && [[ $(stat -c %a "$d/big") = 640 ]] || bad "chmod"
    touch -d 2001-01-01 "$d/big" && [[ $(stat -c %Y "$d/big") = $(date -d 2001-01-01 +%s) ]] || bad "touch"
    exec 5<>"$d/open" && rm "$d/open" && echo text >&5 && exec 5>&- || bad "a removed open file"
    rm -r "$d/dir" "$d/big" "$d/link" && [[ -z $(ls -A "$d") ]] || bad "rm"
    stat -f "$d" >/dev/null || bad "statfs"
}
sftp_server() {
    has sshfs sshfs
    [[ -x /usr/lib/openssh/sftp-server ]] || lacks "no sftp-server here (Debian package openssh-sftp-server)"
    printf '#!/bin/sh\nunset LD_LIBRARY_PATH\nexec /usr/lib/openssh/sftp-server\n' >ssh
    chmod 755 ssh
}
image() {
    has mksquashfs squashfs-tools
    make_tree s
    mksquashfs s image -quiet -no-progress >/dev/null || bad mksquashfs
}

case_sshfs() {
    sftp_server
    sshfs -o "ssh_command=$PWD/ssh" "host:$PWD/s" m || bad "status $?"
    mounted m
    read_write m
    make_tree m
    same m s
    unmount m
}
case_sshfs_of_a_user() {
    sftp_server
    has fusermount3 fuse3
    chown nobody s m
    local as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    "${as[@]}" sshfs -o "ssh_command=$PWD/ssh" "host:$PWD/s" m || bad "status $?"
    mounted m
    "${as[@]}" sh -c 'echo hi >m/f && mv m/f m/g && cat m/g && rm m/g' >out
    [[ $(cat out) = hi ]] || bad "input and output"
    "${as[@]}" fusermount3 -u m || bad "cannot unmount"
}
case_mount_fuse3() {
    sftp_server
    has mount.fuse3 fuse3
    mount.fuse3 "sshfs#host:$PWD/s" "$PWD/m" -o "ssh_command=$PWD/ssh" || bad "status $?"
    mounted m
    read_write m
    unmount m
}
case_drop_privileges() {
    has squashfuse_ll squashfuse
    has mount.fuse3 fuse3
    image
    # It mounts, drops what it can, and has the program serve a descriptor.
    mount.fuse3 "squashfuse_ll#$PWD/image" "$PWD/m" -o drop_privileges,ro &
    mounted m
    same m s
    unmount m
}
case_squashfuse() {
    has squashfuse squashfuse
    image
    squashfuse image m || bad "status $?"
    mounted m
    same m s
    unmount m
}
case_squashfuse_ll() {
    has squashfuse_ll squashfuse
    image
    squashfuse_ll image m || bad "status $?"
    mounted m
    same m s
    unmount m
}
case_fuse_overlayfs() {
    has fuse-overlayfs fuse-overlayfs
    make_tree s
    mkdir up work empty
    fuse-overlayfs -o lowerdir=s,upperdir=up,workdir=work m || bad "status $?"
    mounted m
    same m s
    rm m/a && [[ ! -e m/a && -e s/a && -c up/a ]] || bad "whiteout"
    rm -r m/big m/sub && read_write m
    unmount m
}
case_nbdfuse() {
    has nbdfuse libnbd-bin
    has nbdkit nbdkit
    nbdfuse m --command nbdkit -s memory 1M &
    mounted m
    head -c 8192 /dev/urandom >random
    dd if=random of=m/nbd conv=notrunc bs=4096 seek=2 status=none && dd if=m/nbd bs=4096 skip=2 count=2 status=none | cmp - random ||
        bad "write, read"
    [[ $(stat -c %s m/nbd) = 1048576 ]] || bad "size"
    unmount m
}
case_rofiles_fuse() {
    has rofiles-fuse ostree
    make_tree s
    rofiles-fuse -f s m &
    mounted m
    same m s
    mkdir m/new && [[ -d s/new ]] && echo text >m/new/file && [[ $(cat s/new/file) = text ]] || bad "new files"
    ln m/a m/b && ! echo text 2>/dev/null >>m/a || bad "a file with two names was written"
    unmount m
}
case_pyfuse3() {
    /usr/bin/python3 -c 'import pyfuse3, trio' 2>/dev/null || lacks "no pyfuse3 here (Debian packages python3-pyfuse3, python3-trio)"
    /usr/bin/python3 "$top/tests/e2e/fuse_corpus_pyfuse3.py" m &
    mounted m
    [[ $(ls m) = message && $(cat m/message) = hello ]] || bad "content: $(ls m) $(cat m/message)"
    ! cat m/none 2>/dev/null || bad "a file that is not there"
    unmount m
}

asan=$(ldd "$libdir/libfuse3.so.3" | awk '/libasan/ { print $3 }')
reports=$scratch/reports
mkdir -m 1777 "$reports"
# What a program leaks is its own affair.
export ASAN_OPTIONS="detect_leaks=0:log_path=$reports/asan" UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/ubsan"

# run NAME LIBRARY: in a process of its own; prints passed, lacks or failed, and why in $tmp/log.
run() {
    local folder=$scratch/work
    rm -rf "$folder" "${reports:?}"/*
    mkdir -p "$folder/s" "$folder/m"
    (cd "$folder" && export LD_LIBRARY_PATH=$2 && "case_$1") >"$tmp/log" 2>&1 </dev/null &
    local case=$! status=0
    for _ in {1..600}; do kill -0 "$case" 2>/dev/null || break; sleep 0.2; done
    kill -KILL "$case" 2>/dev/null && echo "not done after two minutes" >>"$tmp/log"
    wait "$case" || status=$?
    [[ $status = 77 || -z $(ls "$reports") ]] || { cat "$reports"/* >>"$tmp/log"; status=1; }
    # What a dead or hung program has left would hold up whoever looks there.
    awk -v at="$folder/" 'index($5, at) == 1 { split($3, n, ":"); print n[2], $5 }' /proc/self/mountinfo | tac | while read -r minor left; do
        [[ ! -w /sys/fs/fuse/connections/$minor/abort ]] || echo 1 >"/sys/fs/fuse/connections/$minor/abort"
        umount -l "$left"
    done
    case $status in 0) echo passed ;; 77) echo lacks ;; *) echo failed ;; esac
}

. "$top/tests/e2e/fuse_corpus_2.sh"
# Only programs that are linked to libfuse begin with the runtime; other tools do not all bear it.
if [[ $asan ]]; then
    mkdir "$scratch/bin"
    while read -r name; do
        path=$(command -v "$name") && [[ $(ldd "$path" 2>/dev/null) = *libfuse* ]] || continue
        printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$asan" "$path" >"$scratch/bin/$name"
        chmod 755 "$scratch/bin/$name"
    done < <(declare -f | sed -n 's/^ *has \([^ ]*\) .*/\1/p' | sort -u)
    PATH=$scratch/bin:$PATH
fi
[[ ${#cases[@]} -gt 0 ]] || mapfile -t cases < <(declare -F | sed -n 's/^declare -f case_//p')
count=0
for name in "${cases[@]}"; do
    [[ ! $asan || $name != py* ]] || { echo "SKIP: $name: Python does not begin with AddressSanitizer"; continue; }
    real=$(run "$name" '')
    if [[ $real != passed ]]; then
        echo "SKIP: $name: $(tail -n 1 "$tmp/log")"
        continue
    fi
    [[ $(run "$name" "$libdir") = passed ]] || fail "$name passes on the system's library, and not here: $(cat "$tmp/log")"
    count=$((count + 1))
done
[[ $count -gt 0 ]] || skip "none of the programs is here"
passed "$count of ${#cases[@]} programs on the library of $libdir, as on the system's"
