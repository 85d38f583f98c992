#!/usr/bin/env bash
# usage: run_test.sh ISTHMUS
# `isthmus run`: programs that we did not write, on our libfuse: mounted, used, unmounted, traced, told to end. `isthmus run --check`:
# on them, and on what cannot be run so.
# shellcheck disable=SC2009,SC2016  # zombies do not count: ps shows them; expanded by the inner shells
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
read_only=1
has() { command -v "$1" >/dev/null || { echo "SKIP: $1: not installed (Debian package $2)"; return 1; }; }
served_by_us() { grep -q '/libfuse/libfuse3\?\.so\.[23]' "/proc/$1/maps" || fail "process $1 runs on another library"; }
# serve ARG...: `isthmus run ARG...` in the foreground.
serve() {
    command_line=("$isthmus" run "$@")
    start_mount
    served_by_us "$server"
}
# in_background ARG...: the same for a program that returns when it serves.
in_background() {
    expect 0 '' run "$@"
    within 50 mountpoint -q "$mnt" || fail "not mounted: $*"
}
unmount() {
    within 20 umount "$mnt" || fail "cannot unmount $mnt"
    within 100 no_server "$1" || fail "$1 still runs after the unmount"
}
no_server() { ! ps -eo stat=,comm= | grep -v '^Z' | grep -q " $1$"; }
make_tree() {
    mkdir -p "$src/deep/er"
    head -c 300000 /dev/urandom >"$src/big"
    echo hello >"$src/deep/er/name with spaces"
    ln -s deep "$src/link"
}
make_tree
chmod 755 "$scratch"

