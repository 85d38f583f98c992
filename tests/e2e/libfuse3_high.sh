#!/usr/bin/env bash
# usage: libfuse3_high.sh LIBDIR
# Debian's examples of libfuse3's high-level interface on the libfuse3.so.3 in LIBDIR, compiled with Debian's headers and with ours.
. "$(dirname "$0")/lib.sh"
begin "$@"
libdir=$1
compile_examples "$libdir" fuse3 "-DHAVE_UTIMENSAT -DHAVE_SETXATTR" \
    hello passthrough passthrough_fh null invalidate_path poll ioctl poll_client ioctl_client printcap cuse
for headers in debian ours; do
    include=/usr/include/fuse3
    [[ $headers = debian ]] || include=$top/include/isthmus/fuse3
    gcc -Wall -Werror -D_FILE_OFFSET_BITS=64 -I"$include" "$top/tests/e2e/libfuse3_fork.c" -o "$tmp/$headers/fork" -L"$libdir" -lfuse3 || fail "fork"
done

differs() { [[ $1 != "$2" ]] || fail "$3"; }

# Our headers in C and C++, for programs of each version: the macros lead to the functions of that version.
cat >"$tmp/version.c" <<'TEXT'
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <cuse_lowlevel.h>
int serve(struct fuse_args *args, const struct fuse_operations *ops, struct fuse_session *se);
int serve(struct fuse_args *args, const struct fuse_operations *ops, struct fuse_session *se)
{
    struct fuse *f = fuse_new(args, ops, sizeof *ops, 0);
    struct fuse_cmdline_opts opts;
    return fuse_parse_cmdline(args, &opts) + fuse_loop_mt(f, 0) + fuse_session_loop_mt(se, 0);
}
TEXT
while read -r version wanted; do
    for language in c c++; do
        gcc -x "$language" -Wall -Wextra -Werror -pedantic -D_FILE_OFFSET_BITS=64 "-DFUSE_USE_VERSION=$version" -I"$top/include/isthmus/fuse3" \
            -c "$tmp/version.c" -o "$tmp/version.o" 2>"$tmp/gcc.log" || fail "our headers as $language, version $version: $(cat "$tmp/gcc.log")"
        is "$(nm -u "$tmp/version.o" | grep -o 'fuse_.*' | tr '\n' ' ')" "$wanted " "functions of version $version as $language"
    done
done <<'TEXT'
30 fuse_loop_mt_31 fuse_new_30 fuse_parse_cmdline_30 fuse_session_loop_mt_31
31 fuse_loop_mt_31 fuse_new fuse_parse_cmdline_30 fuse_session_loop_mt_31
32 fuse_loop_mt_32 fuse_new fuse_parse_cmdline_30 fuse_session_loop_mt_32
35 fuse_loop_mt_32 fuse_new fuse_parse_cmdline_30 fuse_session_loop_mt_32
312 fuse_loop_mt fuse_new fuse_parse_cmdline fuse_session_loop_mt
TEXT

# serve PROGRAM ARG...: in the foreground, with the mountpoint as its last argument.
serve() {
    command_line=("$@" -f @MNT@)
    read_only=1
    start_mount
}

head -c 3000000 /dev/urandom >"$tmp/data"

