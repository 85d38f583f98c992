#!/usr/bin/env bash
# usage: libfuse2.sh LIBDIR
# Programs of libfuse 2 on the libfuse.so.2 in LIBDIR: Debian's examples, which we did not write, compiled with Debian's headers and
# with ours; and one for each older version of the interface.
. "$(dirname "$0")/lib.sh"
begin "$@"
libdir=$1
compile_examples "$libdir" fuse "-DHAVE_UTIMENSAT -DHAVE_SETXATTR -DHAVE_POSIX_FALLOCATE -lulockmgr" hello hello_ll fusexmp fusexmp_fh null fioc fsel cusexmp
gcc -w "$examples/fioclient.c" -o "$tmp/fioclient" && gcc -w "$examples/fselclient.c" -o "$tmp/fselclient" || fail "clients"
head -c 3000000 /dev/urandom >"$tmp/data"

# serve PROGRAM ARG...: in the foreground, with the mountpoint as its last argument.
serve() {
    command_line=("$@" -f @MNT@)
    read_only=1
    start_mount
}
hello() {
    is "$(ls "$mnt")" hello "ls"
    is "$(cat "$mnt/hello")" 'Hello World!' "cat"
    ! cat "$mnt/other" 2>/dev/null || fail "a file that is not there was read"
    ! : 2>/dev/null >"$mnt/new" || fail "hello took a file"
}
ends_by_signal() {
    kill -TERM "$server"
    wait "$server"
    is $? 0 "exit status after SIGTERM"
    server=
    ! mountpoint -q "$mnt" || fail "SIGTERM left the mount there"
}

for headers in debian ours; do
    bin=$tmp/$headers
    serve "$bin/hello" -o fsname=the_name,attr_timeout=2,umask=077,big_writes,intr
    hello
    is "$(stat -c %a "$mnt/hello")" 700 "-o umask"
    grep -q " $mnt .* - fuse the_name " /proc/self/mountinfo || fail "mountinfo: $(grep " $mnt " /proc/self/mountinfo)"
    stop_mount
    serve "$bin/hello" -s
    ends_by_signal
    "$bin/hello" -s "$mnt" || fail "hello in the background: status $?"
    hello
    umount "$mnt" || fail "cannot unmount"
    serve "$bin/hello_ll"
    hello
    ends_by_signal

    for program in fusexmp fusexmp_fh; do
        serve "$bin/$program" -o "modules=subdir:iconv,subdir=$src,from_code=UTF-8,to_code=UTF-8,allow_other,use_ino"
        chmod 1777 "$mnt"
        plain_work "$mnt" "$src"
        : >"$mnt/f"
        ! setfattr -n user.name -v value "$src/f" 2>/dev/null || is "$(getfattr --only-values --absolute-names -n user.name "$mnt/f")" value "xattr"
        rm "$mnt/f"
        stop_mount
        is "$(ls -A "$src")" "" "left below"
    done
    # Locks are the program's, which has them of the files below.
    serve "$bin/fusexmp_fh" -o "modules=subdir,subdir=$src"
    : >"$src/f"
    flock "$mnt/f" true || fail "flock"
    exec 5<"$src/f"
    flock -s 5
    ! flock -n -x "$mnt/f" true || fail "a file that is locked below was locked"
    exec 5<&-
    fallocate -l 100000 "$mnt/f" || fail "fallocate"
    is "$(stat -c %s "$src/f")" 100000 "fallocate"
    rm "$mnt/f"
    stop_mount

    : >"$tmp/null"
    "$bin/null" -f "$tmp/null" &
    server=$!
    for _ in {1..100}; do ! mountpoint -q "$tmp/null" || break; sleep 0.05; done
    is "$(head -c 100000 "$tmp/null" | tr -d '\0' | wc -c)" 0 "null has something"
    umount "$tmp/null" && wait "$server" || fail "null: status $?"
    server=

    serve "$bin/fioc"
    "$tmp/fioclient" "$mnt/fioc" s 100 || fail "ioctl"
    is "$("$tmp/fioclient" "$mnt/fioc" s)" 100 "ioctl"
    stop_mount
    [[ $headers = debian ]] || continue  # what follows takes time, and is not about headers
    serve "$bin/fsel"
    (cd "$mnt" && timeout 1.5 stdbuf -oL "$tmp/fselclient") >"$tmp/poll.log"
    [[ $(grep -c . "$tmp/poll.log") -ge 2 ]] || fail "poll: $(cat "$tmp/poll.log")"
    stop_mount

    # Mistakes, help, and what there is none of.
    refused() {
        local wanted=$1 status=0
        shift
        out=$("$@" 2>&1 </dev/null) || status=$?
        is "$status" 1 "status of $*: $out"
        [[ $out = *"$wanted"* ]] || fail "$*: $out"
    }
    refused 'missing mountpoint' "$bin/hello"
    refused "unknown option \`nonsense'" "$bin/hello" -f -o nonsense,allow_other "$mnt"
    refused libfusemod_none.so "$bin/fusexmp" -f -o modules=none "$mnt"
    refused "bad mount point \`/none'" "$bin/hello" /none
    : >"$mnt/file"
    refused "use the 'nonempty' mount option" "$bin/hello" -f "$mnt"
    serve "$bin/hello" -o nonempty
    hello
    stop_mount
    rm "$mnt/file"
    for word in nonempty hard_remove subdir=DIR to_code= max_readahead big_writes; do refused "$word" "$bin/hello" -h; done
    refused 'FUSE library version: 2.9' "$bin/hello" -V
    refused 'not character devices' "$bin/cusexmp" -f --name=none
done

# Programs of every version of the interface, compiled with each one's headers.
for headers in debian ours; do
    include=/usr/include/fuse
    [[ $headers = debian ]] || include=$top/include/isthmus/fuse
    for version in 11 21 22 25 26 29; do
        gcc -Wall -Werror -Wno-cpp -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=$version -I"$include" "$top/tests/e2e/libfuse2_versions.c" \
            -o "$tmp/versions" -L"$libdir" -lfuse 2>"$tmp/gcc.log" || fail "version $version with $headers headers: $(cat "$tmp/gcc.log")"
        command_line=("$tmp/versions" @MNT@)
        read_only=1
        start_mount
        is "$(ls "$mnt")" file "version $version: ls"
        is "$(cat "$mnt/file")" "text" "version $version: cat"
        is "$(stat -f -c '%S %b %l' "$mnt")" '1024 1000 200' "version $version: statfs"
        echo other >"$mnt/file" || fail "version $version: echo"
        is "$(cat "$mnt/file")" other "version $version: write"
        touch -d 2001-01-01 "$mnt/file" || fail "version $version: touch"
        is "$(stat -c %Y "$mnt/file")" "$(date -d 2001-01-01 +%s)" "version $version: time"
        stop_mount
        grep -q "^released$" "$tmp/server.log" || fail "version $version: a handle was lost: $(cat "$tmp/server.log")"
        : >"$tmp/server.log"
    done
    for language in c c++; do
        for version in 24 25 26 29; do
            printf '#include <fuse_lowlevel.h>\n#include <cuse_lowlevel.h>\n' |
                gcc -x $language -Wall -Wextra -Werror -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=$version -I"$include" -fsyntax-only - ||
                fail "fuse_lowlevel.h, version $version with $headers headers, as $language"
        done
    done
done
winfsp_operations "$libdir" fuse fuse 29 -o attr_timeout=3600,entry_timeout=3600

passed "libfuse 2"
