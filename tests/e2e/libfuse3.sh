#!/usr/bin/env bash
# usage: libfuse3.sh LIBDIR
# Programs of libfuse3's low-level interface, which we did not write, on the libfuse3.so.3 in LIBDIR: Debian's examples, compiled
# with Debian's headers and with ours.
. "$(dirname "$0")/lib.sh"
begin "$@"
libdir=$1
mkdir "$tmp/kernel"
# An example wants the kernel's header by the name it has in libfuse's source.
echo '#include <linux/fuse.h>' >"$tmp/kernel/fuse_kernel.h"
compile_examples "$libdir" fuse3 "-I$tmp/kernel" hello_ll passthrough_ll hello_ll_uds notify_inval_entry notify_inval_inode notify_store_retrieve

# serve PROGRAM ARG...: in the foreground, with the mountpoint as its last argument.
serve() {
    command_line=("$@" -f @MNT@)
    read_only=1
    start_mount
}
# end_by_signal: SIGTERM makes the loop return, and the program unmounts; the examples exit with 1 then.
end_by_signal() {
    local status=0
    kill -TERM "$server"
    wait "$server" || status=$?
    server=
    [[ $status = 1 ]] || fail "exit status $status after SIGTERM"
    ! mountpoint -q "$mnt" || fail "SIGTERM left the mount there"
}
hello() {
    [[ $(ls "$mnt") = hello ]] || fail "hello_ll shows: $(ls "$mnt")"
    [[ $(cat "$mnt/hello") = 'Hello World!' ]] || fail "hello_ll's file: $(cat "$mnt/hello")"
    ! cat "$mnt/other" 2>/dev/null || fail "a file that is not there was read"
}

for headers in debian ours; do
    bin=$tmp/$headers
    serve "$bin/hello_ll" -o fsname=the_name
    hello
    grep -q " $mnt .* - fuse the_name " /proc/self/mountinfo || fail "mountinfo: $(grep " $mnt " /proc/self/mountinfo)"
    stop_mount
    serve "$bin/hello_ll" -s -o ''
    hello
    end_by_signal

    # In the background: the program returns when the mount answers.
    "$bin/hello_ll" "$mnt" || fail "hello_ll in the background: status $?"
    hello
    umount "$mnt" || fail "cannot unmount"
    for _ in {1..100}; do pgrep -x hello_ll >/dev/null || break; sleep 0.05; done
    ! pgrep -x hello_ll >/dev/null || fail "hello_ll still runs after the unmount"

    rm -rf "$src/tree"
    serve "$bin/passthrough_ll" -o "source=$src" -o cache=auto
    mkdir -p "$mnt/tree/a/b" || fail mkdir
    head -c 5000000 /dev/urandom >"$tmp/data"
    cp "$tmp/data" "$mnt/tree/a/file" || fail cp
    cmp "$tmp/data" "$mnt/tree/a/file" || fail "not what was written"
    cmp "$tmp/data" "$src/tree/a/file" || fail "not what is below"
    echo more >>"$mnt/tree/a/file" && truncate -s 4096 "$mnt/tree/a/file" && mv "$mnt/tree/a/file" "$mnt/tree/a/b/file" || fail mv
    cmp -n 4096 "$tmp/data" "$mnt/tree/a/b/file" || fail "not the beginning of what was written"
    ln -s file "$mnt/tree/a/b/link" && [[ $(stat -L -c %s "$mnt/tree/a/b/link") = 4096 ]] || fail "symbolic link"
    ln "$mnt/tree/a/b/file" "$mnt/tree/hard" && [[ $(stat -c %h "$mnt/tree/hard") = 2 ]] || fail "hard link"
    for i in {1..500}; do : >"$mnt/tree/a/file-with-a-long-name-$i"; done
    [[ $(find "$mnt/tree/a" -maxdepth 1 -name 'file-*' | wc -l) = 500 ]] || fail "not 500 files"
    [[ $(stat -f -c %b "$mnt") = "$(stat -f -c %b "$src")" ]] || fail statfs
    rm -r "$mnt/tree" && [[ ! -e $src/tree ]] || fail "rm -r"
    stop_mount

    # News: with it the kernel shows the change, without it what it has cached.
    for how in '' --only-expire; do
        # shellcheck disable=SC2086  # no argument when empty
        serve "$bin/notify_inval_entry" --update-interval=1 --timeout=60 $how
        before=$(ls "$mnt")
        sleep 2.5
        ! stat "$mnt/$before" 2>/dev/null || fail "the name is still there ($how)"
        end_by_signal
    done
    for program in notify_inval_inode notify_store_retrieve; do
        serve "$bin/$program" --update-interval=1
        file=$mnt/$(ls "$mnt")
        before=$(cat "$file")
        sleep 2.5
        [[ $(cat "$file") != "$before" ]] || fail "$program: stale content"
        end_by_signal
        serve "$bin/$program" --update-interval=1 --no-notify
        file=$mnt/$(ls "$mnt")
        cached=
        for _ in {1..5}; do  # other tests on this machine drop caches
            before=$(cat "$file")
            sleep 2
            [[ $(cat "$file") != "$before" ]] || { cached=yes; break; }
        done
        [[ $cached ]] || fail "$program: the cache was not used"
        end_by_signal
    done

    # Without a kernel: the program brings its own socket and functions.
    rm -f /tmp/libfuse-hello-ll.sock
    "$bin/hello_ll_uds" >"$tmp/server.log" 2>&1 &
    server=$!
    for _ in {1..100}; do [[ ! -S /tmp/libfuse-hello-ll.sock ]] || break; sleep 0.05; done
    python3 "$top/tests/e2e/libfuse3_uds.py" /tmp/libfuse-hello-ll.sock || fail "hello_ll_uds"
    wait "$server"
    server=

    # Mistakes.
    out=$("$bin/hello_ll" -f "$scratch/none" 2>&1) && fail "mounted on nothing"
    [[ $out = *"bad mount point \`$scratch/none'"* ]] || fail "a mountpoint that is not there: $out"
    out=$("$bin/hello_ll" -f -o nonsense,allow_other "$mnt" 2>&1) && fail "an unknown option was taken"
    [[ $out = *"unknown option(s): \`-o nonsense'"* ]] || fail "an unknown option: $out"
    [[ $("$bin/hello_ll" -h) = *allow_other* ]] || fail "no help"
    [[ $("$bin/hello_ll" -V) = *'FUSE library version 3.14'* ]] || fail "no version"
done

passed "libfuse3"
