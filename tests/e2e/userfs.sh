#!/usr/bin/env bash
# usage: userfs.sh ISTHMUS COUNTER
# Programs that answer packets, mounted: in Python and C++, here, behind sockets and behind ssh; what happens when they are killed.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
counter=${command_line[1]}
need python3 python3
examples=$top/examples
export PYTHONDONTWRITEBYTECODE=1

# mount_it SOURCE OPTION...: in the background when it returns.
mount_it() {
    local source=$1
    shift
    timeout 60 "$isthmus" mount "$@" "$source" "$mnt" >"$tmp/server.log" 2>&1 </dev/null || fail "mount $source: status $?"
    mountpoint -q "$mnt" || fail "$source: not mounted"
}
programs_left() { pgrep -f "python3 .*hello_userfs|serve .*--userfs|^$counter" >/dev/null; }
none_left() { no_servers && ! programs_left; }
unmount_it() {
    expect 0 "" unmount "$mnt"
    within 150 none_left || fail "$1: left behind: $(pgrep -af 'isthmus|userfs')"
}

# ---- a program of 30 lines ----
mount_it "userfs:$examples/hello_userfs.py"
[[ $(ls "$mnt") = $'hello\nnotes' ]] || fail "Python: ls shows $(ls "$mnt")"
[[ $(cat "$mnt/hello") = "Hello, world!" ]] || fail "Python: cat"
echo "first line" >"$mnt/notes" && echo "second" >>"$mnt/notes" || fail "Python: writing"
[[ $(cat "$mnt/notes") = $'first line\nsecond' ]] || fail "Python: what was written is $(cat "$mnt/notes")"
truncate -s 5 "$mnt/notes" && [[ $(cat "$mnt/notes") = first ]] || fail "Python: truncate"
! cat "$mnt/none" 2>/dev/null || fail "Python: a file that is not there"
! mkdir "$mnt/folder" 2>"$tmp/error" || fail "Python: mkdir, which it does not support"
options=$(findmnt -no OPTIONS "$mnt")
[[ $options = *nosuid* && $options = *nodev* ]] || fail "mounted $options"
"$isthmus" list | grep -q '^userfs:' || fail "not in the list"
unmount_it Python

# ---- in C++, through a door without a driver ----
mount_it "userfs:$counter"
[[ $(cat "$mnt/count") = 1 && $(cat "$mnt/count") = 2 ]] || fail "counter"
unmount_it counter

# ---- what is no program of userfs ----
expect 5 "is not userfs" mount "userfs:/bin/echo words that are no packet, many of them, one after the other" "$mnt"
expect 5 "has ended before it served" mount "userfs:/bin/true" "$mnt"
expect 5 "does not answer" mount -s mount_timeout=0.5 "userfs:/bin/sleep 1000" "$mnt"
expect 2 "no two descriptors" mount userfs+fd:x,y "$mnt"
expect 5 "listens" mount "userfs+unix:$tmp/none" "$mnt"
expect 2 "lacks a host" mount userfs+ssh:host "$mnt"

# ---- any provider, over any descriptors ----
work_on() {
    mkdir "$mnt/tree" && cp -r "$examples" "$mnt/tree/" && diff -r "$examples" "$mnt/tree/examples" || fail "$1: a tree"
    head -c 3000000 /dev/urandom >"$tmp/random"
    cp "$tmp/random" "$mnt/large" && cmp "$tmp/random" "$mnt/large" || fail "$1: a large file"
    mv "$mnt/large" "$mnt/moved" && ln "$mnt/moved" "$mnt/link" && [[ $(stat -c %h "$mnt/moved") = 2 ]] || fail "$1: names"
    ln -s moved "$mnt/symbolic" && [[ $(readlink "$mnt/symbolic") = moved ]] || fail "$1: a symbolic link"
    (cd "$mnt" && flock moved true) || fail "$1: a lock"
    rm -r "${mnt:?}/tree" "$mnt"/moved "$mnt"/link "$mnt"/symbolic || fail "$1: rm"
}
mount_it "userfs:$isthmus serve $src --userfs -"
work_on "a folder"
echo here >"$src/seen" && [[ $(cat "$mnt/seen") = here ]] || fail "what is below is not seen"
rm "$src/seen"
unmount_it "a folder"
mount_it "userfs:$isthmus serve mem: --userfs - --read-only"
! mkdir "$mnt/folder" 2>"$tmp/error" && grep -q "Read-only" "$tmp/error" || fail "read-only: $(cat "$tmp/error")"
unmount_it read-only

