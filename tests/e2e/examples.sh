#!/usr/bin/env bash
# usage: examples.sh HELLO CLOCK
# Mounts the examples: hello's file is there and nothing may be changed; clock's files change under the caches of the kernel, which
# only upcalls can make visible.
. "$(dirname "$0")/lib.sh"
[[ $# = 2 ]] || { echo "usage: $0 HELLO CLOCK" >&2; exit 2; }
begin "$@"
read_only=yes
command_line=("$1" @MNT@ -f)
start_mount
[[ $(ls "$mnt") = hello ]] || fail "hello: ls shows: $(ls "$mnt")"
[[ $(cat "$mnt/hello") = "Hello, world!" ]] || fail "hello: cat shows: $(cat "$mnt/hello")"
[[ $(tail -c 3 "$mnt/hello") = "d!" ]] || fail "hello: tail shows: $(tail -c 3 "$mnt/hello")"
[[ $(stat -c '%s %a %F' "$mnt/hello") = "14 444 regular file" ]] || fail "hello: stat shows: $(stat "$mnt/hello")"
! echo x 2>/dev/null >"$mnt/new" || fail "hello: a file was made in a file system that cannot make one"
[[ ! -e $mnt/nothing ]] || fail "hello: a name that is not there is there"
stop_mount

command_line=("$2" @MNT@ -f)
start_mount
seen=() ticks=0 none=0
for _ in {1..60}; do
    seen+=("$(cat "$mnt/time")")
    if [[ -e $mnt/ticks ]]; then ticks=1; else none=1; fi
    sleep 0.1
done
[[ $(printf '%s\n' "${seen[@]}" | sort -u | wc -l) -ge 3 ]] || fail "clock: /time shows only $(printf '%s\n' "${seen[@]}" | sort -u)"
printf '%s\n' "${seen[@]}" | sort -n -c || fail "clock: /time went backwards"
[[ $ticks = 1 && $none = 1 ]] || fail "clock: /ticks does not come and go"
stop_mount
passed "hello and clock"
