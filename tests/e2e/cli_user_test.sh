#!/usr/bin/env bash
# The command line as an ordinary user: mounts through fusermount3.
# shellcheck disable=SC2016  # expanded by the inner shells
. "$(dirname "$0")/lib.sh"
need python3 python3
need fusermount3 fuse3
need setpriv util-linux
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
# The machine's device may be root's alone, as in some containers; the usual mode is 0666.
mknod -m 666 "$scratch/fuse" c 10 229 && mount --bind "$scratch/fuse" /dev/fuse || skip "no device node can be made"
chmod 755 "$scratch"
install -m 755 "$isthmus" "$scratch/isthmus"
isthmus=$scratch/isthmus
as=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs=no)
setpriv --help 2>&1 | grep -q -- '--no-new-privs ' && as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
mkdir "$scratch/home"
mnt=$scratch/home/mnt
mkdir "$mnt" "$scratch/home/run"
chown -R 65534:65534 "$scratch/home"
chmod 700 "$scratch/home/run"
export ISTHMUS_RUNTIME_DIR=$scratch/home/run
(exec "${as[@]}" test -u /usr/bin/fusermount3) || skip "fusermount3 is not setuid"

expect 0 'This user can mount' doctor
expect 0 '' mount mem: "$mnt"
line=$(grep " $mnt " /proc/self/mountinfo)
[[ $line = *nosuid,nodev* && $line = *user_id=65534* ]] || fail "mountinfo: $line"
"${as[@]}" sh -c 'echo data >"$1/f" && test "$(cat "$1/f")" = data' sh "$mnt" || fail "the mount does not work"
! ls "$mnt" >/dev/null 2>&1 || fail "root may look into a user's mount without allow_other"
pid=$(server_pid)
expect 0 "$mnt" list
"${as[@]}" sh -c 'cd "$1" && exec sleep 100' sh "$mnt" &
user=$!
within 20 test "$(readlink /proc/$user/cwd)" = "$mnt"
expect 6 'in use' unmount "$mnt"
kill "$user"; wait "$user" 2>/dev/null
expect 0 '' unmount "$mnt"
gone "$pid" || fail "unmount returned before the server had ended"
clean 'unmount'

expect 0 'root' mount -o suid,dev mem: "$mnt"
[[ $(grep " $mnt " /proc/self/mountinfo) = *nosuid,nodev* ]] || fail "a user's mount honours suid or dev"
expect 0 '' unmount "$mnt"

if ! grep -qx user_allow_other /etc/fuse.conf 2>/dev/null; then
    expect 3 'user_allow_other >> /etc/fuse.conf' mount -o allow_other mem: "$mnt"
    expect 3 'user_allow_other >> /etc/fuse.conf' mount -o allow_root mem: "$mnt"
fi
mkdir "$scratch/foreign"
expect 3 'no write access' mount mem: "$scratch/foreign"
clean 'refusals'

expect 0 '' mount mem: "$mnt"
pid=$(server_pid)
kill -TERM "$pid"
ended "$pid" SIGTERM
clean SIGTERM

expect 0 '' mount -o auto_unmount mem: "$mnt"
pid=$(server_pid)
kill -KILL "$pid"
within 50 unmounted || fail "auto_unmount did not"
expect 0 'nothing' list
clean auto_unmount

expect 0 '' mount mem: "$mnt"
kill -KILL "$(server_pid)"
within 50 no_servers
expect 3 'stale' mount mem: "$mnt"
expect 0 '' unmount "$mnt"
expect 0 'nothing' list
clean 'a killed server'

"${as[@]}" "$isthmus" mount -f mem: "$mnt" -o grace=1 >"$tmp/server.log" 2>&1 &
pid=$!
within 100 mountpoint -q "$mnt" || grep -q " $mnt " /proc/self/mountinfo || fail "not mounted"
"${as[@]}" sh -c 'cd "$1" && exec sleep 100' sh "$mnt" &
user=$!
within 20 test "$(readlink /proc/$user/cwd)" = "$mnt"
kill -TERM "$pid"
ended "$pid" 'after the grace'
kill "$user"; wait "$user" 2>/dev/null
clean 'after the grace'

chmod 600 "$scratch/fuse"
expect 3 'chmod 666 /dev/fuse' mount mem: "$mnt"
expect 4 'cannot mount' doctor
passed "command line as an ordinary user"
