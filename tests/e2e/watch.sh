#!/usr/bin/env bash
# Others change the folder behind a mount that believes what it has seen for long: the mount must show it at once. Two mounts of the folder
# must see each other's changes. Called with a command that mounts @SRC@; `native` sees them by being the folder.
. "$(dirname "$0")/lib.sh"
begin "$@"
second=$scratch/second second_server=

# seen WHAT COMMAND...: the command succeeds within 5 s, much less than names and attributes are believed.
seen() {
    local what=$1
    shift
    for _ in {1..500}; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.01
    done
    fail "not seen: $what"
}
missing() { [[ ! -e $1 && ! -L $1 ]]; }
holds() { [[ $(cat "$1") = "$2" ]]; }
lists() { [[ $(cd "$1" && printf '%s ' *) = "$2" ]]; }
mode() { [[ $(stat -c %a "$1") = "$2" ]]; }
links() { [[ $(stat -c %h "$1") = "$2" ]]; }

# walk THERE HERE: what is done in THERE is seen in HERE.
walk() {
    local there=$1 here=$2 i
    mkdir "$there/d" && seen "a folder" test -d "$here/d"
    missing "$here/d/file" || fail "there is a file already"
    echo one >"$there/d/file"
    seen "a file that was missing" holds "$here/d/file" one
    exec 5<"$here/d/file"
    echo two >"$there/d/file"
    seen "new contents" holds "$here/d/file" two
    echo three >>"$there/d/file"
    seen "appended text" holds "$here/d/file" $'two\nthree'
    [[ $(cat <&5) = $'two\nthree' ]] || fail "a file that is open shows old contents"
    exec 5<&-
    : >"$there/d/file" && seen "truncation" holds "$here/d/file" ""
    chmod 640 "$there/d/file" && seen "a mode" mode "$here/d/file" 640
    ln "$there/d/file" "$there/d/link" && seen "a link" links "$here/d/file" 2
    seen "a listing" lists "$here/d" "file link "
    mv "$there/d/file" "$there/moved" && seen "a rename" missing "$here/d/file"
    seen "a listing after a rename" lists "$here/d" "link "
    seen "the new name" test -f "$here/moved"
    ln -s one "$there/d/symlink" && seen "a symbolic link" readlink "$here/d/symlink"
    ln -sfn two "$there/d/symlink"
    # shellcheck disable=SC2016
    seen "another target" bash -c '[[ $(readlink "$1") = two ]]' - "$here/d/symlink"
    for i in {1..300}; do echo "$i" >"$there/d/n$i"; done
    # shellcheck disable=SC2016
    seen "300 files" bash -c '[[ $(cat "$1"/n* | sort -n | tail -n 1) = 300 ]]' - "$here/d"
    rm "$there"/d/n*
    seen "their end" lists "$here/d" "link symlink "
    mv "$there/d" "$there/e" && seen "a renamed folder" test -L "$here/e/symlink"
    rm -r "$there/e" "$there/moved"
    seen "the end" missing "$here/e"
}

start_mount
[[ ${command_line[0]} != native ]] || { walk "$mnt" "$mnt"; passed "native"; exit 0; }
walk "$src" "$mnt"

mkdir "$second"
first=$mnt first_server=$server
mnt=$second
start_mount
second_server=$server mnt=$first server=$first_server
walk "$mnt" "$second"
walk "$second" "$mnt"
umount "$second" || fail "umount of the second mount"
for _ in {1..200}; do
    kill -0 "$second_server" 2>/dev/null || break
    sleep 0.1
done
! kill -0 "$second_server" 2>/dev/null || fail "the second server still runs"
stop_mount
passed "changes behind the mount and through another one are seen at once"
