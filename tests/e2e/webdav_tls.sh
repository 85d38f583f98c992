#!/usr/bin/env bash
# usage: webdav_tls.sh ISTHMUS
# `isthmus serve --webdav --tls CERT,KEY`: HTTPS before curl and rclone; old versions, garbage, silence and slow handshakes are refused, and
# keep nobody else out.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
. "$top/tests/e2e/webdav_lib.sh"
need openssl openssl

curl_options=(--cacert "$tmp/cert.pem")

cd "$tmp" || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' 2>openssl.log || fail "no certificate: $(cat openssl.log)"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem 2>>openssl.log
expect 2 "two files" serve mem: --webdav --tls "$tmp/cert.pem"
expect 2 "cannot use the certificate" serve mem: --webdav --tls "$tmp/none,$tmp/key.pem"
expect 2 "cannot use the key" serve mem: --webdav --tls "$tmp/cert.pem,$tmp/other.pem"

head -c 30000000 /dev/urandom >large
for source in "$src" mem:; do
    serve "$source" --webdav --tls "$tmp/cert.pem,$tmp/key.pem"
    port=$(cut -d: -f3 <<<"$url" | cut -d/ -f1)
    [[ $url = https://127.0.0.1:* ]] || fail "the URL is $url"
    grep -q "gio mount davs://127.0.0.1:$port/" out || fail "the command for gio: $(cat out)"
    # Several turns of a connection, from a file and from memory; in chunks; ranges; on one connection.
    code 201 -T large "${url}large"
    code 200 "${url}large"
    cmp -s large body || fail "$source: not what was put"
    code 206 -r 1000000-19999999 "${url}large"
    cmp -s <(tail -c +1000001 large | head -c 19000000) body || fail "$source: not the range"
    code 201 -H 'Transfer-Encoding: chunked' -T large "${url}chunked"
    code 200 "${url}chunked"
    cmp -s large body || fail "$source: not what was put in chunks"
    curl -s --cacert cert.pem -o a1 "${url}large" -o a2 "${url}chunked" || fail "two on one connection"
    cmp -s large a2 || fail "the second on one connection"
    code 201 -X MOVE -H "Destination: ${url}moved" "${url}large"
    code 207 -X PROPFIND -H 'Depth: 1' "$url"
    grep -q moved body || fail "not listed"
    # A client that takes its time.
    curl -s --cacert cert.pem --limit-rate 20M -o slow "${url}moved" || fail "a slow client"
    cmp -s large slow || fail "a slow client got something else"
    code 200 --tlsv1.2 --tls-max 1.2 "${url}moved"
    code 200 --tlsv1.3 "${url}moved"
    [[ $source = mem: ]] || { kill "$server"; wait "$server"; server=; }
done
if command -v rclone >/dev/null; then
    mkdir tree
    for i in {1..10}; do echo "file $i" >"tree/f$i"; done
    : >rclone.conf
    export RCLONE_CONFIG=$tmp/rclone.conf RCLONE_WEBDAV_URL=$url RCLONE_WEBDAV_VENDOR=owncloud
    rclone --ca-cert cert.pem copy tree :webdav:tree >rclone.txt 2>&1 || fail "rclone copy: $(cat rclone.txt)"
    rclone --ca-cert cert.pem check --download tree :webdav:tree >rclone.txt 2>&1 || fail "rclone check: $(cat rclone.txt)"
fi

# What is refused.
[[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/") = 000 ]] || fail "plain HTTP is answered"
OPENSSL_CONF=/dev/null openssl s_client -connect "127.0.0.1:$port" -tls1_1 -cipher 'ALL:@SECLEVEL=0' </dev/null >old.txt 2>&1
grep -q 'Cipher is (NONE)\|no protocols available\|alert' old.txt || fail "TLS 1.1 is spoken: $(cat old.txt)"
(echo R; sleep 1) | openssl s_client -connect "127.0.0.1:$port" -tls1_2 -quiet -no_ign_eof >again.txt 2>&1
grep -qi 'renegotiation\|alert' again.txt || fail "renegotiation: $(cat again.txt)"
python3 - "$port" "$url" <<'END' || fail "hostile peers"
import os, socket, ssl, sys, time, urllib.request
port, url = int(sys.argv[1]), sys.argv[2]
def connect():
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(30)
    return s
def ended(s):
    """Seconds until the server ends the connection."""
    begun = time.monotonic()
    try:
        while s.recv(4096):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
    return time.monotonic() - begun
def get():
    context = ssl.create_default_context(cafile="cert.pem")
    assert urllib.request.urlopen(url + "tree/f1", context=context, timeout=5).read() in (b"file 1\n",)
# Garbage, and records that lie about their length.
for what in (os.urandom(1000), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + os.urandom(70000), b"\x16\x03\x01\x00\x00" * 1000,
             b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02" + bytes(50)):
    s = connect()
    try:
        s.sendall(what)
    except (ConnectionResetError, BrokenPipeError):
        continue
    took = ended(s)
    assert took < 13, (what[:10], took)
# A message of the handshake that is told to be 16 MiB long and comes record by record.
s = connect()
sent = 0
try:
    s.sendall(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x4000 - 4))
    while sent < 1 << 20:
        s.sendall(b"\x16\x03\x03\x40\x00" + bytes(0x4000))
        sent += 0x4000
    assert ended(s) < 5
except (ConnectionResetError, BrokenPipeError):
    pass
# Hundreds that say nothing, and some that say a byte now and then: all end after ten seconds, and nobody is kept out meanwhile.
silent = [connect() for _ in range(300)]
slow = [connect() for _ in range(20)]
begun = time.monotonic()
hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
alive = list(slow)
for i in range(60):
    for s in list(alive):
        try:
            s.sendall(hello[i:i + 1])
        except (ConnectionResetError, BrokenPipeError):
            alive.remove(s)
    if i % 20 == 0 and os.path.exists("tree"):
        get()
    if not alive:
        break
    time.sleep(0.25)
assert not alive, "slow handshakes live for %.1f s" % (time.monotonic() - begun)
for s in silent:
    ended(s)
assert time.monotonic() - begun < 16, time.monotonic() - begun
END
code 200 "${url}moved"
! grep -qE 'Sanitizer|runtime error:' server.log || fail "a sanitizer complained"
kill "$server"
status=0
wait "$server" || status=$?
server=
[[ $status = 0 ]] || fail "the server's exit status is $status"
passed "WebDAV under TLS"
