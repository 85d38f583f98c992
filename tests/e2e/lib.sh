# Sourced by the scripts of this folder. Each is called
#   NAME.sh COMMAND ARG...     a command that serves a mount in the foreground until it is unmounted or told to end; @SRC@ and @MNT@
#                              in its arguments become a scratch folder and the mountpoint, both on a fresh tmpfs
#   NAME.sh native             the same work on the tmpfs itself: what is right is what passes there
# and exits 0 (passed), 77 (skipped: the last line says why) or else (failed). Lines `SKIP: what: why` name parts left out.
#
# The server and its users are different processes, and all of them live in process and mount namespaces that end with the script,
# also if it is killed (tools/isolated): no mount, server or file stays behind.
# shellcheck shell=bash
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=/var/local          # covered by a tmpfs that only we see
src=$scratch/src mnt=$scratch/mnt tmp=$scratch/tmp
server=                     # pid of the serving process
command_line=()
read_only=                  # the mount refuses changes

skip() { echo "SKIP: $*"; exit 77; }
fail() {
    echo "FAIL: $*"
    [[ ! -s $tmp/server.log ]] || { echo "--- the server said:"; tail -n 40 "$tmp/server.log"; }
    exit 1
}

# Whether there is an SSH server to start: no test has it installed, as its package starts one.
sshd_here() { [[ -x ${E2E_SSHD:-/usr/sbin/sshd} ]] && command -v ssh >/dev/null && getent passwd sshd >/dev/null; }

# need COMMAND PACKAGE: the test needs a program.
need() { command -v "$1" >/dev/null || skip "no $1 here (Debian package $2)"; }

