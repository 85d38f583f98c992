#!/bin/sh
# usage: elf_image_corpus.sh FOLDER
# Writes the seeds of elf_image_fuzz: tiny programs and libraries of each kind that gcc and ld make. Needs gcc, binutils and libfuse3-dev.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

small="-nostdlib -s -Os -fno-asynchronous-unwind-tables -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,--build-id=none"
echo 'extern int fuse_version(void), fuse_opt_match(const void *, const char *), perhaps(void) __attribute__((weak));
int mine(void) { return fuse_version() + (perhaps ? perhaps() : 0); }
int older(void) { return fuse_opt_match(0, ""); }
void _start(void) { mine(); }' >a.c
echo 'OWN_1 { global: mine; }; OWN_2 { global: older; local: *; } OWN_1;' >versions
# shellcheck disable=SC2086  # a list of flags
build() { gcc $small "$@" -w; }
build -fPIC -shared -Wl,-soname,liba.so.1 -o "$out/plain.so" a.c
build -fPIC -shared -Wl,--hash-style=sysv -Wl,-rpath,/old/place -Wl,--disable-new-dtags -o "$out/classic.so" a.c -lfuse3
build -fPIC -shared -Wl,--hash-style=both -Wl,--version-script=versions -Wl,-rpath,\$ORIGIN/lib -o "$out/versions.so" a.c -lfuse3
build -pie -fPIE -o "$out/pie" a.c -lfuse3
build -no-pie -o "$out/fixed" a.c -lfuse3
echo 'void _start(void) {}' >b.c
build -static -o "$out/static" b.c
build -static-pie -fPIE -o "$out/static-pie" b.c
gcc -c -o "$out/object" b.c
head -c 700 "$out/pie" >"$out/cut"