# over a Unix socket and a port: a session for each connection, as inetd does
cat >"$tmp/inetd.py" <<'PYTHON'
import socket, subprocess, sys
kind, at, *command = sys.argv[1:]
if kind == "unix":
    s = socket.socket(socket.AF_UNIX)
    s.bind(at)
else:
    s = socket.create_server(("127.0.0.1", 0))
s.listen()
print(s.getsockname() if kind == "unix" else s.getsockname()[1], flush=True)
children = []
while True:
    c, _ = s.accept()
    children.append(subprocess.Popen(command, stdin=c, stdout=c))
    c.close()
PYTHON
for kind in unix tcp; do
    python3 "$tmp/inetd.py" "$kind" "$tmp/socket" "$isthmus" serve mem: --userfs - >"$tmp/port" 2>>"$tmp/inetd.log" &
    inetd=$!
    within 100 test -s "$tmp/port" || fail "$kind: nobody listens"
    if [[ $kind = unix ]]; then source=userfs+unix:$tmp/socket; else source=userfs+tcp:127.0.0.1:$(cat "$tmp/port"); fi
    mount_it "$source"
    work_on "$kind"
    expect 0 "" unmount "$mnt"
    within 150 no_servers || fail "$kind: left behind"
    kill "$inetd"
    wait "$inetd" 2>/dev/null
    rm -f "$tmp/port"
done

# over descriptors that somebody else has made
mkfifo "$tmp/there" "$tmp/back"
"$isthmus" serve mem: --userfs - <"$tmp/there" >"$tmp/back" 2>>"$tmp/inetd.log" &
timeout 60 "$isthmus" mount userfs+fd:4,5 "$mnt" 5>"$tmp/there" 4<"$tmp/back" >"$tmp/server.log" 2>&1 || fail "userfs+fd"
work_on descriptors
unmount_it descriptors

# ---- behind and beside another door ----
if command -v curl >/dev/null; then
    . "$top/tests/e2e/webdav_lib.sh"
    serve "userfs:$isthmus serve mem: --userfs -" --webdav
    code 201 -T "$tmp/random" "${url}new"
    code 200 "${url}new"
    cmp -s "$tmp/random" "$tmp/body" || fail "WebDAV: not what was put"
    code 201 -X MKCOL "${url}dir"
    code 201 -X MOVE -H "Destination: ${url}dir/moved" "${url}new"
    code 207 -X PROPFIND -H 'Depth: 1' "${url}dir"
    grep -q 'dir/moved' "$tmp/body" || fail "WebDAV: not listed"
    stop
    within 150 none_left || fail "WebDAV: left behind: $(pgrep -af userfs)"
    # Two doors on one file system: each sees what the other does.
    : >"$tmp/out"
    "$isthmus" serve mem: --webdav --userfs 4,5 4<"$tmp/there" 5>"$tmp/back" >"$tmp/out" 2>"$tmp/webdav.log" </dev/null &
    server=$!
    timeout 60 "$isthmus" mount userfs+fd:4,5 "$mnt" 5>"$tmp/there" 4<"$tmp/back" >"$tmp/server.log" 2>&1 || fail "two doors"
    within 300 grep -q '^ *Windows' "$tmp/out" || fail "two doors: no URL"
    url=$(sed -n 's/^WebDAV at //p' "$tmp/out")
    echo "by userfs" >"$mnt/file" || fail "two doors: writing"
    code 200 "${url}file"
    [[ $(cat "$tmp/body") = "by userfs" ]] || fail "two doors: WebDAV reads $(cat "$tmp/body")"
    echo "by WebDAV, and longer" >"$tmp/longer"
    code 204 -T "$tmp/longer" "${url}file"
    within 50 cmp -s "$tmp/longer" "$mnt/file" || fail "two doors: userfs reads $(cat "$mnt/file")"
    expect 0 "" unmount "$mnt"
    code 200 "${url}file"  # the other door stays
    stop
    within 150 none_left || fail "two doors: left behind"
else
    echo "SKIP: WebDAV: no curl here (Debian package curl)"
fi

