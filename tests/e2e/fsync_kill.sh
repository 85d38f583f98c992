#!/usr/bin/env bash
# A writer appends records of 9 bytes and syncs each; the server is killed at a random moment. Every record that was acknowledged
# must be in the folder behind the mount, in order, none twice. For mounts that mirror @SRC@.
. "$(dirname "$0")/lib.sh"
need python3 python3
begin "$@"
[[ $* = *@SRC@* ]] || skip "this mount keeps nothing behind it"
cat >"$tmp/writer.py" <<'PY'
import os, sys
flags = os.O_CREAT | os.O_WRONLY | (os.O_APPEND if sys.argv[3] == "append" else 0)
log = os.open(sys.argv[1], flags, 0o644)
acknowledged = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY, 0o644)
n = 0
while True:
    os.write(log, b"%08d\n" % n)
    os.fsync(log)
    os.pwrite(acknowledged, b"%08d" % n, 0)
    n += 1
PY
for round in 1 2 3 4 5 6; do
    how=$([[ $((round % 2)) = 0 ]] && echo append || echo plain)
    rm -f "$src/log" "$tmp/acknowledged"
    start_mount
    python3 "$tmp/writer.py" "$mnt/log" "$tmp/acknowledged" "$how" 2>/dev/null &
    writer=$!
    sleep "0.$((RANDOM % 9 + 1))"
    for _ in {1..100}; do
        [[ ! -s $tmp/acknowledged ]] || break
        sleep 0.05
    done
    kill -KILL "$server"
    wait "$server" "$writer" 2>/dev/null
    server=
    umount "$mnt" || fail "cannot unmount"
    [[ -s $tmp/acknowledged ]] || fail "round $round ($how): nothing was acknowledged"
    count=$((10#$(cat "$tmp/acknowledged") + 1))
    stored=$(($(stat -c %s "$src/log") / 9))
    awk '$0 + 0 != NR - 1 { exit 1 }' <(head -n "$count" "$src/log") || fail "round $round ($how): records are out of order"
    # One more may have been stored before its acknowledgement was written.
    [[ $stored -ge $count && $stored -le $((count + 1)) ]] || fail "round $round ($how): $count acknowledged, $stored stored"
    echo "round $round ($how): $count acknowledged, $stored stored"
done
passed "6 kills, nothing acknowledged was lost or doubled"