# Squashfs, low level.
if has squashfuse_ll squashfuse && has mksquashfs squashfs-tools; then
    mksquashfs "$src" "$tmp/image" -quiet -no-progress >/dev/null || fail mksquashfs
    serve -- squashfuse_ll -f "$tmp/image" @MNT@
    diff -r "$src" "$mnt" || fail "squashfuse_ll: not the content"
    # It is in the list, and unmounted as other mounts are.
    expect 0 "run:squashfuse_ll  $mnt  fuse" list
    expect 0 '' list --json
    [[ $(python3 -c 'import json, sys
m, = json.load(sys.stdin)
print(m["pid"], m["operations"] > 5, "read" in m["by_operation"], m["door"], m["protocol"] > "7.")' <<<"$out") = "$server True True fuse True" ]] ||
        fail "isthmus list --json: $out"
    expect 0 '' unmount "$mnt"
    gone "$server" || fail "isthmus unmount returned before the program had ended"
    wait "$server" || fail "the program's exit status after isthmus unmount: $?"
    server=
    clean squashfuse_ll
    in_background --trace-file trace -- squashfuse_ll "$tmp/image" "$mnt"
    diff -r "$src" "$mnt" || fail "squashfuse_ll in the background: not the content"
    unmount squashfuse_ll
    grep -q ' lookup(dir=1, name="big") = .*size=300000' trace || fail "the trace of a program in the background: $(head -n 5 trace)"
    # Standard error is kept, too; and a signal ends the program.
    serve --trace=json -- squashfuse_ll -f "$tmp/image" @MNT@
    cat "$mnt/deep/er/name with spaces" >/dev/null
    kill -TERM "$server"
    wait "$server"
    server=
    ! mountpoint -q "$mnt" || fail "SIGTERM left the mount there"
    grep -q '"op":"lookup",.*"name":"name with spaces"' "$tmp/server.log" || fail "no trace in: $(cat "$tmp/server.log")"
    # Killed, it is no longer in the list. Without `isthmus run` it never is.
    serve -- squashfuse_ll -f "$tmp/image" @MNT@
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    server=
    umount "$mnt"
    expect 0 'nothing is mounted' list
    clean 'a killed program'
    LD_LIBRARY_PATH=$(dirname "$isthmus")/../../libfuse squashfuse_ll "$tmp/image" "$mnt" || fail "squashfuse_ll by LD_LIBRARY_PATH"
    expect 0 'nothing is mounted' list
    unmount squashfuse_ll
    # A script that starts it.
    printf '#!/bin/sh\nexec squashfuse_ll "$@"\n' >"$tmp/script" && chmod +x "$tmp/script"
    serve "$tmp/script" -f "$tmp/image" @MNT@
    diff -r "$src" "$mnt" || fail "by a script: not the content"
    stop_mount
    expect 1 'ISTHMUS_TRACE_FILE: /nonexistent/trace' run --trace-file /nonexistent/trace -- squashfuse_ll "$tmp/image" "$mnt"
    expect 0 'wants 23 symbols, all there' run --check squashfuse_ll
    expect 0 'fuse_parse_cmdline@FUSE_3.12' run --check squashfuse_ll
fi

# Another folder, by libfuse 2.
if has bindfs bindfs; then
    read_only=0
    serve -- bindfs -f -p a+r "$src" @MNT@
    diff -r "$src" "$mnt" || fail "bindfs: not the content"
    cp "$src/big" "$mnt/new" && cmp "$src/big" "$src/new" && mv "$mnt/new" "$mnt/moved" && rm "$mnt/moved" || fail "bindfs: cp, mv, rm"
    expect 0 "run:bindfs $src  $mnt  fuse" list
    stop_mount
    read_only=1
    expect 0 'fuse_main_real@FUSE_2.6' run --check bindfs
fi

# An overlay, low level, that is written to.
if has fuse-overlayfs fuse-overlayfs; then
    mkdir "$tmp/up" "$tmp/work"
    serve -- fuse-overlayfs -f -o "lowerdir=$src,upperdir=$tmp/up,workdir=$tmp/work" @MNT@
    diff -r "$src" "$mnt" || fail "fuse-overlayfs: not the content"
    cp "$src/big" "$mnt/new" && cmp "$src/big" "$tmp/up/new" || fail "fuse-overlayfs: cp"
    mv "$mnt/new" "$mnt/deep/moved" && rm "$mnt/big" "$mnt/deep/moved" && [[ ! -e $mnt/big && -e $src/big ]] || fail "fuse-overlayfs: mv, rm"
    mkdir "$mnt/folder" && for i in {1..50}; do echo "$i" >"$mnt/folder/$i" || fail "fuse-overlayfs: file $i"; done
    [[ $(cat "$mnt"/folder/* | wc -l) = 50 ]] || fail "fuse-overlayfs: fifty files"
    stop_mount
    expect 0 'fuse_session_loop_mt_32@FUSE_3.2' run --check fuse-overlayfs
fi

# Files over SSH's protocol, high level, in the background; killed, with auto_unmount; as an ordinary user.
if has sshfs sshfs && [[ -x /usr/lib/openssh/sftp-server ]]; then
    printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >"$scratch/ssh"
    chmod 755 "$scratch/ssh"
    sshfs=(sshfs -o "ssh_command=$scratch/ssh" "host:$src" "$mnt")
    in_background -- "${sshfs[@]}" -o fsname=files
    expect 0 "run:sshfs files  $mnt" list
    diff -r "$src" "$mnt" || fail "sshfs: not the content"
    cp "$src/big" "$mnt/new" && cmp "$src/big" "$mnt/new" && mv "$mnt/new" "$mnt/deep/new" && rm "$src/deep/new" || fail "sshfs: cp, mv"
    unmount sshfs
    in_background -- "${sshfs[@]}" -o auto_unmount
    pid=$(pgrep -x sshfs)
    served_by_us "$pid"
    kill -KILL "$pid"
    within 50 unmounted || fail "auto_unmount: the mount is there after the program was killed"
    expect 0 'can be run on our libfuse' run --check sshfs

    # By a folder like a build tree that everybody can read.
    mkdir -p "$scratch/build/src/cli"
    cp "$isthmus" "$scratch/build/src/cli/"
    cp -r "$(dirname "$isthmus")/../../libfuse" "$scratch/build/"
    chown nobody "$mnt"
    ours=$isthmus isthmus=$scratch/build/src/cli/isthmus as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    # The machine's device may be root's alone, as in some containers; the usual mode is 0666.
    mknod -m 666 "$scratch/fuse" c 10 229 && mount --bind "$scratch/fuse" /dev/fuse
    if [[ -u $(command -v fusermount3) ]]; then
        expect 0 '' run -- "${sshfs[@]}"
        within 50 test "$(mounts_at "$mnt")" = 1 || fail "sshfs of a user: not mounted"
        served_by_us "$(pgrep -x sshfs)"
        "${as[@]}" diff -r "$src" "$mnt" || fail "sshfs of a user: not the content"
        unmount sshfs
        expect 126 'is setuid: the dynamic linker' run --check "$(install -m 4755 "$(command -v sshfs)" "$scratch/setuid"; echo "$scratch/setuid")"
        expect 126 'is setuid' run -- "$scratch/setuid" -V
    else
        echo "SKIP: sshfs of a user: fusermount3 is not setuid"
    fi
    isthmus=$ours as=()
    expect 0 'SSHFS version' run "$scratch/setuid" -V
fi

# Compiled here: an example, what is static, what has a library of its own, what wants more than we have.
examples=/usr/share/doc/libfuse3-dev/examples
if [[ -r $examples/passthrough_ll.c ]] && has gcc gcc; then
    gcc -w -I/usr/include/fuse3 "$examples/passthrough_ll.c" -o "$tmp/passthrough_ll" -lfuse3 2>"$tmp/log" || fail "gcc: $(cat "$tmp/log")"
    serve "$tmp/passthrough_ll" -f -o "source=$src" @MNT@
    diff -r "$src" "$mnt" || fail "passthrough_ll: not the content"
    mkdir "$mnt/made" && cp "$src/big" "$mnt/made/copy" && cmp "$src/big" "$src/made/copy" && rm -r "$mnt/made" || fail "passthrough_ll: cp"
    stop_mount
    echo 'int fuse_version(void), new_one(void); int main(void) { return fuse_version() > 0 ? 3 : new_one(); }' >"$tmp/a.c"
    echo 'FUSE_3.0 { global: fuse_version; }; FUSE_9.9 { global: new_one; };' >"$tmp/versions"
    echo 'int fuse_version(void) { return 1; } int new_one(void) { return 1; }' >"$tmp/lib.c"
    mkdir "$tmp/own"
    gcc -shared -fPIC "$tmp/lib.c" -Wl,-soname,libfuse3.so.3 -Wl,--version-script="$tmp/versions" -o "$tmp/own/libfuse3.so.3" &&
        gcc "$tmp/a.c" -o "$tmp/newer" "$tmp/own/libfuse3.so.3" &&
        gcc "$tmp/a.c" -o "$tmp/rpath" "$tmp/own/libfuse3.so.3" -Wl,--disable-new-dtags,-rpath,"\$ORIGIN/own" &&
        gcc "$tmp/a.c" -o "$tmp/runpath" "$tmp/own/libfuse3.so.3" -Wl,--enable-new-dtags,-rpath,"\$ORIGIN/own" || fail gcc
    expect 126 'does not have: the version FUSE_9.9, new_one@FUSE_9.9' run --check "$tmp/newer"
    expect 126 'new_one@FUSE_9.9  missing' run --check "$tmp/newer"
    expect 126 'new_one@FUSE_9.9' run -- "$tmp/newer"
    expect 126 "finds $tmp/own/libfuse3.so.3 before ours by its own RPATH" run --check "$tmp/rpath"
    expect 126 'new_one@FUSE_9.9' run --check "$tmp/runpath"
    [[ $("$tmp/runpath"; echo $?) = 3 ]] || fail "the program itself: $?"
    echo 'int main(void) { return 0; }' >"$tmp/b.c"
    if gcc -static "$tmp/b.c" -o "$tmp/static" 2>/dev/null && gcc -static-pie "$tmp/b.c" -o "$tmp/static-pie"; then
        for program in static static-pie; do
            expect 126 'is a static program' run --check "$tmp/$program"
            expect 126 'is a static program' run -- "$tmp/$program"
        done
    else
        echo "SKIP: static programs: no libc.a here"
    fi
    chmod -x "$tmp/static" && expect 126 'Permission denied' run -- "$tmp/static"
else
    echo "SKIP: compiled programs: no libfuse3-dev here"
fi
! has mergerfs mergerfs || expect 7 'loads no libfuse' run --check mergerfs
! /usr/bin/python3 -c 'import pyfuse3' 2>/dev/null || {
    printf '#!/usr/bin/env -S /usr/bin/python3 -u\nimport pyfuse3\n' >"$tmp/script"
    chmod +x "$tmp/script"
    expect 0 'can be run on our libfuse, as Python with the modules below' run --check "$tmp/script"
    expect 0 'fuse_session_receive_buf@FUSE_3.0' run --check "$tmp/script"
    module=$(/usr/bin/python3 -c 'import pyfuse3; print(pyfuse3.__file__)')
    expect 0 'a shared library' run --check "$module"
    expect 126 '' run -- "$module"
}

# What is no program of libfuse's, or none at all.
expect 7 'loads no libfuse' run --check /bin/true
expect 0 '' run -- /bin/true
expect 3 'only programs that it starts use ours' run -- bash -c 'exit 3'
[[ $(LD_LIBRARY_PATH=/one:/two "$isthmus" --log-level off run bash -c 'echo "$LD_LIBRARY_PATH $*"' name -- -a) = */libfuse:/one:/two\ --\ -a ]] ||
    fail "environment or arguments"
[[ $(LD_LIBRARY_PATH='' "$isthmus" --log-level off run bash -c 'echo "$LD_LIBRARY_PATH"') = */libfuse ]] || fail "an empty LD_LIBRARY_PATH"
"$isthmus" --log-level off run -- bash -c 'kill -KILL $$'
[[ $? = 137 ]] || fail "a killed program's exit status"
echo 'exec true' >"$tmp/text" && chmod +x "$tmp/text"
expect 126 'neither a program (ELF) nor a script' run --check "$tmp/text"
expect 126 'neither a program (ELF) nor a script' run -- "$tmp/text"
printf '#!/bin/sh\nexit 9\n' >"$tmp/shell" && chmod +x "$tmp/shell"
expect 7 'is a script' run --check "$tmp/shell"
expect 9 '' run -- "$tmp/shell"
printf '#!/nonexistent/sh\n' >"$tmp/lost" && chmod +x "$tmp/lost"
expect 126 'whose interpreter cannot be run: /nonexistent/sh' run --check "$tmp/lost"
expect 127 'cannot be run: No such file' run -- "$tmp/lost"
head -c 5000 /bin/true >"$tmp/cut" && chmod +x "$tmp/cut"
expect 126 'is cut off or damaged' run --check "$tmp/cut"
expect 126 'is cut off or damaged' run -- "$tmp/cut"
expect 127 'no such program' run --check no-such-program
expect 127 'no such program' run -- no-such-program
expect 127 'No such file' run -- ./no-such-program
expect 126 'is a folder' run -- /usr
expect 2 'not in' run --via nosuch -- true
expect 0 '' run --via fuse -- true
expect 2 'which program?' run
expect 2 'one program' run --check true false
expect 2 'unknown option --nonsense' run --nonsense -- true
passed "isthmus run"
