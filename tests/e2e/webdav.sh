#!/usr/bin/env bash
# usage: webdav.sh ISTHMUS
# The WebDAV door before clients that we did not write: litmus, cadaver, rclone, davfs2, curl; beside the kernel's FUSE door on the
# same files; and what must not come in.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/webdav_lib.sh"

make_tree() {
    mkdir -p "$src/deep/er"
    head -c 3000000 /dev/urandom >"$src/big"
    echo hello >"$src/deep/er/name with spaces"
    ln -s deep/er "$src/link"
    ln -s /etc/passwd "$src/out"
    ln -s nowhere "$src/broken"
}

litmus_whole() {
    has litmus litmus || return 0
    (cd "$tmp" && litmus -k "$url" >"$tmp/litmus.txt" 2>&1)
    local suite
    for suite in basic:16 copymove:13 props:30 locks:41 http:4; do
        grep -q "summary for .${suite%:*}': of ${suite#*:} tests run: ${suite#*:} passed, 0 failed" "$tmp/litmus.txt" ||
            { cat "$tmp/litmus.txt"; fail "litmus ${suite%:*} on $1"; }
    done
    ! grep -q WARNING "$tmp/litmus.txt" || { grep WARNING "$tmp/litmus.txt"; fail "litmus on $1 warns"; }
}

clients() {
    if has cadaver cadaver; then
        echo "from cadaver" >"$tmp/c.txt"
        printf '%s\n' "mkcol cd" "cd cd" "put $tmp/c.txt c.txt" "copy c.txt d.txt" "move d.txt e.txt" "lock e.txt" "unlock e.txt" \
            "propset e.txt colour blue" "propget e.txt colour" "get e.txt $tmp/e.txt" "ls" "delete c.txt" "cd .." "rmcol cd" "quit" |
            cadaver "$url" >"$tmp/cadaver.txt" 2>&1
        cmp -s "$tmp/c.txt" "$tmp/e.txt" || { cat "$tmp/cadaver.txt"; fail "cadaver: not what was put"; }
        ! grep -q failed "$tmp/cadaver.txt" || { cat "$tmp/cadaver.txt"; fail "cadaver"; }
        grep -q blue "$tmp/cadaver.txt" || fail "cadaver: a property did not come back"
    fi
    if has rclone rclone; then
        mkdir -p "$tmp/tree"
        for i in {1..40}; do echo "file $i" >"$tmp/tree/f$i"; done
        head -c 5000000 /dev/urandom >"$tmp/tree/large"
        touch -d '2001-02-03 04:05:06' "$tmp/tree/f1"
        : >"$tmp/rclone.conf"
        export RCLONE_CONFIG=$tmp/rclone.conf RCLONE_WEBDAV_URL=$url RCLONE_WEBDAV_VENDOR=owncloud
        rclone copy "$tmp/tree" :webdav:tree >"$tmp/rclone.txt" 2>&1 || { cat "$tmp/rclone.txt"; fail "rclone copy"; }
        rclone check --download "$tmp/tree" :webdav:tree >"$tmp/rclone.txt" 2>&1 || { cat "$tmp/rclone.txt"; fail "rclone check"; }
        rclone lsl :webdav:tree >"$tmp/rclone.txt"
        grep -q '2001-02-03 04:05:06.* f1$' "$tmp/rclone.txt" || fail "rclone: a time did not come through"
        rclone purge :webdav:tree || fail "rclone purge"
    fi
}

