#!/usr/bin/env bash
# The command line as root: mount, list, unmount, what is said about mistakes, signals, killed and hung servers.
. "$(dirname "$0")/lib.sh"
need python3 python3
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
export ISTHMUS_RUNTIME_DIR=$tmp/run
echo file >"$src/file"

# --- wrong usage, nothing is mounted
expect 2 'subcommand' 
expect 2 '--bogus' mount --bogus mem: "$mnt"
expect 2 'mountpoint is required' mount mem:
expect 2 "did you mean 'allow_other'" mount -o allow_othr mem: "$mnt"
expect 2 "did you mean 'mem:'" mount men: "$mnt"
expect 2 'sise' mount 'mem:?sise=1g' "$mnt"
expect 2 'max_read=BYTES' mount -o max_read=many mem: "$mnt"
expect 2 'not supported' mount -o uid=0 mem: "$mnt"
expect 2 'belongs to trace+' mount 'mem:?trace.file=x' "$mnt"
expect 5 'No such file or directory' mount /no/such "$mnt"
expect 5 'archive' mount "$top/dev" "$mnt"
expect 3 'mkdir -p' mount mem: "$tmp/absent"
expect 3 'is a regular file, but the source is a directory' mount mem: "$src/file"
expect 3 'descriptor 99 is not open' mount mem: /dev/fd/99
mkdir -p "$src/inside"
expect 2 'lies inside the folder' mount "$src" "$src/inside"
expect 2 'lies inside the folder' mount "trace+dir:$src" "$src/inside/"
rmdir "$src/inside"
expect 3 'nothing is mounted there' unmount "$mnt"
expect 3 'not FUSE' unmount /proc
clean 'after mistakes'