# begin COMMAND-LINE...: call it first; goes into namespaces and makes the scratch folders.
begin() {
    [[ $# -gt 0 ]] || { echo "usage: $0 native | COMMAND ARG... with @SRC@ and @MNT@" >&2; exit 2; }
    [[ $EUID = 0 ]] || skip "not root: the test mounts in namespaces of its own"
    [[ $1 = native || -c /dev/fuse ]] || skip "no /dev/fuse here"
    if [[ -z ${E2E_ISOLATED:-} ]]; then
        unshare --mount --pid --fork true 2>/dev/null || skip "this machine lets root make no namespaces"
        E2E_ISOLATED=1 exec "$top/tools/isolated" bash "$0" "$@"
    fi
    unset E2E_ISOLATED
    mkdir -p "$scratch"
    mount -t tmpfs -o "size=${E2E_SIZE:-4g},mode=755" e2e "$scratch" || skip "no tmpfs can be mounted"
    mkdir "$src" "$mnt" "$tmp"
    export ISTHMUS_RUNTIME_DIR=$scratch/run
    chmod 1777 "$src" "$tmp"
    command_line=("$@")
    cd "$scratch" || exit 1
    trap finish EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
}

# The connection is cut before anything waits on it: a user of a hung server would wait for ever.
finish() {
    local minor
    minor=$(awk -v at="$mnt" '$5 == at { split($3, n, ":"); print n[2] }' /proc/self/mountinfo | tail -n 1)
    if [[ -n $minor && -w /sys/fs/fuse/connections/$minor/abort ]]; then echo 1 >"/sys/fs/fuse/connections/$minor/abort"; fi
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null
    umount -l "$mnt" 2>/dev/null
    return 0
}

# compile_examples LIBDIR fuse|fuse3 FLAGS NAME...: Debian's examples of a libfuse for the one in LIBDIR, with Debian's headers into
# $tmp/debian and with ours into $tmp/ours; what runs from here on loads that library. $examples: where they are.
compile_examples() {
    local libdir=$1 library=$2 words headers include name
    IFS=' ' read -ra words <<<"$3"
    shift 3
    examples=/usr/share/doc/lib$library-dev/examples
    need gcc gcc
    [[ -r $examples/null.c && -r /usr/include/$library/fuse.h ]] || skip "no examples of lib$library here (Debian package lib$library-dev)"
    mkdir "$tmp/debian" "$tmp/ours"
    for headers in debian ours; do
        include=/usr/include/$library
        [[ $headers = debian ]] || include=$top/include/isthmus/$library
        for name; do
            gcc -w -D_FILE_OFFSET_BITS=64 "-I$include" "$examples/$name.c" -o "$tmp/$headers/$name" "-L$libdir" "-l$library" "${words[@]}" \
                -pthread 2>"$tmp/gcc.log" || fail "$name does not compile with $headers headers: $(cat "$tmp/gcc.log")"
        done
    done
    export LD_LIBRARY_PATH=$libdir
    [[ $(ldd "$tmp/debian/$1") = *"lib$library.so."?" => $libdir/"* ]] || fail "the programs do not load the library of $libdir"
}

# start_mount: mounts, and lets every user write to the root unless $read_only is set.
start_mount() {
    [[ ${command_line[0]} != native ]] || { chmod 1777 "$mnt"; return 0; }
    local arguments=("${command_line[@]//@SRC@/$src}")
    arguments=("${arguments[@]//@MNT@/$mnt}")
    "${arguments[@]}" >>"$tmp/server.log" 2>&1 </dev/null &
    server=$!
    for _ in {1..300}; do
        if mountpoint -q "$mnt"; then
            [[ -n $read_only ]] || chmod 1777 "$mnt" || fail "chmod of the root of the mount"
            return 0
        fi
        kill -0 "$server" 2>/dev/null || fail "the server ended before it mounted"
        sleep 0.05
    done
    fail "not mounted after 15 s"
}

# Unmounts; the server must then end by itself, cleanly, and no sanitizer may have complained.
stop_mount() {
    [[ ${command_line[0]} != native ]] || return 0
    cd "$scratch" || exit 1
    local status=0
    for _ in {1..50}; do
        ! umount "$mnt" 2>"$tmp/umount.log" || break
        sleep 0.1
    done
    ! mountpoint -q "$mnt" || fail "cannot unmount: $(cat "$tmp/umount.log")"
    for _ in {1..200}; do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    ! kill -0 "$server" 2>/dev/null || fail "the server still runs 20 s after the unmount"
    wait "$server" || status=$?
    server=
    [[ $status = 0 ]] || fail "the server's exit status is $status"
    ! grep -qE 'Sanitizer|runtime error:' "$tmp/server.log" || fail "a sanitizer complained"
}

passed() { echo "passed: $*"; }

# is VALUE WANTED WHAT
is() { [[ $1 = "$2" ]] || fail "$3: $1 instead of $2"; }

# plain_work DIR BELOW: what a plain file system takes, in DIR, which shows BELOW. $tmp/data: 3 MB.
plain_work() {
    local d=$1 below=$2
    mkdir -p "$d/a/b" && cp "$tmp/data" "$d/a/file" && cmp "$tmp/data" "$d/a/file" || fail "cp"
    echo more >>"$d/a/file" && truncate -s 4096 "$d/a/file" && cmp -n 4096 "$tmp/data" "$d/a/file" || fail "append, truncate"
    mv "$d/a" "$d/moved" && mv "$d/moved/file" "$d/moved/b/file" && is "$(stat -c %s "$d/moved/b/file")" 4096 "size after mv"
    ln -s file "$d/moved/b/link" && is "$(readlink "$d/moved/b/link")" file "readlink"
    ln "$d/moved/b/file" "$d/hard" && is "$(stat -c %h "$d/hard")" 2 "links"
    chmod 600 "$d/hard" && is "$(stat -c %a "$d/hard")" 600 "mode"
    touch -d 2001-01-01 "$d/hard" && is "$(stat -c %Y "$d/hard")" "$(date -d 2001-01-01 +%s)" "time"
    mkfifo "$d/fifo" && [[ -p $d/fifo ]] || fail "mkfifo"
    # A removed file lives as long as it is open.
    exec 5<>"$d/open"
    rm "$d/open" && echo text >&5 && is "$(cat /proc/self/fd/5)" text "an open file that was removed" && exec 5>&-
    is "$(find "$d" -name '.fuse_hidden*' | wc -l)" 0 "hidden files left"
    for i in {1..200}; do : >"$d/moved/file-with-a-long-name-$i"; done
    is "$(find "$d/moved" -name 'file-with*' | wc -l)" 200 "names"
    is "$(stat -f -c %b "$d")" "$(stat -f -c %b "$below")" "statfs"
    rm -r "${d:?}"/* && is "$(ls -A "$d")" "" "rm -r"
}

# winfsp_operations LIBDIR FOLDER LIBRARY VERSION [OPTION...]: a program with WinFsp's callbacks, by the headers in include/isthmus/FOLDER.
winfsp_operations() {
    local libdir=$1 folder=$2 library=$3 version=$4 program=$tmp/winfsp
    shift 4
    gcc -Wall -Wextra -Werror -D_FILE_OFFSET_BITS=64 "-DFUSE_USE_VERSION=$version" -I"$top/include/isthmus/$folder" -I"$top/include/isthmus/fuse3" \
        "$top/tests/e2e/winfsp_operations.c" -o "$program" -L"$libdir" "-l$library" -lpthread || fail "winfsp_operations.c"
    rm -f "$tmp/grow" "$tmp/grown"
    command_line=(env "FOLDER=$tmp" "$program" "$@" -f @MNT@)
    read_only=1
    start_mount
    dos() { getfattr --only-values --absolute-names -n user.DOSATTRIB "$mnt/ReadMe" | od -An -tx1 | tr -d ' \n'; }
    # Version 3 of Samba's form: valid, attributes (hidden), then the time of creation in units of 100 ns.
    is "$(dos)" 0000030003000000110000000200000000000000000000000000000000000000000000000080ff44d138c1010000000000000000 "flags and birth"
    setfattr -n user.DOSATTRIB -v '"0x21"' "$mnt/ReadMe" || fail "chflags"
    is "$(dos | cut -c 17-32)" 1100000021000000 "flags that were set"
    setfattr -x user.DOSATTRIB "$mnt/ReadMe" || fail "chflags to none"
    is "$(dos | cut -c 17-32)" 1100000000000000 "flags that were taken away"
    [[ $(getfattr -m - --absolute-names "$mnt/ReadMe") = *user.DOSATTRIB* ]] || fail "not listed"
    is "$(stat -c %i "$mnt/README")" "$(stat -c %i "$mnt/readme")" "two names that differ in case"
    is "$(cat "$mnt/readme")" gro "content"
    : >"$tmp/grow"
    for _ in {1..600}; do [[ ! -e $tmp/grown ]] || break; sleep 0.1; done
    is "$(cat "$tmp/grown")" "0 1" "fuse_notify"
    is "$(cat "$mnt/readme") $(stat -c %s "$mnt/readme")" "grown 5" "content after news"
    stop_mount
}