davfs() {
    has mount.davfs davfs2 || return 0
    printf 'use_locks 1\nask_auth 0\ndelay_upload 0\nbuf_size 1100\n' >"$tmp/davfs2.conf"
    timeout 60 mount.davfs -o "conf=$tmp/davfs2.conf" "$url" "$mnt" >"$tmp/davfs.log" 2>&1 || { cat "$tmp/davfs.log"; fail "mount.davfs"; }
    (
        set -e
        cd "$mnt"
        mkdir dt
        head -c 3000000 /dev/urandom >"$tmp/random"
        cp "$tmp/random" dt/a
        cmp "$tmp/random" dt/a
        echo tail >>dt/a
        [[ $(tail -c5 dt/a) = tail ]]
        printf XYZ | dd of=dt/a bs=1 seek=10 conv=notrunc status=none
        [[ $(dd if=dt/a bs=1 skip=10 count=3 status=none) = XYZ ]]
        mv dt/a dt/b
        echo 1 >dt/x
        echo 2 >dt/y
        sync
        mv -f dt/x dt/y
        [[ $(cat dt/y) = 1 ]]
        mkdir dt/m
        for i in {1..100}; do echo "$i" >"dt/m/f$i"; done
        sync
        [[ $(find dt/m -type f | wc -l) = 100 ]]
        touch "dt/a b&c%41#é?x"
        [[ $(df --output=size . | tail -n 1) -gt 0 ]]
    ) || fail "davfs2"
    timeout 60 umount "$mnt" || fail "davfs2 does not unmount"
    code 200 "${url}dt/b"
    [[ $(dd if="$tmp/body" bs=1 skip=10 count=3 status=none) = XYZ ]] || fail "davfs2: not what was written"
    code 200 "${url}dt/a%20b%26c%2541%23%C3%A9%3Fx"
    code 204 -X DELETE "${url}dt"
}

refused() {
    local base
    base=$(cut -d/ -f1-3 <<<"$url")
    code 404 "$base/"
    code 404 "$base/wrong/"
    code 421 -H 'Host: evil.example' "$url"
    code 421 -H "Host: 127.0.0.1.evil.example:${base##*:}" "$url"
    code 403 -H 'Origin: http://evil.example' "$url"
    code 403 -H 'Origin: http://evil.example' -T /etc/hostname "${url}evil"
    code 403 -H 'Sec-Fetch-Site: cross-site' "$url"
    code 403 -X OPTIONS -H 'Access-Control-Request-Method: PUT' "$url"
    local path
    for path in ../ %2e%2e/ .%2e/etc/passwd a%2fb a%2F..%2F..%2Fetc a%5cb %00 %c0%ae%c0%ae/ %e0%80%ae x%0d%0aSet-Cookie:a; do code 400 "$url$path"; done
    code 405 -X TRACE "$url"
    code 405 -X POST "$url"
    code 403 -X PROPFIND "$url"
    code 403 -X PROPFIND -H 'Depth: infinity' "$url"
    code 400 -X PROPFIND -H 'Depth: 1' -d '<!DOCTYPE a [<!ENTITY b "c">]><propfind xmlns="DAV:"><allprop/></propfind>' "$url"
    code 413 -X PROPFIND -H 'Depth: 0' --data-binary @<(head -c 2000000 /dev/zero | tr '\0' ' ') "$url"
    [[ $(curl -s -D - -o /dev/null "$url") != *Access-Control* ]] || fail "CORS headers"
    [[ ! -e $src/evil ]] || fail "a page of another site made a file"
    # Other users of the machine.
    local other='setpriv --reuid=65534 --regid=65534 --clear-groups curl -s -o /dev/null -w %{http_code}'
    [[ $($other "$url") = 000 ]] || fail "another user came in"
    ! grep -q "$(cut -d/ -f4 <<<"$url")" "$tmp/server.log" || fail "the secret is in the log"
    [[ $("$isthmus" list --json) != *$(cut -d/ -f4 <<<"$url")* ]] || fail "the secret is in the list"
}

# Each door sees at once what came through the other, whatever the kernel holds of it.
two_doors() {
    mountpoint -q "$mnt" || fail "not mounted"
    local i
    for i in {1..30}; do
        echo "by dav $i" >"$tmp/new"
        curl -s -o /dev/null -T "$tmp/new" "${url}f"
        [[ $(cat "$mnt/f") = "by dav $i" ]] || fail "the mount shows old content in round $i: $(cat "$mnt/f")"
        echo "by the mount, round $i" >"$mnt/f"
        code 200 "${url}f"
        [[ $(cat "$tmp/body") = "by the mount, round $i" ]] || fail "WebDAV shows old content in round $i: $(cat "$tmp/body")"
        code 201 -X MOVE -H "Destination: ${url}g" "${url}f"
        [[ -e $mnt/g && ! -e $mnt/f ]] || fail "the mount does not see a rename"
        mv "$mnt/g" "$mnt/h"
        code 404 "${url}g"
        code 200 "${url}h"
        rm "$mnt/h"
        code 404 "${url}h"
        mkdir "$mnt/d"
        code 201 -T "$tmp/new" "${url}d/x"
        [[ $(ls "$mnt/d") = x ]] || fail "the mount does not list a new file"
        code 204 -X DELETE "${url}d"
        [[ ! -e $mnt/d ]] || fail "the mount shows a removed directory"
    done
}

