#!/usr/bin/env bash
# usage: run_main_test.sh ONE_FILE
# fuse::run_main(), the main() of file systems outside of isthmus: usage, background, failures, a root that is a file.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
export ISTHMUS_RUNTIME_DIR=$tmp/run
mnt=$src/file
touch "$mnt"
expect 0 'usage: one_file [-f]' --help
expect 0 'max_read=BYTES' -h
expect 2 'no mountpoint' -f
expect 2 "unexpected argument 'b'" a b
expect 2 "option '-x'" -x "$mnt"
expect 2 "option '-o'" "$mnt" -o
expect 2 'did you mean' -o allow_othr "$mnt"
expect 3 'is a directory, but the source is a regular file' "$src"
[[ $out = *'touch FILE'* ]] || fail "no next step: $out"
export ONE_FILE_FAILS=1
expect 5 'Permission denied' "$mnt"
unset ONE_FILE_FAILS
clean 'after mistakes'

# A mount that answers with an error is no mount: it is taken back.
export ONE_FILE_IS_SILENT=1
expect 1 'Input/output error' "$mnt"
unset ONE_FILE_IS_SILENT
within 50 no_servers || fail "the server of a failed mount still runs"
clean 'after a failed mount'

expect 0 '' "$mnt" -o subtype=one
[[ $(cat "$mnt") = 'the root is a file' ]] || fail "not the file: $(cat "$mnt")"
grep -q " $mnt .* fuse.one " /proc/self/mountinfo || fail "mountinfo: $(grep " $mnt " /proc/self/mountinfo)"
umount "$mnt" || fail "cannot unmount"
within 50 no_servers || fail "the server still runs after umount"
"$isthmus" -f "$mnt" &
pid=$!
within 100 mountpoint -q "$mnt" || fail "not mounted"
kill -INT "$pid"  # ignored: this shell started it in the background
sleep 0.2
kill -0 "$pid" || fail "an ignored SIGINT ended it"
kill -TERM "$pid"
ended "$pid" SIGTERM
wait "$pid" || fail "exit status $?"
clean 'at the end'
passed "run_main"
