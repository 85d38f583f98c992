# Sourced by the cli_*.sh scripts, behind lib.sh: each is called with the path of the isthmus program.
# shellcheck shell=bash disable=SC2009,SC2154  # zombies do not count: ps shows them; $mnt is lib.sh's
isthmus=${1:?}
out='' status=0

# run ARG...: the program, at most 20 s, with its output in $out and its exit status in $status.
run() {
    status=0
    out=$(timeout 20 "${as[@]}" "$isthmus" "$@" 2>&1 </dev/null) || status=$?
}
as=()

# expect STATUS TEXT ARG...: the program ends so and says so.
expect() {
    local wanted=$1 text=$2
    shift 2
    run "$@"
    [[ $status = "$wanted" ]] || fail "isthmus $*: exit status $status, not $wanted: $out"
    [[ $out = *"$text"* ]] || fail "isthmus $*: no \"$text\" in: $out"
}

mounts_at() { awk -v at="$1" '$5 == at' /proc/self/mountinfo | wc -l; }

# The process that serves the mount at $mnt, by its own word.
server_pid() {
    timeout 20 "${as[@]}" "$isthmus" list --json | python3 -c '
import json, sys
print(*[m["pid"] for m in json.load(sys.stdin) if m["mountpoint"] == sys.argv[1]])' "$mnt"
}

# within TENTHS COMMAND...: until it succeeds.
within() {
    local n=$1
    shift
    for ((; n > 0; n--)); do
        ! "$@" || return 0
        sleep 0.1
    done
    return 1
}
# A zombie is gone, too, once its other threads are: they still hold its files. One that is collected between the looks has no state.
gone() {
    ! kill -0 "$1" 2>/dev/null ||
        [[ $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) = @(Z|X|) && $(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) -le 1 ]]
}
unmounted() { [[ $(mounts_at "$mnt") = 0 ]]; }
ended() { within 100 gone "$1" || fail "$2: the server (process $1) still runs after 10 s"; }

# Nothing may be left of a server: no mount, no keeper, no socket.
clean() {
    unmounted || fail "$1: still mounted"
    within 50 no_servers || fail "$1: processes are left: $(ps -eo pid,comm,args | grep '[i]sthmus')"
    [[ -z $(ls "$ISTHMUS_RUNTIME_DIR" 2>/dev/null) ]] || fail "$1: a control socket is left"
}
no_servers() { ! ps -eo stat=,comm= | grep -v '^Z' | grep -qE ' (isthmus|one_file)'; }