make_tree
head -c 20000000 /dev/urandom >"$tmp/large"
for source in mem: "$src"; do
    serve "$source" --webdav --allow-uid "$(id -un davfs2 2>/dev/null || echo 0)"
    litmus_whole "$source"
    clients
    davfs
    code 201 -T "$tmp/large" "${url}large"
    code 200 "${url}large"
    cmp -s "$tmp/large" "$tmp/body" || fail "$source: not what was put"
    code 206 -r 1000000-1999999 "${url}large"
    cmp -s <(tail -c +1000001 "$tmp/large" | head -c 1000000) "$tmp/body" || fail "$source: not the range"
    code 201 -H 'Transfer-Encoding: chunked' -T "$tmp/large" "${url}chunked"
    code 200 "${url}chunked"
    cmp -s "$tmp/large" "$tmp/body" || fail "$source: not what was put in chunks"
    refused
    stop
done

# Links stay inside of what is served.
serve "$src" --webdav
code 200 "${url}link/name%20with%20spaces"
[[ $(cat "$tmp/body") = hello ]] || fail "a link inside is not followed"
curl -s -o "$tmp/body" "${url}out"
! grep -q root: "$tmp/body" || fail "a link leads out"
code 200 "${url}broken"
# Killed while a file is put: the old one is there.
code 201 -T "$tmp/large" "${url}kept"
(head -c 1000000 /dev/zero; sleep 5) | curl -s -o /dev/null -T - "${url}kept" &
client=$!
within 100 bash -c "ls -A '$src' | grep -q '^.~isthmus-'" || fail "no upload begins"
kill -KILL "$server"
wait "$server" 2>/dev/null
server=
wait "$client" 2>/dev/null
cmp -s "$tmp/large" "$src/kept" || fail "an upload that was killed changed the file"

# An archive: all is read, nothing is changed.
if has zip zip; then
    (cd "$src" && zip -qr "$tmp/a.zip" big deep)
    serve "$tmp/a.zip" --webdav
    code 200 "${url}big"
    cmp -s "$src/big" "$tmp/body" || fail "archive: not what was packed"
    code 403 -T /etc/hostname "${url}new"
    code 403 -X DELETE "${url}big"
    code 207 -X PROPFIND -H 'Depth: 1' "$url"
    stop
fi

# An ordinary user's files that are read-only stay as they are.
read_only_files() {
    rm -rf "${src:?}"/*
    echo mine >"$src/fixed"
    chown -R 65534:65534 "$src"
    chmod 0444 "$src/fixed"
    mkdir -m 0700 "$tmp/run"
    chown 65534:65534 "$tmp/run"
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups env "XDG_RUNTIME_DIR=$tmp/run")
    serve "$src" --webdav --allow-uid root
    code 403 -T /etc/hostname "$url/fixed"
    code 201 -T /etc/hostname "$url/new"
    stop
    as_user=()
    [[ $(cat "$src/fixed") = mine && $(stat -c %a "$src/fixed") = 444 ]] || fail "a read-only file was replaced"
    chown -R 0:0 "$src"
}
read_only_files

for source in mem: "$src"; do
    rm -rf "${src:?}"/*
    serve "$source" --webdav --fuse "$mnt" -o allow_other
    two_doors
    stop
    mountpoint -q "$mnt" && fail "$source: still mounted"
done

serve mem: --webdav
code 201 -T /etc/hostname "$url/counted"
"$isthmus" list --prometheus >"$tmp/figures"
grep -qE '^isthmus_door_requests_total\{.*door="webdav",request="PUT"\} 1$' "$tmp/figures" || fail "list --prometheus: $(cat "$tmp/figures")"
! grep -qF "$(basename "$url")" "$tmp/figures" || fail "list --prometheus tells the secret"
stop

echo pass >"$tmp/password"
serve mem: --webdav --auth digest --user me --password-file "$tmp/password"
code 401 "$url"
code 200 --digest -u me:pass "$url"
code 401 --digest -u me:wrong "$url"
stop
passed "WebDAV"
