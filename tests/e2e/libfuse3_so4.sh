#!/usr/bin/env bash
# usage: libfuse3_so4.sh LIBDIR
# libfuse3.so.4 in LIBDIR: Debian's examples compiled for its layouts with our headers (there are no others on a Debian 12), programs of
# ours on what only it has (libfuse3_so4.c), and our headers for each FUSE_USE_VERSION.
. "$(dirname "$0")/lib.sh"
begin "$@"
libdir=$1
examples=/usr/share/doc/libfuse3-dev/examples
need gcc gcc
headers=$top/include/isthmus/fuse3
build() { # build SOURCE PROGRAM ARG...
    gcc -w -D_FILE_OFFSET_BITS=64 -I"$headers" "$1" -o "$2" "${@:3}" -L"$libdir/so4" -lfuse3 -pthread 2>"$tmp/gcc.log" ||
        fail "$1 does not compile: $(cat "$tmp/gcc.log")"
}
export LD_LIBRARY_PATH=$libdir
read_only=1
serve() { command_line=("$@" -f @MNT@); start_mount; }

# Headers. A program of each version is compiled, as C and as C++, for the library that the version says, and linked to it; a mixture
# does not link.
cat >"$tmp/version.c" <<'TEXT'
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stddef.h>
int main(int argc, char* argv[]) {
  struct fuse_operations ops = {0};
  struct fuse_lowlevel_ops low = {0};
  struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
  if (argc > 5) return fuse_new(&args, &ops, sizeof ops, NULL) && fuse_session_new(&args, &low, sizeof low, NULL);
  if (argc > 4) return fuse_main(argc, argv, &ops, NULL);
  return fuse_version() == FUSE_VERSION ? 0 : 1;
}
TEXT
sed -e 's/ = {0}/ = {}/' "$tmp/version.c" >"$tmp/version.cpp"
for version in 30 31 32 34 35 312 314 316 317 318 319; do
    folder=$libdir/so4
    [[ $version -gt 312 ]] || folder=$libdir
    for compiler in "gcc $tmp/version.c" "g++ $tmp/version.cpp"; do
        # shellcheck disable=SC2086  # two words
        $compiler -Wall -Wextra -Werror -Wno-missing-field-initializers -DFUSE_USE_VERSION=$version -I"$headers" -o "$tmp/version" \
            -L"$folder" -lfuse3 2>"$tmp/gcc.log" || fail "version $version, $compiler: $(cat "$tmp/gcc.log")"
        "$tmp/version" || fail "version $version: the library is another one"
    done
    # Any version for libfuse3.so.4, if its pkg-config file says so.
    gcc -DISTHMUS_FUSE3_SO=4 -DFUSE_USE_VERSION=$version "$tmp/version.c" -I"$headers" -o "$tmp/version" -L"$libdir/so4" -lfuse3 &&
        "$tmp/version" && [[ $(ldd "$tmp/version") = *"libfuse3.so.4 => $libdir/"* ]] || fail "version $version for libfuse3.so.4"
done
! gcc -DFUSE_USE_VERSION=317 "$tmp/version.c" -I"$headers" -o "$tmp/version" -L"$libdir" -lfuse3 2>/dev/null ||
    fail "a program for libfuse3.so.4 links to libfuse3.so.3"
! gcc -DISTHMUS_FUSE3_SO=3 -DFUSE_USE_VERSION=317 -fsyntax-only "$tmp/version.c" -I"$headers" 2>"$tmp/log" || fail "317 for so.3"
grep -q 'use the fuse3.pc of the folder so4' "$tmp/log" || fail "no hint: $(cat "$tmp/log")"

# What only this library has.
build "$top/tests/e2e/libfuse3_so4.c" "$tmp/so4"
out=$("$tmp/so4" nothing 2>&1) || fail "so4 nothing: $out"
[[ $out = *good* && $out = *'cannot serve under a mount service'* && $out = *'serves file systems, not character devices'* ]] ||
    fail "so4 nothing: $out"
[[ $out = *'on standard error'* && $out != *'not on standard error'* ]] || fail "syslog: $out"
out=$(timeout 60 "$tmp/so4" custom 2>&1) && [[ $out = *good && $out = *' setattr('* ]] || fail "so4 custom: $out"

mkdir -p "$src/folder"
echo abc >"$src/backing"
mkfifo "$tmp/commands"
export BACKING=$src/backing FOLDER=$src/folder COMMANDS=$tmp/commands
said() { within 50 grep -q "$1" "$tmp/server.log" || fail "no \"$1\" from the program: $(cat "$tmp/server.log")"; }
within() { local n=$1; shift; for ((; n > 0; n--)); do ! "$@" || return 0; sleep 0.1; done; return 1; }
serve "$tmp/so4" low
[[ $(cat "$mnt/data") = abc ]] || fail "passthrough: read"
echo xyz >"$mnt/data" && [[ $(cat "$src/backing") = xyz ]] || fail "passthrough: write"
said released
! grep -q '^read' "$tmp/server.log" || fail "the program was asked for data of a passthrough file"
[[ $(stat -c %W "$mnt/data") = 1234567890 ]] || fail "birth time: $(stat -c %W "$mnt/data")"
python3 - "$mnt" <<'TEXT' || fail "O_TMPFILE"
import os, sys
fd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR, 0o600)
assert os.write(fd, b"some") == 4
os.close(fd)
TEXT
stat "$mnt/data" >/dev/null
looked_up=$(grep -c '^lookup' "$tmp/server.log")
stat "$mnt/data" >/dev/null
[[ $(grep -c '^lookup' "$tmp/server.log") = "$looked_up" ]] || fail "the name is not believed"
echo expire >"$tmp/commands"
said '^expire: '
if ! grep -q '^expire: -38' "$tmp/server.log"; then
    grep -q '^expire: 0' "$tmp/server.log" || fail "expire: $(grep expire: "$tmp/server.log")"
    stat "$mnt/data" >/dev/null
    [[ $(grep -c '^lookup' "$tmp/server.log") -gt $looked_up ]] || fail "the name does not expire"
    looked_up=$(grep -c '^lookup' "$tmp/server.log")