# ---- another host ----
if sshd_here; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    ssh-keygen -q -t ed25519 -N '' -f "$tmp/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$tmp/id" || fail "ssh-keygen"
    mkdir -p /run/sshd
    "${E2E_SSHD:-/usr/sbin/sshd}" -D -e -f /dev/null -h "$tmp/host_key" -p "$port" -o ListenAddress=127.0.0.1 -o PidFile=none -o UsePAM=no -o StrictModes=no \
        -o "AuthorizedKeysFile=$tmp/id.pub" 2>"$tmp/sshd.log" &
    sshd=$!
    within 100 grep -qs "Server listening" "$tmp/sshd.log" || fail "sshd: $(cat "$tmp/sshd.log")"
    mount_it "userfs+ssh:$(id -un)@127.0.0.1 env ISTHMUS_RUNTIME_DIR=$scratch/run $isthmus serve $src --userfs -" \
        -s "ssh=ssh -p $port -i $tmp/id -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR"
    work_on ssh
    unmount_it ssh
    kill "$sshd"
else
    # What sshd would run, runs here.
    # shellcheck disable=SC2016  # expanded by the script that this is
    printf '#!/bin/sh\nuntil [ "$1" = -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n' >"$tmp/ssh" && chmod +x "$tmp/ssh"
    mount_it "userfs+ssh:127.0.0.1 env ISTHMUS_RUNTIME_DIR=$scratch/run $isthmus serve $src --userfs -" -s "ssh=$tmp/ssh"
    work_on "ssh's stand-in"
    unmount_it "ssh's stand-in"
fi

# ---- killed ----
# A hundred times during work: users get errors and go on, nothing stays behind, no descriptor is lost.
mount_it "userfs:$isthmus serve mem: --userfs -" -s restart
pid=$(server_pid)
program() { pgrep -P "$pid" -f -- '--userfs' | head -n 1; }
another() { local now; now=$(program); [[ -n $now && $now != "$1" ]]; }
load() { while [[ ! -e $tmp/enough ]]; do ls -l "$mnt"; echo x >"$mnt/f$1"; cat "$mnt/f$1"; rm -f "$mnt/f$1"; done >/dev/null 2>&1; }
# Without those of the door's threads, of which there may be more by then.
descriptors() { find "/proc/$pid/fd" -type l -printf '%l\n' | grep -cv /dev/fuse; }
within 100 another none || fail "no program"
timeout 20 stat "$mnt" >/dev/null || fail "before the kills"
before=$(descriptors)
loads=()
for i in 1 2 3; do
    load "$i" &
    loads+=($!)
done
kills=${E2E_KILLS:-100}
for ((n = 1; n <= kills; n++)); do
    victim=$(program)
    # One that ends again and again before it has served anything is given up.
    timeout 30 stat "$mnt/none-$n" >/dev/null 2>&1
    kill -KILL "$victim" || fail "kill $n"
    within 300 another "$victim" || fail "kill $n: not started again"
    timeout 60 stat "$mnt" >/dev/null || fail "kill $n: $mnt does not answer"
done
touch "$tmp/enough"
for job in "${loads[@]}"; do
    within 600 eval "! kill -0 $job 2>/dev/null" || fail "a process hangs: $(cat "/proc/$job/stack" 2>/dev/null)"
done
echo again >"$mnt/file" && [[ $(cat "$mnt/file") = again ]] || fail "after $kills kills"
rm "$mnt/file"
within 100 eval "[[ \$(descriptors) -le $before ]]" || fail "descriptors: $before before, $(descriptors) after $kills kills"
unmount_it "killed $kills times"

# Without restart: errors from then on, for whoever waits as well, and an unmount that works.
mount_it "userfs:$examples/hello_userfs.py"
pid=$(server_pid)
victim=$(pgrep -P "$pid" | head -n 1)
kill -STOP "$victim"
cat "$mnt/hello" >"$tmp/out" 2>"$tmp/error" &
waiting=$!
sleep 0.5
kill -KILL "$victim"
within 100 eval "! kill -0 $waiting 2>/dev/null" || fail "the waiting process hangs"
wait "$waiting" && fail "it read from a program that is gone"
grep -q "Input/output error" "$tmp/error" || fail "the waiting process got: $(cat "$tmp/error")"
timeout 20 ls "$mnt/none" >/dev/null 2>"$tmp/error"
grep -q "Input/output error" "$tmp/error" || fail "the next one got: $(cat "$tmp/error")"
unmount_it "a program that was killed"
passed "userfs: programs in Python and C++, any descriptors, killed $kills times"