for headers in debian ours; do
    bin=$tmp/$headers
    serve "$bin/hello" -o fsname=the_name,attr_timeout=2,umask=077,allow_other,allow_root
    is "$(ls "$mnt")" hello "ls"
    is "$(cat "$mnt/hello")" 'Hello World!' "cat"
    is "$(stat -c %a "$mnt/hello")" 700 "-o umask"
    ! cat "$mnt/other" 2>/dev/null || fail "a file that is not there was read"
    ! : 2>/dev/null >"$mnt/new" || fail "hello took a file"
    grep -q " $mnt .* - fuse the_name " /proc/self/mountinfo || fail "mountinfo: $(grep " $mnt " /proc/self/mountinfo)"
    stop_mount
    # A signal: the program unmounts and says 8. Then in the background, by one thread.
    serve "$bin/hello" -s
    kill -TERM "$server"
    wait "$server"
    is $? 8 "exit status after SIGTERM"
    server=
    ! mountpoint -q "$mnt" || fail "SIGTERM left the mount there"
    "$bin/hello" -s "$mnt" || fail "hello in the background: status $?"
    is "$(cat "$mnt/hello")" 'Hello World!' "in the background"
    umount "$mnt" || fail "cannot unmount"

    # What -d shows, and none of the words that libfuse's own tests take for trouble.
    : >"$tmp/server.log"
    serve "$bin/hello" -d
    is "$(cat "$mnt/hello")" 'Hello World!' "with -d"
    ! cat "$mnt/other" 2>/dev/null || fail "a file that is not there was read"
    stop_mount
    grep -q ' lookup(.*"hello".*) = ' "$tmp/server.log" && grep -q ' lookup(.*"other".*) = ENOENT' "$tmp/server.log" ||
        fail "-d shows no requests: $(cat "$tmp/server.log")"
    ! grep -wiE 'exception|error|warning|fatal|traceback|fault|crash(ed)?|aborted|uninitiali[zs]ed' "$tmp/server.log" || fail "words of -d"
    for program in passthrough passthrough_fh; do
        serve "$bin/$program" -o "modules=subdir:iconv,subdir=$src,from_code=UTF-8,to_code=UTF-8"
        chmod 1777 "$mnt"
        plain_work "$mnt" "$src"
        stop_mount
        is "$(ls -A "$src")" "" "left below"
    done

    : >"$tmp/null"
    "$bin/null" -f "$tmp/null" &
    server=$!
    for _ in {1..100}; do ! mountpoint -q "$tmp/null" || break; sleep 0.05; done
    is "$(head -c 100000 "$tmp/null" | tr -d '\0' | wc -c)" 0 "null has something"
    umount "$tmp/null" && wait "$server" || fail "null: status $?"
    server=

    serve "$bin/ioctl"
    "$bin/ioctl_client" "$mnt/fioc" 100 && is "$("$bin/ioctl_client" "$mnt/fioc")" 100 "ioctl"
    stop_mount
    [[ $headers = debian ]] || continue  # what follows takes time, and is not about headers
    serve "$bin/poll"
    (cd "$mnt" && timeout 1.5 stdbuf -oL "$bin/poll_client") >"$tmp/poll.log"
    [[ $(grep -c . "$tmp/poll.log") -ge 2 ]] || fail "poll: $(cat "$tmp/poll.log")"
    stop_mount

    # News: with it the kernel shows the change.
    serve "$bin/invalidate_path" --update-interval=1
    before=$(cat "$mnt/current_time") size=$(stat -c %s "$mnt/growing")
    sleep 2.2
    differs "$(cat "$mnt/current_time")" "$before" "stale content"
    differs "$(stat -c %s "$mnt/growing")" "$size" "stale size"
    stop_mount

    # A parent that cleans up after fork(2) does not end its child's mount.
    mountpoint -q /sys/fs/fuse/connections || mount -t fusectl none /sys/fs/fuse/connections
    "$bin/fork" "$mnt" || fail "fork: status $?"
    is "$(stat -c %F "$mnt/.")" directory "a mount whose parent cleaned up"
    umount "$mnt" || fail "cannot unmount"

    out=$("$bin/printcap" 2>&1) && [[ $out = *FUSE_CAP_READDIRPLUS* ]] || fail "printcap: $out"

    # Mistakes, help, and what there is none of.
    out=$("$bin/hello" 2>&1) && fail "mounted nowhere"
    [[ $out = *"no mountpoint specified"* ]] || fail "no mountpoint: $out"
    out=$("$bin/hello" -f -o nonsense,allow_other "$mnt" 2>&1) && fail "an unknown option was taken"
    [[ $out = *"unknown option(s): \`-o nonsense'"* ]] || fail "an unknown option: $out"
    out=$("$bin/passthrough" -f -o modules=none "$mnt" 2>&1) && fail "a module that is not there was loaded"
    [[ $out = *libfusemod_none.so* ]] || fail "a module that is not there: $out"
    out=$("$bin/hello" -h) && [[ $out = *allow_other* && $out = *attr_timeout* && $out = *subdir=DIR* && $out = *to_code=* ]] || fail "help: $out"
    [[ $("$bin/hello" -V) = *'FUSE library version 3.14'* ]] || fail "no version"
    out=$("$bin/cuse" -f --name=none 2>&1) && fail "a character device was served"
    [[ $out = *"not character devices"* ]] || fail "cuse: $out"
done

winfsp_operations "$libdir" fuse3 fuse3 35

passed "libfuse3, high level"
