#!/usr/bin/env bash
# usage: compress.sh ISTHMUS
# compress+ over a folder, and the zstd tool on what is stored: both ways, files made by others, a server that is killed while it
# stores, a full disk; behind other doors, and as a program of userfs.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
need zstd zstd
need python3 python3

# mount_it SOURCE: in the background when it returns.
mount_it() {
    timeout 60 "$isthmus" mount "$1" "$mnt" >"$tmp/server.log" 2>&1 </dev/null || fail "mount $1: status $?"
    mountpoint -q "$mnt" || fail "$1: not mounted"
}
unmount_it() {
    expect 0 "" unmount "$mnt"
    within 600 no_servers || fail "left behind: $(pgrep -af isthmus)"
}
# What is stored is whole for zstd, all of it, and nothing lies beside it.
all_sound() {
    find "$src" -name '*.zst' -type f -print0 | xargs -0r zstd -tq || fail "$1: zstd finds damage"
}
nothing_left() {
    [[ -z $(find "$src" -name '.~isthmus-*') ]] || fail "$1: left: $(find "$src" -name '.~isthmus-*')"
}

# ---- a tree, written through the mount, read by zstd ----
mount_it "compress+$src"
cp -r "$top/src/vfs" "$mnt/tree" && diff -r "$top/src/vfs" "$mnt/tree" || fail "a tree"
unmount_it
mkdir "$tmp/unpacked"
cp -r "$src/tree" "$tmp/unpacked/" && find "$tmp/unpacked" -name '*.zst' -print0 | xargs -0 zstd -dq --rm || fail "zstd -d"
diff -r "$top/src/vfs" "$tmp/unpacked/tree" || fail "zstd sees another tree"
[[ $(du -s --apparent-size "$src" | cut -f1) -lt $(($(du -s --apparent-size "$top/src/vfs" | cut -f1) * 2 / 3)) ]] || fail "not smaller"
all_sound "a tree"
nothing_left "a tree"

# ---- files that zstd made, read and written through the mount ----
seq 1 2000000 >"$tmp/numbers"
zstd -q "$tmp/numbers" -o "$src/sized.zst"
zstd -q <"$tmp/numbers" >"$src/piped.zst"
split -b 3m "$tmp/numbers" "$tmp/part."
for part in "$tmp"/part.*; do zstd -q <"$part"; done >"$src/many.zst"
mount_it "compress+$src"
for file in sized piped many; do
    [[ $(stat -c %s "$mnt/$file") = $(stat -c %s "$tmp/numbers") ]] || fail "$file: size $(stat -c %s "$mnt/$file")"
    cmp "$tmp/numbers" "$mnt/$file" || fail "$file: content"
    tail -c 100 "$mnt/$file" | cmp - <(tail -c 100 "$tmp/numbers") || fail "$file: its end"
    echo "more" >>"$mnt/$file" || fail "$file: appending"
    cmp <(zstd -dcq "$src/$file.zst") <(cat "$tmp/numbers"; echo more) || fail "$file: zstd sees another content"
    zstd -lq "$src/$file.zst" >/dev/null || fail "$file: zstd -l"
done
# mappings, programs, databases' habits
python3 - "$mnt/mapped" <<'PYTHON' || fail "a mapping"
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
m = mmap.mmap(fd, 1 << 20)
m[1000:1005] = b"hello"
m.flush()
os.fsync(fd)
m[500000:500005] = b"world"
m.close()
os.close(fd)
data = open(sys.argv[1], "rb").read()
assert len(data) == 1 << 20 and data[1000:1005] == b"hello" and data[500000:500005] == b"world"
PYTHON
cp /bin/true "$mnt/program" && "$mnt/program" || fail "a program"
zstd -dcq "$src/mapped.zst" | cmp - "$mnt/mapped" || fail "what was mapped is stored otherwise"
ln "$mnt/program" "$mnt/twin" && echo changed >"$mnt/twin" && [[ $(cat "$mnt/program") = changed ]] || fail "a link"
(cd "$mnt" && flock program true) || fail "a lock"
unmount_it
all_sound "files of others"
nothing_left "files of others"

# ---- two mirrors of one folder see each other ----
mkdir "$tmp/second"
mount_it "compress+$src"
timeout 60 "$isthmus" mount "compress+$src" "$tmp/second" >>"$tmp/server.log" 2>&1 </dev/null || fail "a second mount"
echo one >"$mnt/shared"
[[ $(cat "$tmp/second/shared") = one ]] || fail "the second one sees $(cat "$tmp/second/shared")"
echo "two, longer" >"$tmp/second/shared"
within 100 test "$(cat "$mnt/shared")" != one || fail "the first one sees what was"
seen() { [[ $(cat "$mnt/shared") = "two, longer" ]]; }
within 300 seen || fail "the first one sees $(cat "$mnt/shared")"
expect 0 "" unmount "$tmp/second"
unmount_it

# ---- killed while it stores, again and again ----
find "$src" -mindepth 1 -delete
cat >"$tmp/writer.py" <<'PYTHON'
import os, random, sys
folder, seed = sys.argv[1], int(sys.argv[2])
r = random.Random(seed)
n = 0
while True:
    name = f"{folder}/f{r.randrange(4)}"
    n += 1
    content = (f"{seed} {n} ".encode() * (r.randrange(60000) + 1))
    how = r.randrange(3)
    if how == 0:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    else:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if how == 1 else 0), 0o644)
    os.write(fd, content)
    if r.randrange(2):
        os.fsync(fd)
    os.close(fd)
    if os.stat(name).st_size > 4_000_000:
        os.truncate(name, 1000)
