#!/usr/bin/env bash
# kill -9 of the server during load: its users must end with an error instead of hanging, the mountpoint must answer ENOTCONN, it can
# be unmounted, and the same mount can be made again.
. "$(dirname "$0")/lib.sh"
need python3 python3
begin "$@"
[[ $1 != native ]] || skip "there is no server to kill on the native file system"
load() {  # works on the mount until a call fails
    python3 - "$mnt" "$1" <<'PY'
import errno, os, sys
folder, kind = sys.argv[1], int(sys.argv[2])
try:
    for n in range(10**9):
        name = f"{folder}/{kind}.{n % 50}"
        if kind == 0:
            with open(name, "wb") as file:
                file.write(b"x" * 100000)
                os.fsync(file.fileno())
        elif kind == 1:
            os.makedirs(name, exist_ok=True)
            os.rename(name, name + ".moved")
            os.rmdir(name + ".moved")
        elif kind == 2:
            open(name, "a").close()
            os.listdir(folder)
            os.setxattr(name, "user.n", b"1") if n % 2 else os.stat(name)
        else:
            open(name, "wb").write(b"y" * 5000)
            open(name, "rb").read()
            os.unlink(name)
except OSError as error:
    print(f"writer {kind}: ended after {n} rounds with {error.strerror}")
    # ECANCELED: the kernel was about to hand it over to the io_uring of the thread that died. FileNotFoundError and the like would
    # be a wrong answer of a server that still lives.
    sys.exit(0 if error.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ECANCELED) else 1)
PY
}
for round in 1 2 3; do
    start_mount
    pids=()
    for kind in 0 1 2 3; do load "$kind" & pids+=($!); done
    sleep "1.$((RANDOM % 10))"
    for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || fail "round $round: a writer ended before the kill"; done
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    server=
    for _ in {1..100}; do
        alive=0
        for pid in "${pids[@]}"; do ! kill -0 "$pid" 2>/dev/null || alive=1; done
        [[ $alive = 1 ]] || break
        sleep 0.1
    done
    [[ $alive = 0 ]] || fail "round $round: a user of the mount hangs 10 s after the server was killed"
    for pid in "${pids[@]}"; do wait "$pid" || fail "round $round: a writer ended with an error of a live server"; done
    answer=$(stat "$mnt" 2>&1)
    [[ $answer = *"Transport endpoint is not connected"* ]] || fail "round $round: the mountpoint answers: $answer"
    umount "$mnt" || fail "round $round: cannot unmount"
    ls "$mnt" >/dev/null || fail "round $round: the mountpoint is not a folder again"
done
start_mount
echo after >"$mnt/after" && [[ $(cat "$mnt/after") = after ]] || fail "the mount made again does not work"
stop_mount
passed "3 kills under load, each unmounted and mounted again"
