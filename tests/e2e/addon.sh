#!/usr/bin/env bash
# usage: addon.sh ISTHMUS
# `isthmus mount addon:PATH`: FUSE programs as they are and as shared objects, of paths and of nodes, several at a time, that fail and that
# crash.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
examples=/usr/share/doc/libfuse3-dev/examples
need gcc gcc
[[ -r $examples/hello.c && -r /usr/include/fuse3/fuse.h ]] || skip "no examples of libfuse3 here (Debian package libfuse3-dev)"
for name in hello hello_ll passthrough; do
    for kind in pie so; do
        how=()
        [[ $kind = pie ]] || how=(-shared -fPIC)
        gcc -w "${how[@]}" -I/usr/include/fuse3 "$examples/$name.c" -o "$tmp/$name.$kind" -lfuse3 2>"$tmp/log" || fail "gcc: $(cat "$tmp/log")"
    done
done
unmount() { expect 0 '' unmount "$mnt"; clean "$1"; }

for name in hello hello_ll; do
    for kind in pie so; do
        expect 0 '' mount "addon:$tmp/$name.$kind" "$mnt"
        [[ $(cat "$mnt/hello") = 'Hello World!'* ]] || fail "$name.$kind: $(ls "$mnt")"
        expect 0 "addon:$tmp/$name.$kind  $mnt  fuse" list
        unmount "$name.$kind"
    done
done
expect 0 '' mount "addon:$tmp/hello.so?args=--name=greeting%20--contents=Good%5C%20day" "$mnt"
[[ $(cat "$mnt/greeting") = 'Good day' ]] || fail "options: $(ls "$mnt")"
unmount options
for kind in pie so; do
    expect 0 '' mount "addon:$tmp/passthrough.$kind" "$mnt" -o allow_other
    grep -q " $mnt .*allow_other" /proc/self/mountinfo || fail "-o is not passed on"
    head -c 300000 /dev/urandom >"$tmp/data"
    cp "$tmp/data" "$mnt$src/new" && cmp "$tmp/data" "$src/new" && rm "$mnt$src/new" || fail "passthrough.$kind: cp"
    unmount "passthrough.$kind"
done

# Several, with a trace; in the foreground; ended by a signal.
mkdir "$scratch/second"
expect 0 '' mount "trace+addon:$tmp/hello_ll.so?trace.file=$tmp/trace" "$mnt"
expect 0 '' mount "addon:$tmp/hello.pie" "$scratch/second"
[[ $(cat "$mnt/hello" "$scratch/second/hello" | grep -c World) = 2 ]] || fail "two add-ons"
grep -q 'read(' "$tmp/trace" || fail "no trace"
expect 0 '' unmount "$scratch/second"
unmount two
command_line=("$isthmus" mount -f "addon:$tmp/hello.so" @MNT@)
read_only=1
start_mount
[[ $(cat "$mnt/hello") = 'Hello World!'* ]] || fail "in the foreground"
stop_mount
start_mount
kill -TERM "$server"
wait "$server" || fail "SIGTERM: status $?"
server=
clean 'SIGTERM'

# Debian's programs, of both libraries.
if command -v sshfs >/dev/null && [[ -x /usr/lib/openssh/sftp-server ]]; then
    printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >"$scratch/ssh"
    chmod 755 "$scratch/ssh"
    expect 0 '' mount "addon:$(command -v sshfs)?args=host:$src&ssh_command=$scratch/ssh" "$mnt"
    echo text >"$mnt/file" && [[ $(cat "$src/file") = text ]] || fail "sshfs"
    rm "$mnt/file"
    unmount sshfs
else
    echo "SKIP: sshfs: not installed"
fi
if command -v bindfs >/dev/null; then
    mkdir -p "$src/bound"
    expect 0 '' mount "addon:$(command -v bindfs)?args=$src/bound" "$mnt"
    echo text >"$mnt/file" && [[ $(cat "$src/bound/file") = text ]] || fail "bindfs"
    unmount bindfs
else
    echo "SKIP: bindfs: not installed"
fi

