#!/usr/bin/env bash
# usage: host_cuse.sh ISTHMUS HOST_CUSE
# libfuse's example of a character device (CUSE), unmodified, on a system without /dev/cuse: at the waist with all its ioctls, and as a file in a
# mount, with the example's client.
. "$(dirname "$0")/lib.sh"
begin "$@"
isthmus=$1 host_cuse=$2
need gcc gcc
need pkg-config pkg-config
examples=/usr/share/doc/libfuse3-dev/examples
[[ -r $examples/cuse.c ]] || skip "no examples of libfuse3 here (Debian package libfuse3-dev)"
pkg-config --cflags --libs fuse3 | xargs gcc -w "$examples/cuse.c" -o "$tmp/cuse" || fail "cuse.c"
gcc -w "$examples/cuse_client.c" -o "$tmp/client" || fail "cuse_client.c"
mkdir -m 700 "$ISTHMUS_RUNTIME_DIR"
head -c 300000 /dev/urandom >"$tmp/random"

ways=(preload)
"$host_cuse" seccomp "$tmp/cuse" -f --name=fioc 2>"$tmp/log" || grep -q 'not to be had' "$tmp/log" || fail "seccomp: $(cat "$tmp/log")"
if grep -q 'not to be had' "$tmp/log"; then echo "SKIP: seccomp: $(cat "$tmp/log")"; else ways+=(seccomp); fi
for way in "${ways[@]}"; do
    "$isthmus" mount -s cuse -s "in=$way" "host:$tmp/cuse -f --name=fioc" "$mnt" 2>"$tmp/server.log" || fail "$way: not mounted"
    is "$(ls "$mnt")" fioc "what is in the folder"
    is "$(stat -c %a "$mnt/fioc")" 600 "the mode"
    cp "$tmp/random" "$mnt/fioc" && cmp "$tmp/random" "$mnt/fioc" || fail "$way: not what was written"
    is "$("$tmp/client" "$mnt/fioc" s)" 300000 "its size, by an ioctl"
    "$tmp/client" "$mnt/fioc" s 10 || fail "$way: its size cannot be set"
    cmp -n 10 "$tmp/random" "$mnt/fioc" && is "$(wc -c <"$mnt/fioc")" 10 "what is left"
    ! mkdir "$mnt/new" 2>/dev/null || fail "$way: a folder could be made"
    "$isthmus" unmount "$mnt" || fail "$way: unmount"
    for _ in {1..600}; do
        pgrep -x cuse >/dev/null || break
        sleep 0.1
    done
    ! pgrep -x cuse >/dev/null || fail "$way: the daemon is left"
    [[ -z $(ls "$ISTHMUS_RUNTIME_DIR") ]] || fail "$way: left: $(ls "$ISTHMUS_RUNTIME_DIR")"
done
"$isthmus" host -- "$tmp/cuse" -f --name=x >"$tmp/log" 2>&1 && fail "host: there is no mountpoint"
grep -q 'makes a character device' "$tmp/log" || fail "host does not say why: $(cat "$tmp/log")"
passed "a character device of libfuse's"