PYTHON
for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$isthmus" mount -f "compress+$src?compress.frame=16k" "$mnt" >"$tmp/server.log" 2>&1 </dev/null &
    server=$!
    within 300 mountpoint -q "$mnt" || fail "round $round: not mounted"
    writers=()
    for w in 1 2; do
        python3 "$tmp/writer.py" "$mnt" "$((round * 10 + w))" 2>/dev/null &
        writers+=($!)
    done
    # Random moments, but something must have been stored.
    within 300 test -s "$src/f0.zst" -o -s "$src/f1.zst" || fail "round $round: nothing is stored"
    sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
    kill -KILL "$server"
    wait "$server" "${writers[@]}" 2>/dev/null
    server=
    umount "$mnt" || fail "round $round: cannot unmount"
    all_sound "round $round"
    [[ -n $(ls "$src") ]] || fail "round $round: no files"
done
# What was being written is hidden from the next mount, and what has a name can be read.
mount_it "compress+$src"
cat "$mnt"/* >/dev/null || fail "after the kills"
[[ -z $(find "$mnt" -name '.~isthmus-*') ]] || fail "temporary files are shown"
unmount_it

# ---- a full disk ----
mkdir "$tmp/small"
mount -t tmpfs -o size=2m,mode=755 small "$tmp/small" || fail "no small tmpfs"
mount_it "compress+$tmp/small"
head -c 1000000 /dev/urandom >"$tmp/old"
cp "$tmp/old" "$mnt/file" || fail "a file that fits"
head -c 8000000 /dev/urandom >"$tmp/large"
! cp "$tmp/large" "$mnt/file" 2>"$tmp/error" || fail "a file that does not fit"
grep -q "No space left" "$tmp/error" || fail "a full disk: $(cat "$tmp/error")"
zstd -dcq "$tmp/small/file.zst" | cmp - "$tmp/old" || fail "a full disk: the old file has gone"
rm "$mnt/file" && echo small >"$mnt/file" && [[ $(zstd -dcq "$tmp/small/file.zst") = small ]] || fail "after a full disk"
unmount_it
[[ -z $(find "$tmp/small" -name '.~isthmus-*') ]] || fail "a full disk: left: $(ls -A "$tmp/small")"

# ---- what cannot be decoded ----
find "$src" -mindepth 1 -delete
mount_it "compress+$src"
cp "$tmp/numbers" "$mnt/damaged"
unmount_it
printf 'XXXX' | dd of="$src/damaged.zst" bs=1 seek=5000 conv=notrunc status=none
python3 - "$src/lies.zst" <<'PYTHON'
import struct, sys
frame = bytes.fromhex("28b52ffd0458") + b"\x00" * 30
entries = struct.pack("<II", len(frame), 0xffffffff)
table = struct.pack("<II", 0x184D2A5E, len(entries) + 9) + entries + struct.pack("<IBI", 1, 0, 0x8F92EAB1)
open(sys.argv[1], "wb").write(frame + table)
PYTHON
mount_it "compress+$src?compress.spool=0"
! cat "$mnt/damaged" >/dev/null 2>"$tmp/error" || fail "damage is not noticed"
grep -q "Input/output error" "$tmp/error" || fail "damage: $(cat "$tmp/error")"
! cat "$mnt/lies" >/dev/null 2>"$tmp/error" || fail "a table that lies is believed"
ls -l "$mnt" >/dev/null || fail "ls with damaged files"
rm "$mnt/damaged" "$mnt/lies" || fail "damaged files cannot be removed"
unmount_it

# ---- as a program of userfs, and behind WebDAV ----
mount_it "userfs:$isthmus serve compress+dir:$src --userfs -"
cp -r "$top/examples" "$mnt/" && diff -r "$top/examples" "$mnt/examples" || fail "userfs: a tree"
unmount_it
all_sound userfs
[[ -f $src/examples/hello.cpp.zst ]] || fail "userfs: not compressed"
if command -v curl >/dev/null; then
    . "$top/tests/e2e/webdav_lib.sh"
    serve "compress+$src" --webdav
    code 201 -T "$tmp/numbers" "${url}numbers"
    code 200 "${url}numbers"
    cmp -s "$tmp/numbers" "$tmp/body" || fail "WebDAV: not what was put"
    code 201 -X COPY -H "Destination: ${url}copy" "${url}numbers"
    code 207 -X PROPFIND -H 'Depth: 1' "$url"
    grep -q '/copy' "$tmp/body" || fail "WebDAV: not listed"
    zstd -dcq "$src/copy.zst" | cmp - "$tmp/numbers" || fail "WebDAV: zstd sees another content"
    stop
    all_sound WebDAV
    nothing_left WebDAV
fi

expect 2 "compress.level" mount "compress+mem:?compress.level=40" "$mnt"
expect 2 "belongs to compress+" mount "mem:?compress.level=4" "$mnt"
passed "zstd reads what is stored, and the mount what zstd made; 12 kills, a full disk"
