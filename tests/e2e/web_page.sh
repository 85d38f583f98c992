#!/usr/bin/env bash
# usage: web_page.sh ISTHMUS SCREENSHOTS
# The page of the WebDAV door in Chromium; what it does is in web_page.py. Pictures are left in the folder SCREENSHOTS.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
need chromium chromium
need chromedriver chromium-driver
python=/usr/bin/python3  # Debian's, which has its modules
$python -c 'import selenium' 2>/dev/null || skip "no selenium here (Debian package python3-selenium)"
screenshots=${2:?}
mkdir -p "$screenshots"

"$isthmus" serve "$src" --webdav >"$tmp/out" 2>"$tmp/server.log" </dev/null &
server=$!
within 300 grep -q '^ *Windows' "$tmp/out" || fail "serve: no URL: $(cat "$tmp/server.log")"
url=$(sed -n 's/^WebDAV at //p' "$tmp/out")
mkdir "$tmp/home" "$tmp/pick"
HOME=$tmp/home timeout 170 $python "$top/tests/e2e/web_page.py" "$url" "$src" "$tmp/pick" "$screenshots" || fail "the page (exit status $?)"
! grep -qE 'Sanitizer|runtime error:' "$tmp/server.log" || fail "a sanitizer complained"
kill "$server"
status=0
wait "$server" || status=$?
server=
is "$status" 0 "the server's exit status"
is "$(find "$src" -name '.~isthmus-*')" "" "files of uploads that were not finished"
passed "web page"
