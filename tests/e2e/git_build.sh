#!/usr/bin/env bash
# Clones this repository into the mount, checks and repacks it, and builds a small C project there with make.
. "$(dirname "$0")/lib.sh"
need git git
need make make
need gcc gcc
begin "$@"
start_mount
export HOME=$tmp GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_AUTHOR_NAME=e2e GIT_AUTHOR_EMAIL=e2e@localhost GIT_COMMITTER_NAME=e2e GIT_COMMITTER_EMAIL=e2e@localhost

origin=$top
if ! git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then  # an unpacked release
    mkdir "$tmp/origin"
    tar -C "$top" --exclude=./build -cf - . | tar -C "$tmp/origin" -xf -
    git -C "$tmp/origin" init -q && git -C "$tmp/origin" add -A && git -C "$tmp/origin" commit -qm all
    origin=$tmp/origin
fi
git clone -q --no-local "$origin" "$mnt/clone" || fail "git clone"
cd "$mnt/clone" || fail "cd"
git fsck --full --strict 2>"$tmp/fsck" || fail "git fsck: $(cat "$tmp/fsck")"
[[ -z $(git status --porcelain) ]] || fail "a fresh clone is not clean"
for n in 1 2 3 4 5; do
    echo "$n" >"file$n"
    git add -A && git commit -qm "file $n" || fail "git commit"
    git mv "file$n" "moved$n" && git commit -qm "move $n" || fail "git mv"
done
git checkout -q -b side HEAD~4 && echo x >side && git add side && git commit -qm side || fail "git checkout"
git checkout -q - && git merge -q side -m merge || fail "git merge"
git gc -q --prune=now || fail "git gc"
git fsck --full --strict 2>"$tmp/fsck" || fail "git fsck after gc: $(cat "$tmp/fsck")"
[[ -z $(git status --porcelain) ]] || fail "not clean after the merge"

mkdir "$mnt/project" && cd "$mnt/project" || fail "mkdir"
# shellcheck disable=SC2016  # $(...) is make's
{
    printf 'objects = main.o'
    printf ' part%s.o' {1..40}
    printf '\nprogram: main.o libparts.a\n\t$(CC) -o $@ $^\nlibparts.a: $(filter part%%,$(objects))\n\t$(AR) rcs $@ $^\n'
    printf '%%.o: %%.c parts.h\n\t$(CC) -c -O1 -o $@ $<\n'
} >Makefile
for n in {1..40}; do
    echo "int part$n(int x);" >>parts.h
    printf '#include "parts.h"\n#include <stdio.h>\nint part%s(int x) { return x + %s; }\n' "$n" "$n" >"part$n.c"
done
{
    printf '#include "parts.h"\n#include <stdio.h>\nint main(void) { int x = 0;\n'
    printf 'x = part%s(x);\n' {1..40}
    printf 'printf("%%d\\n", x); return 0; }\n'
} >main.c
make -s -j2 || fail "make"
[[ $(./program) = 820 ]] || fail "the program built on the mount answers $(./program)"
[[ $(make -j2) = *"is up to date"* ]] || fail "make builds again what it has built: times are wrong"
sleep 0.02
touch part7.c
[[ $(make | grep -c -- '-c -O1') = 1 ]] || fail "touching one file does not build just that one"
[[ $(./program) = 820 ]] || fail "the program built again answers $(./program)"
cp -a "$mnt/project" "$tmp/copy" && diff -r "$mnt/project" "$tmp/copy" || fail "cp -a and diff"
cd "$scratch" && rm -rf "$mnt/project" "$mnt/clone" || fail "rm -rf"
[[ -z $(ls -A "$mnt") ]] || fail "left after rm -rf: $(ls -A "$mnt")"
stop_mount
passed "git clone, fsck, commits, merge, gc; make of 41 files; removed again"