# Haiku's way of telling about the volume.
cat >"$tmp/haiku.c" <<'TEXT'
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <string.h>
#include <fuse_haiku.h>
static int get(const char* path, struct stat* st, struct fuse_file_info* fi) {
  st->st_mode = S_IFDIR | 0755;
  st->st_nlink = 2;
  return strcmp(path, "/") ? -ENOENT : 0;
}
static void* init(struct fuse_conn_info* conn, struct fuse_config* config) {
  conn->want |= conn->capable & FUSE_CAP_HAIKU_FUSE_EXTENSIONS;
  return NULL;
}
static int control(const char* path, int cmd, void* arg, struct fuse_file_info* fi, unsigned flags, void* data) {
  struct fs_info* info = arg;
  if (cmd != FUSE_HAIKU_GET_DRIVE_INFO || flags < sizeof *info) return -ENOTTY;
  info->block_size = 8192;
  info->total_blocks = 12345;
  info->free_blocks = 345;
  strcpy(info->volume_name, "Haiku");
  return 0;
}
static const struct fuse_operations ops = {.getattr = get, .init = init, .ioctl = control};
int main(int argc, char* argv[]) { return fuse_main(argc, argv, &ops, NULL); }
TEXT
gcc -w -shared -fPIC -I"$top/include/isthmus/fuse3" "$tmp/haiku.c" -o "$tmp/haiku.so" -L"$(dirname "$isthmus")/../../libfuse" -lfuse3 || fail gcc
expect 0 '' mount "addon:$tmp/haiku.so" "$mnt"
[[ $(stat -f -c '%S %b %a' "$mnt") = '8192 12345 345' ]] || fail "the drive's information: $(stat -f -c '%S %b %a' "$mnt")"
unmount haiku

# What fails says so; what crashes leaves a mount that can be taken away.
expect 5 "add-on $tmp/hello.pie ended with status" mount "addon:$tmp/hello.pie?nonsense" "$mnt"
[[ $out = *unknown\ option* ]] || fail "the add-on's own words: $out"
clean 'a bad option'
echo 'int nothing;' >"$tmp/a.c"
gcc -shared -fPIC "$tmp/a.c" -o "$tmp/no_libfuse.so" && gcc -shared -fPIC "$tmp/a.c" -Wl,--no-as-needed -lfuse3 -o "$tmp/no_main.so" || fail gcc
expect 5 'loads no libfuse' mount "addon:$tmp/no_libfuse.so" "$mnt"
expect 5 'has no main()' mount "addon:$tmp/no_main.so" "$mnt"
expect 5 'neither a program' mount "addon:$examples/hello.c" "$mnt"
expect 2 'fault+ cannot be put around an add-on' mount "fault+addon:$tmp/hello.so" "$mnt"
cat >"$tmp/crash.c" <<'TEXT'
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <string.h>
static int get(const char* path, struct stat* st, struct fuse_file_info* fi) {
  if (!strcmp(path, "/crash")) *(volatile int*)0 = 1;
  st->st_mode = S_IFDIR | 0755;
  st->st_nlink = 2;
  return strcmp(path, "/") ? -ENOENT : 0;
}
static const struct fuse_operations ops = {.getattr = get};
int main(int argc, char* argv[]) { return fuse_main(argc, argv, &ops, NULL); }
TEXT
gcc -w -shared -fPIC -I/usr/include/fuse3 "$tmp/crash.c" -o "$tmp/crash.so" -lfuse3 || fail gcc
expect 0 '' mount --log "$tmp/addon.log" "addon:$tmp/crash.so" "$mnt"
! stat "$mnt/crash" 2>/dev/null || fail "a crashed add-on answers"
within 50 grep -q "add-on $tmp/crash.so was ended by signal 11" "$tmp/addon.log" || fail "no word of the crash: $(cat "$tmp/addon.log")"
! stat "$mnt" 2>/dev/null || fail "a crashed add-on answers"
unmount 'a crash'
(ulimit -c 0; exec "$isthmus" mount -f "addon:$tmp/crash.so" "$mnt") >"$tmp/log" 2>&1 &
server=$!
within 100 mountpoint -q "$mnt"
! stat "$mnt/crash" 2>/dev/null || fail "a crashed add-on answers"
status=0
wait "$server" || status=$?
server=
[[ $status = 1 ]] && grep -q "was ended by signal 11" "$tmp/log" && grep -q "isthmus unmount $mnt" "$tmp/log" || fail "a crash in the foreground: $status, $(cat "$tmp/log")"
expect 0 '' unmount "$mnt"
passed "isthmus mount addon:"
