#!/usr/bin/env bash
# usage: webdav_kde.sh ISTHMUS
# KDE's client of WebDAV (kio), as Dolphin and every KDE program uses it, driven by kioclient5.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/webdav_lib.sh"
need kioclient5 kde-cli-tools
need dbus-run-session dbus-daemon

# kio ARG...: in a session without a screen, where nothing can be asked.
kio() {
    env HOME="$tmp/home" XDG_RUNTIME_DIR="$tmp/home" QT_QPA_PLATFORM=offscreen timeout -k 5 100 \
        dbus-run-session -- kioclient5 --noninteractive "$@" >"$tmp/kio.txt" 2>"$tmp/kio.err" </dev/null ||
        { cat "$tmp/kio.txt" "$tmp/kio.err"; fail "kioclient5 $*"; }
}

work() {
    local dav=webdav${url#http}
    kio copy "$tmp/local" "$dav"
    diff -r "$tmp/local" "$src/local" || fail "kio: the tree that was copied is another"
    kio ls "${dav}local"
    [[ $(grep -vx '[.]*' "$tmp/kio.txt" | LC_ALL=C sort) = "$(printf '%s\n' 'a name with spaces & ümläut' deep large)" ]] || { cat "$tmp/kio.txt"; fail "kio ls"; }
    kio cat "${dav}local/deep/er/small"
    [[ $(cat "$tmp/kio.txt") = small ]] || fail "kio cat"
    echo changed >"$tmp/small"
    kio --overwrite copy "$tmp/small" "${dav}local/deep/er/small"
    [[ $(cat "$src/local/deep/er/small") = changed ]] || fail "kio: not overwritten"
    kio move "${dav}local/large" "${dav}moved"
    cmp "$tmp/local/large" "$src/moved" || fail "kio move"
    kio copy "${dav}moved" "${dav}again"
    cmp "$src/moved" "$src/again" || fail "kio copy inside the server"
    mkdir "$tmp/back"
    kio copy "${dav}local" "$tmp/back"
    diff -r "$src/local" "$tmp/back/local" || fail "kio: what came back is another tree"
    kio remove "${dav}local"
    [[ ! -e $src/local ]] || fail "kio remove"
}

mkdir -p "$tmp/home" "$tmp/local/deep/er"
chmod 700 "$tmp/home"
head -c 3000000 /dev/urandom >"$tmp/local/large"
echo umlaut >"$tmp/local/a name with spaces & ümläut"
echo small >"$tmp/local/deep/er/small"
serve "dir:$src" --webdav
work
stop