fi
echo epoch >"$tmp/commands"
said '^epoch: '
if ! grep -q '^epoch: -38' "$tmp/server.log"; then
    grep -q '^epoch: 0' "$tmp/server.log" || fail "epoch: $(grep epoch: "$tmp/server.log")"
    stat "$mnt/data" >/dev/null
    [[ $(grep -c '^lookup' "$tmp/server.log") -gt $looked_up ]] || fail "the epoch changes nothing"
fi
echo prune >"$tmp/commands"
said '^prune: '
grep -q '^prune: -38' "$tmp/server.log" || { said '^prune: 0' && said '^forget 2'; }
stop_mount

serve "$tmp/so4" low
kill -TERM "$server"
status=0
wait "$server" || status=$?
server=
[[ $status = 1 ]] && ! mountpoint -q "$mnt" || fail "SIGTERM: status $status"

# The watchdog of the end; a failure unmounts.
serve "$tmp/so4" watched
umount "$mnt"
status=0
wait "$server" || status=$?
server=
[[ $status = 7 ]] && said '^watchdog: late' || fail "the watchdog: status $status"
serve "$tmp/so4" crash
! stat "$mnt/crash" 2>/dev/null || fail "a crashed program answers"
status=0
wait "$server" 2>/dev/null || status=$?
server=
[[ $status = 139 ]] && ! mountpoint -q "$mnt" || fail "a crash: status $status, $(mountpoint "$mnt")"
said 'the program has failed; it was here:'

# Paths.
unset COMMANDS
serve "$tmp/so4" high -o fmask=0137,dmask=0022
[[ $(stat -c %a "$mnt" "$mnt/file" | xargs) = '755 640' ]] || fail "fmask, dmask: $(stat -c %a "$mnt" "$mnt/file" | xargs)"
[[ $(stat -c %W "$mnt/file") = 987654321 ]] || fail "birth time of a path: $(stat -c %W "$mnt/file")"
stop_mount
serve "$tmp/so4" high -o modules=subdir,subdir=/ -o io_uring
[[ $(stat -c %W "$mnt/file") = 987654321 ]] || fail "birth time through a module"
stop_mount
timeout 20 "$tmp/so4" early -f "$mnt" || fail "early: status $?"
[[ $(stat -c %a "$mnt/file") = 777 ]] || fail "early: the mount does not answer at once"
umount "$mnt" || fail umount
status=0
timeout 20 "$tmp/so4" fail || status=$?
[[ $status = 42 ]] || fail "early, then a failure: status $status"

# Debian's examples.
if [[ -r $examples/passthrough.c ]]; then
    head -c 3000000 /dev/urandom >"$tmp/data"
    mkdir "$tmp/kernel"
    echo '#include <linux/fuse.h>' >"$tmp/kernel/fuse_kernel.h"
    for name in hello hello_ll passthrough passthrough_fh passthrough_ll; do
        build "$examples/$name.c" "$tmp/$name" -DISTHMUS_FUSE3_SO=4 -I"$tmp/kernel"
    done
    for name in hello hello_ll; do
        serve "$tmp/$name"
        [[ $(cat "$mnt/hello") = 'Hello World!'* ]] || fail "$name: $(cat "$mnt/hello")"
        stop_mount
    done
    for name in passthrough passthrough_fh passthrough_ll; do
        below=
        rm -rf "$src/tree"
        if [[ $name = passthrough_ll ]]; then serve "$tmp/$name" -o "source=$src"; else serve "$tmp/$name"; below=$src; fi
        mkdir -p "$mnt$below/tree/a" && cp "$tmp/data" "$mnt$below/tree/a/file" || fail "$name: cp"
        cmp "$tmp/data" "$src/tree/a/file" && cmp "$tmp/data" "$mnt$below/tree/a/file" || fail "$name: not what was written"
        mv "$mnt$below/tree/a/file" "$mnt$below/tree/moved" && truncate -s 10 "$mnt$below/tree/moved" || fail "$name: mv"
        [[ $(find "$mnt$below/tree" | wc -l) = 3 && $(stat -c %s "$src/tree/moved") = 10 ]] || fail "$name: find"
        rm -r "$mnt$below/tree" && [[ ! -e $src/tree ]] || fail "$name: rm"
        stop_mount
    done
else
    echo "SKIP: Debian's examples: not here (Debian package libfuse3-dev)"
fi
passed "libfuse3.so.4"
