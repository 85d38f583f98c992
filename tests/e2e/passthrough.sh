#!/usr/bin/env bash
# What `-o passthrough` must do besides what any mount does: the server moves no data, and where the kernel refuses files are served
# as ever. Called with a command that mounts @SRC@ with the option.
. "$(dirname "$0")/lib.sh"
begin "$@"
[[ $* = *passthrough* ]] || skip "not a mount with passthrough"
[[ $(uname -r | awk -F'[.-]' '{ print ($1 * 100 + $2 >= 609) }') = 1 ]] || skip "no passthrough before Linux 6.9"
moved() { awk '/^[rw]char/ { n += $2 } END { print n }' "/proc/$server/io"; }

start_mount
head -c 64M /dev/urandom >"$src/big"
before=$(moved)
dd "if=$mnt/big" "of=$mnt/copy" bs=1M status=none || fail "dd"  # cp has the server copy within its store
cmp "$src/big" "$src/copy" && cmp "$mnt/copy" "$src/big" || fail "the copy differs"
[[ $(($(moved) - before)) -lt $((4 << 20)) ]] || fail "the server moved $(($(moved) - before)) bytes itself"
! grep -q "no passthrough" "$tmp/server.log" || fail "the kernel refused"

# One file with many opens, one after the other and at once, by mapping too.
writers=()
for i in {1..50}; do
    echo "$i" >>"$mnt/log" &
    writers+=($!)
done
wait "${writers[@]}"
[[ $(sort -n "$mnt/log" | tr '\n' ' ') = "$(seq -s ' ' 50) " ]] || fail "lost appends: $(wc -l <"$src/log") of 50"
command -v python3 >/dev/null && python3 - "$mnt/mapped" <<'PY' || fail "mapping"
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 8192)
m = mmap.mmap(fd, 8192)
m[4096:4101] = b"hello"
assert os.pread(fd, 5, 4096) == b"hello"
os.pwrite(fd, b"HELLO", 4096)
assert m[4096:4101] == b"HELLO"
os.close(fd)
m[0:3] = b"abc"
m.flush()
assert open(sys.argv[1], "rb").read(3) == b"abc"
PY
stop_mount

# A store that is stacked itself.
mkdir "$tmp/low" "$tmp/up" "$tmp/work" "$tmp/over"
if mount -t overlay overlay -o "lowerdir=$tmp/low,upperdir=$tmp/up,workdir=$tmp/work" "$tmp/over" 2>/dev/null; then
    src=$tmp/over
    start_mount
    echo served >"$mnt/file"
    [[ $(cat "$mnt/file" "$src/file") = $'served\nserved' ]] || fail "on overlayfs"
    [[ $(grep -c "no passthrough" "$tmp/server.log") = 1 ]] || fail "one line should say that the kernel refuses"
    stop_mount
else
    echo "SKIP: a stacked store: overlayfs cannot be mounted here"
fi
passed "streams pass the server by, opens share, stacked stores are served as ever"
