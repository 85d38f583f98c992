#!/usr/bin/env bash
# usage: run_test.sh ISTHMUS
# `isthmus run`: programs of libfuse3 on our library, and what it says of those that cannot be.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cli_lib.sh"
begin "$@"
example=/usr/share/doc/libfuse3-dev/examples/hello.c
need gcc gcc
[[ -r $example && -r /usr/include/fuse3/fuse.h ]] || skip "no examples of libfuse3 here (Debian package libfuse3-dev)"
gcc -w -D_FILE_OFFSET_BITS=64 -I/usr/include/fuse3 "$example" -o "$tmp/hello" -lfuse3 || fail "hello does not compile"
printf 'int main(void) { return 7; }\n' >"$tmp/other.c"
gcc -static "$tmp/other.c" -o "$tmp/static" && gcc "$tmp/other.c" -o "$tmp/other" || fail "gcc"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$tmp/hello" >"$tmp/script"
chmod 755 "$tmp/script"

expect 0 "needs libfuse3.so.3; all " run --check "$tmp/hello"
expect 0 "no 64-bit ELF program" run --check "$tmp/script"
expect 0 "is not linked to libfuse3.so.3 itself" run --check "$tmp/other"
expect 4 "is linked statically" run --check "$tmp/static"
expect 5 "in no folder of PATH" run --check no-such-program
expect 4 "is linked statically" run "$tmp/static"
expect 5 "cannot run" run "$tmp/none"
expect 2 "required" run
expect 7 "" run "$tmp/other"
# Options behind the program are its own.
expect 0 "to_code=CHARSET" run "$tmp/hello" --help
expect 0 "using FUSE kernel interface version" --log-level error run -- "$tmp/hello" --version
if [[ $EUID = 0 ]]; then
    as=(setpriv --reuid nobody --regid nogroup --clear-groups)
    chmod 4755 "$tmp/hello"
    chmod 755 "$tmp"
    expect 4 "is setuid" run "$tmp/hello"
    chmod 755 "$tmp/hello"
    as=()
fi

for program in hello script; do
    command_line=("$isthmus" run "$tmp/$program" -f @MNT@)
    read_only=1
    start_mount
    [[ $(cat "$mnt/hello") = 'Hello World!' ]] || fail "$program: $(cat "$mnt/hello")"
    library=$(grep -m1 -o '/[^ ]*libfuse3.so.3.*' "/proc/$server/maps")
    [[ $library = "${isthmus%/src/cli/isthmus}/libfuse/"* || $library = */isthmus/libfuse3* ]] || fail "$program runs on $library"
    stop_mount
done
passed "isthmus run"