# --- the background: the mount answers when the command returns
exec 7>"$tmp/held"
expect 0 '' mount mem: "$mnt"
exec 7>&-
[[ -z $out ]] || fail "a mount that works says: $out"
[[ $(stat -f -c %T "$mnt") = fuse* ]] || fail "not mounted when mount returned"
echo data >"$mnt/f" && [[ $(cat "$mnt/f") = data ]] || fail "the mount does not work"
pid=$(server_pid)
[[ $(readlink "/proc/$pid/cwd") = / && $(readlink "/proc/$pid/fd/1") = /dev/null ]] || fail "the server did not leave the terminal"
[[ $(readlink /proc/"$pid"/fd/*) != *"$tmp/held"* ]] || fail "the server holds what its starter had open"
[[ $(ps -o sid= -p "$pid" | tr -d ' ') = "$pid" ]] || fail "the server leads no session"
expect 0 "$mnt" list
[[ $out = *mem:*fuse*"$pid"* ]] || fail "list: $out"
timeout 20 "$isthmus" list --json | python3 -c '
import json, sys
m, = json.load(sys.stdin)
assert m["source"] == "mem:" and m["door"] == "fuse" and m["protocol"].startswith("7."), m
assert m["by_operation"]["write"] == 1 and m["operations"] >= 3, m
assert m["operations"] == sum(m["by_operation"].values()), m' || fail "list --json"
[[ $(stat -c %a "$ISTHMUS_RUNTIME_DIR" "$ISTHMUS_RUNTIME_DIR"/*.sock | tr '\n' ' ') = '700 600 ' ]] || fail "modes of the control socket"
grep -q " $mnt [^ ]*nosuid[^ ]*nodev" /proc/self/mountinfo || fail "not nosuid,nodev by default"

# --- busy: named, and left alone
(cd "$mnt" && exec sleep 100) &
user=$!
within 20 test "$(readlink /proc/$user/cwd)" = "$mnt"
expect 6 "process $user" unmount "$mnt"
[[ $out = *cwd* ]] || fail "does not say how it is used: $out"
kill "$user"; wait "$user" 2>/dev/null
expect 0 '' unmount "$mnt"
gone "$pid" || fail "unmount returned before the server had ended"
clean 'after unmount'

# --- options reach the kernel
expect 0 '' mount "$src" "$mnt" -o ro,noexec,suid,dev,fsname=some\\,thing,subtype=odd,allow_other
line=$(grep " $mnt " /proc/self/mountinfo)
[[ $line = *" fuse.odd some,thing "* && $line = *allow_other* && $line = *ro,noexec* && $line != *nosuid* && $line != *nodev* ]] ||
    fail "mountinfo: $line"
[[ $(cat "$mnt/file") = file ]] || fail "the folder is not mirrored"
! touch "$mnt/new" 2>/dev/null || fail "read-only, but a file was made"
expect 0 '' umount --lazy "$mnt"
clean 'after a lazy unmount'

# --- decorators, and a source with a name that needs quoting
mkdir "$src/a b%"
expect 0 '' mount "trace+dir:$src/a%20b%25?trace.file=$tmp/trace.log" "$mnt"
touch "$mnt/x"
grep -qE '(create|mknod)\(.*name="x"' "$tmp/trace.log" || fail "no trace of a file made: $(cat "$tmp/trace.log")"
expect 0 '' unmount "$mnt"
expect 0 '' mount --trace=json --trace-file "$tmp/trace.json" mem: "$mnt"
ls "$mnt" >/dev/null
python3 -c 'import json, sys; assert [json.loads(l) for l in open(sys.argv[1])]' "$tmp/trace.json" || fail "the trace is not JSON"
expect 0 '' unmount "$mnt"
clean 'after traces'

# --- through a symbolic link
ln -s "$mnt" "$tmp/link"
expect 0 '' mount mem: "$tmp/link"
pid=$(server_pid)
expect 0 '' unmount "$tmp/link"
gone "$pid" || fail "unmount through a link did not wait for the server"

# --- a folder mounted over itself
expect 0 '' mount "$src" "$src"
[[ $(cat "$src/file") = file ]] || fail "mounted over itself, it does not work"
expect 0 '' unmount "$src"

# --- signals: 0 and clean, in the foreground and in the background
for signal in TERM INT HUP; do
    # A shell without job control starts background commands with SIGINT ignored; env gives it back.
    env --default-signal=INT "$isthmus" mount -f mem: "$mnt" >"$tmp/server.log" 2>&1 &
    pid=$!
    within 100 mountpoint -q "$mnt" || fail "not mounted"
    kill "-$signal" "$pid"
    ended "$pid" "SIG$signal"
    wait "$pid" || fail "SIG$signal: exit status not 0"
    clean "SIG$signal"
done
expect 0 '' mount mem: "$mnt"
pid=$(server_pid)
kill -TERM "$pid"
ended "$pid" 'SIGTERM in the background'
clean 'SIGTERM in the background'

# --- a busy mount lives on while it is used, and is cut off after the grace
"$isthmus" mount -f mem: "$mnt" -o grace=100 >"$tmp/server.log" 2>&1 &
pid=$!
within 100 mountpoint -q "$mnt" || fail "not mounted"
echo kept >"$mnt/f"
exec 7<"$mnt/f"
kill -TERM "$pid"
within 50 unmounted || fail "a busy mount is still visible after SIGTERM"
[[ $(cat <&7) = kept ]] || fail "its user was not served"
kill -0 "$pid" || fail "the server left a user alone"
exec 7<&-
ended "$pid" 'the last user left'
wait "$pid" || fail "exit status $? after the last user left"
"$isthmus" mount -f mem: "$mnt" -o grace=1 >"$tmp/server.log" 2>&1 &
pid=$!
within 100 mountpoint -q "$mnt" || fail "not mounted"
echo kept >"$mnt/f"
exec 7<"$mnt/f"
kill -TERM "$pid"
ended "$pid" 'after the grace'
status=0
wait "$pid" || status=$?
[[ $status = 1 ]] || fail "cut off, but exit status $status"
grep -q 'cut off' "$tmp/server.log" || fail "cut off without a word"
exec 7<&-
clean 'after the grace'
"$isthmus" mount -f mem: "$mnt" -o grace=100 >"$tmp/server.log" 2>&1 &
pid=$!
within 100 mountpoint -q "$mnt" || fail "not mounted"
exec 7<"$mnt"
kill -TERM "$pid"
within 50 grep -q 'in use' "$tmp/server.log" || fail "not told that it is in use"
kill -TERM "$pid"
ended "$pid" 'a second signal'
exec 7<&-
clean 'after a second signal'

# --- killed servers
expect 0 '' mount mem: "$mnt"
pid=$(server_pid)
kill -KILL "$pid"
ended "$pid" SIGKILL
cut_off() { [[ $(stat "$mnt" 2>&1) = *'not connected'* ]]; }
within 50 cut_off || fail "a dead mount answers: $(stat "$mnt" 2>&1)"
expect 3 "isthmus unmount $mnt" mount mem: "$mnt"
[[ $out = *'stale'* ]] || fail "not called stale: $out"
expect 5 'not connected' mount "$mnt/x" "$tmp"
expect 0 '' unmount "$mnt"
expect 0 'nothing is mounted' list
clean 'after a killed server'
expect 0 '' mount -o auto_unmount mem: "$mnt"
pid=$(server_pid)
kill -KILL "$pid"
within 50 unmounted || fail "auto_unmount did not"
expect 0 'nothing' list
clean 'auto_unmount'

# --- hung servers: nothing hangs with them
expect 0 '' mount mem: "$mnt"
pid=$(server_pid)
kill -STOP "$pid"
expect 0 '' list
expect 3 'does not answer' mount mem: "$mnt"
expect 0 '' unmount --force "$mnt"
kill -CONT "$pid"
ended "$pid" 'unmount --force'
rm -rf "$ISTHMUS_RUNTIME_DIR"

# --- a mount that does not answer is taken back, with its server
expect 1 'did not answer within 2 s' mount --timeout 2 'fault+mem:?fault.rules=getattr:delay=1000s:after=1' "$mnt"
clean 'a mount that does not answer'

# --- an open descriptor as the mountpoint: mounted and unmounted by somebody else
cat >"$tmp/given.py" <<'PY'
import ctypes, os, subprocess, sys
isthmus, mountpoint = sys.argv[1:]
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
data = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
assert libc.mount(b"given", mountpoint.encode(), b"fuse", 0, data) == 0, os.strerror(ctypes.get_errno())
server = subprocess.Popen([isthmus, "mount", "-f", "mem:", f"/dev/fd/{fd}"], pass_fds=[fd])
os.close(fd)
subprocess.run(["touch", mountpoint + "/x"], check=True, timeout=20)
subprocess.run(["umount", mountpoint], check=True, timeout=20)
assert server.wait(20) == 0
PY
timeout 60 python3 "$tmp/given.py" "$isthmus" "$mnt" || fail "/dev/fd/N"
clean '/dev/fd/N'

# --- an encrypted archive: the passphrase is asked on the terminal, without echo, again after a wrong one
if command -v zip >/dev/null; then
    (cd "$src" && zip -qP secret "$tmp/locked.zip" file)
    cat >"$tmp/ask.py" <<'PY'
import os, pty, select, sys
isthmus, archive, mountpoint = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(isthmus, [isthmus, "mount", archive, mountpoint])
seen, answers = b"", [b"wrong\n", b"secret\n"]
while True:
    ready, _, _ = select.select([terminal], [], [], 20)
    assert ready, f"stands still after {seen!r}"
    try:
        piece = os.read(terminal, 1000)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if seen.count(b"Passphrase") > 2 - len(answers) and answers:
        os.write(terminal, answers.pop(0))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert status == 0 and not answers and b"secret" not in seen and b"That was wrong" in seen, (status, seen)
PY
    timeout 60 python3 "$tmp/ask.py" "$isthmus" "$tmp/locked.zip" "$mnt" || fail "the passphrase prompt"
    [[ $(cat "$mnt/file") = file ]] || fail "the encrypted entry cannot be read"
    expect 0 '' unmount "$mnt"
    printf 'secret\n' >"$tmp/secret"
    expect 0 '' mount "archive:$tmp/locked.zip?passphrase_file=$tmp/secret" "$mnt"
    [[ $(cat "$mnt/file") = file ]] || fail "the encrypted entry cannot be read with passphrase_file"
    expect 0 '' unmount "$mnt"
else
    echo "SKIP: passphrase prompt: no zip here (Debian package zip)"
fi
clean 'encrypted archives'

# --- a log file, and a source that fails to open in the background
expect 0 '' mount --log "$tmp/log" --log-level debug mem: "$mnt"
expect 0 '' unmount "$mnt"
expect 1 'log file' mount --log /no/such/log mem: "$mnt"
expect 0 'fusermount3' doctor

# --- sources of another program, which is not where it should be
mkdir "$tmp/alone"
cp "$isthmus" "$tmp/alone/isthmus"
whole=$isthmus
isthmus=$tmp/alone/isthmus
expect 1 'isthmus-net' mount ftp: "$mnt"
expect 1 'isthmus-net' serve trace+mail:/tmp --webdav
isthmus=$whole
expect 5 'mail' mount mail:/no/such/mail "$mnt"
timeout 20 "$isthmus" doctor --json | python3 -c 'import json, sys; assert len(json.load(sys.stdin)) > 10' || fail "doctor --json"
clean 'at the end'
passed "command line as root"
