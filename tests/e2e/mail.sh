#!/usr/bin/env bash
# usage: mail.sh ISTHMUS
# shellcheck disable=SC2010,SC2012,SC2016  # names of messages, and flags of IMAP
# Mail as files: a Maildir and an mbox of Python's making, and a real Dovecot, which is started from a configuration of the test's own.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
need python3 python3
export PYTHONDONTWRITEBYTECODE=1
make_mail() { python3 "$top/tests/e2e/mail_make.py" "$@" || fail "mail_make.py $*"; }
mount_it() {
    timeout 60 "$isthmus" mount "$@" "$mnt" >"$tmp/server.log" 2>&1 </dev/null || fail "mount $*: status $?"
    mountpoint -q "$mnt" || fail "$*: not mounted"
}
unmount_it() {
    expect 0 "" unmount "$mnt"
    within 150 no_servers || fail "$1: a server is left"
}
deliver() { make_mail one "$2" >"$1/tmp/$3" && mv "$1/tmp/$3" "$1/new/$3"; }
# The messages' names, on one line.
numbers() { (cd "$1" && printf '%s\n' [0-9]* | tr '\n' ' '); }
shows() { [[ $(ls "$1" | tr '\n' ' ') = "$2 " ]]; }
is_file() { [[ -e $1 ]]; }
holds() { grep -q "$1" "$2" 2>/dev/null; }

# What every source of these messages shows. $1: for messages of failures.
as_files() {
    local m
    [[ $(cat "$mnt"/*/Subject | head -n 3) = $'Über uns\nGrüße mit Anhängen\nverschachtelt' ]] || fail "$1: cat */Subject: $(cat "$mnt"/*/Subject)"
    [[ $(cat "$mnt"/*/Subject | sed -n 4p) = "(none)" ]] || fail "$1: a message without a subject"
    [[ $(cat "$mnt/001/From") = "Jörg Müller <joerg@example.org>" ]] || fail "$1: From"
    [[ $(cat "$mnt/001/body") = "Hallo Wörld" ]] || fail "$1: body: $(cat "$mnt/001/body")"
    shows "$mnt/002/attachments" "message.eml message.html notes.txt rück blick.pdf" || fail "$1: attachments: $(ls "$mnt/002/attachments")"
    [[ $(tr -d '\r' <"$mnt/002/attachments/notes.txt") = "zweiter Text €" ]] || fail "$1: a text that is attached"
    [[ $(stat -c %s "$mnt/002/attachments/rück blick.pdf") = 25600 ]] || fail "$1: the size of an attachment"
    python3 -c 'import sys; sys.exit(open(sys.argv[1], "rb").read() != bytes(range(256)) * 100)' "$mnt/002/attachments/rück blick.pdf" ||
        fail "$1: an attachment is not what was sent"
    grep -q '^Subject: weitergeleitet' "$mnt/002/attachments/message.eml" || fail "$1: a message in a message"
    [[ $(cat "$mnt/003/body") = *innen* ]] || fail "$1: text of nested parts: $(cat "$mnt/003/body")"
    [[ $(cat "$mnt/007/Received") = $'a\nb' ]] || fail "$1: a header that comes twice"
    iconv -f utf-8 -t utf-8 "$mnt/007/body" >/dev/null || fail "$1: a body that is no UTF-8"
    for m in "$mnt"/0*; do
        find "$m" -type f -exec cat {} + >/dev/null || fail "$1: $m cannot be read"
        [[ -z $(find "$m" -name '.*' -o -name '*[[:cntrl:]]*') ]] || fail "$1: names in $m"
    done
    # Sizes are what is read.
    find "$mnt/001" "$mnt/002" -type f -not -path '*/flags/*' -printf '%s %p\n' | while read -r size path; do
        [[ $(wc -c <"$path") = "$size" ]] || fail "$1: $path has not $size bytes"
    done || exit 1
}

# ---- Maildir ----
box=$src/Maildir
make_mail maildir "$box" 3
mount_it "mail:$box"
[[ $(numbers "$mnt") = "001 002 003 004 005 006 007 008 009 010 011 " ]] || fail "Maildir: ls: $(ls "$mnt")"
as_files Maildir
original=$(grep -l "^Message-ID: $(sed 's/[<>]/./g' "$mnt/001/Message-ID")" "$box"/new/*)
cmp "$mnt/001/raw" "$original" || fail "Maildir: raw"
[[ $(grep -l 0 "$mnt"/*/flags/seen | wc -l) = 11 ]] || fail "Maildir: flags of new messages"
echo 1 >"$mnt/001/flags/seen" || fail "Maildir: seen"
is_file "$box/cur/${original##*/}:2,S" || fail "Maildir: seen is not in the name: $(ls "$box/cur")"
echo +flagged >"$mnt/001/flags/list" && [[ $(cat "$mnt/001/flags/list") = "seen flagged" ]] || fail "Maildir: the list of flags"
[[ $(cat "$mnt/001/flags/flagged") = 1 ]] || fail "Maildir: one flag after the list was written"
! { echo nonsense >"$mnt/001/flags/list"; } 2>/dev/null || fail "Maildir: nonsense was taken for a flag"
! { echo x >"$mnt/001/Subject"; } 2>/dev/null && ! mkdir "$mnt/dir" 2>/dev/null && ! touch "$mnt/file" 2>/dev/null && ! mv "$mnt/001" "$mnt/x" 2>/dev/null ||
    fail "Maildir: something was made or changed"
deliver "$box" "später" 9999999999.new.host
within 100 is_file "$mnt/012/Subject" || fail "Maildir: new mail is not shown"
[[ $(cat "$mnt/012/Subject") = später ]] || fail "Maildir: new mail"
mv "$box/cur/${original##*/}:2,FS" "$box/cur/${original##*/}:2,"
within 100 grep -q 0 "$mnt/001/flags/seen" || fail "Maildir: another program's flag"
rm "$mnt/005/Subject" && is_file "$box/new" && [[ $(ls "$box/new" "$box/cur" | grep -c host) -ge 1 ]] || fail "Maildir: rm of a header"
before=$(find "$box/new" "$box/cur" -type f | wc -l)
rm -r "$mnt/002" || fail "Maildir: rm -r"
rmdir "$mnt/003" || fail "Maildir: rmdir"
[[ $(find "$box/new" "$box/cur" -type f | wc -l) = $((before - 2)) && $(find "$box/.Trash/cur" -type f | wc -l) = 2 ]] || fail "Maildir: Trash"
[[ $(numbers "$mnt") = "001 004 005 006 007 008 009 010 011 012 " ]] || fail "Maildir: after removing: $(ls "$mnt")"
shows "$mnt/Trash" "001 002" || fail "Maildir: Trash shows $(ls "$mnt/Trash")"
rm -r "$mnt/Trash/001" && [[ $(find "$box/.Trash/cur" -type f | wc -l) = 1 ]] || fail "Maildir: out of Trash"
unmount_it Maildir

# Killed while it moves and marks: each message is there once, whole.
box=$src/killed
make_mail maildir "$box" 300
find "$box" -type f -exec sha256sum {} + | cut -d' ' -f1 | sort >"$tmp/before"
mount_it "mail:$box"
(cd "$mnt" && for m in [0-9]*; do echo 1 >"$m/flags/seen"; rmdir "$m"; done) 2>/dev/null &
worker=$!
within 100 is_file "$box/.Trash/cur" && sleep 0.1
kill -KILL "$(server_pid)"
wait "$worker"
umount -l "$mnt" 2>/dev/null
within 150 no_servers || fail "killed: a server is left"
find "$box" -type f -not -name maildirfolder -exec sha256sum {} + | cut -d' ' -f1 | sort >"$tmp/after"
cmp "$tmp/before" "$tmp/after" || fail "killed: messages are lost, or doubled"

# ---- mbox ----
make_mail mbox "$src/box" 3
mount_it "mail:$src/box"
as_files mbox
python3 - "$src/box" "$mnt" <<'PYTHON' || fail "mbox: raw is not what Python reads"
import mailbox, sys
box = mailbox.mbox(sys.argv[1], create=False)
for key in box.keys():
    raw = open(f"{sys.argv[2]}/{key + 1:03}/raw", "rb").read()
    want = box.get_bytes(key)
    if raw.rstrip(b"\n") != want.rstrip(b"\n"):
        sys.exit(f"{key + 1}: {raw[:300]!r}\n{want[:300]!r}")
PYTHON
[[ $(cat "$mnt/008/body") = $'From the beginning of a line\n>From a quoted one' || $(cat "$mnt/008/body") = $'From the beginning of a line\nFrom a quoted one' ]] ||
    fail "mbox: quoted lines: $(cat "$mnt/008/body")"
! rmdir "$mnt/001" 2>"$tmp/error" && grep -q Read-only "$tmp/error" || fail "mbox: not read-only"
make_mail mbox "$src/box" 0
within 100 is_file "$mnt/012" || fail "mbox: new mail is not shown"
unmount_it mbox

# ---- other doors, and as a program of userfs ----
box=$src/Maildir
mount_it "userfs:$isthmus serve mail:$box --userfs -"
[[ $(cat "$mnt/001/Subject") = "Über uns" ]] || fail "userfs: Subject"
echo 1 >"$mnt/004/flags/answered" && ls "$box/cur" | grep -q ':2,R$' || fail "userfs: a flag"
deliver "$box" "über userfs" 9999999999.userfs.host
within 100 holds "über userfs" "$mnt/001/Subject" || within 100 grep -qs "über userfs" "$mnt"/*/Subject || fail "userfs: new mail"
unmount_it userfs
printf '1\n' >"$tmp/one"
if command -v curl >/dev/null; then
    . "$top/tests/e2e/webdav_lib.sh"
    serve "mail:$box" --webdav
    code 207 -X PROPFIND -H 'Depth: 1' "$url"
    grep -q '/001/' "$tmp/body" || fail "WebDAV: no 001"
    code 200 "${url}001/Subject"
    [[ $(cat "$tmp/body") = "Über uns" ]] || fail "WebDAV: Subject"
    code 200 "${url}001/Message-ID"
    id=$(cat "$tmp/body")
    code 204 -T "$tmp/one" "${url}001/flags/flagged"
    code 200 "${url}001/flags/list"
    grep -q flagged "$tmp/body" && ls "$box/cur" | grep -q ':2,F' || fail "WebDAV: a flag"
    echo nonsense >"$tmp/two"
    [[ $(curl -s -o "$tmp/body" -w '%{http_code}' -T "$tmp/two" "${url}001/flags/list") = 4* ]] || fail "WebDAV: nonsense was taken for a flag"
    left=$(find "$box/new" "$box/cur" -type f | wc -l)
    code 204 -X DELETE "${url}001/"
    code 404 "${url}001/Subject"
    [[ $(find "$box/new" "$box/cur" -type f | wc -l) = $((left - 1)) ]] || fail "WebDAV: DELETE"
    grep -rqF "$id" "$box/.Trash/cur" || fail "WebDAV: DELETE does not move to Trash"
    stop
else
    echo "SKIP: WebDAV: no curl here (Debian package curl)"
fi

if command -v smbclient >/dev/null; then
    # shellcheck source=/dev/null
    . "$top/tests/e2e/smb_lib.sh"
    box=$src/by_smb
    make_mail maildir "$box" 1
    serve "mail:$box" --smb
    does "get 002/subject $tmp/got"
    [[ $(cat "$tmp/got") = "Grüße mit Anhängen" ]] || fail "SMB: Subject: $(cat "$tmp/got")"
    does "put $tmp/one 002/flags/seen" && ls "$box/cur" | grep -q ':2,S$' || fail "SMB: a flag: $(ls "$box/cur")"
    does "deltree 002" && [[ $(find "$box/.Trash/cur" -name '*:2,S' | wc -l) = 1 ]] || fail "SMB: deltree: $out"
    does "ls" && [[ $out = *Trash* && $out != *"  002 "* ]] || fail "SMB: after deltree: $out"
    stop
    box=$src/Maildir
else
    echo "SKIP: SMB: no smbclient here (Debian package smbclient)"
fi

# ---- what cannot be mounted ----
expect 5 "is no mbox" mount "mail:$top/README.md" "$mnt"
expect 5 "is no Maildir" mount "mail:$top/docs" "$mnt"
expect 5 "No such file" mount "mail:$src/none" "$mnt"
expect 2 "names no mail" mount mail: "$mnt"
for options in "" "?unknown=1"; do
    expect 2 "password in the address" mount "mail:imap://me:hunter2@localhost/$options" "$mnt"
    [[ $out != *hunter2* ]] || fail "a password was told: $out"
done

# ---- Dovecot ----
dovecot=$(command -v dovecot || echo /usr/sbin/dovecot)
[[ -x $dovecot ]] || { echo "SKIP: IMAP: no dovecot here (Debian package dovecot-imapd)"; passed "mail without IMAP"; exit 0; }
need openssl openssl
home=$tmp/dovecot
mkdir -p "$home/state"
chmod 755 "$tmp" "$home"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$home/key.pem" -out "$home/cert.pem" -days 3 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null || fail "openssl"
read -r port tls_port < <(python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
echo 'me:{PLAIN}a secret "word"' >"$home/users"
cat >"$home/dovecot.conf" <<CONF
base_dir = $home/run
state_dir = $home/state
log_path = $home/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <$home/cert.pem
ssl_key = <$home/key.pem
disable_plaintext_auth = yes
first_valid_uid = 1
mail_location = maildir:$home/mail
service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = $tls_port
    ssl = yes
  }
}
passdb {
  driver = passwd-file
  args = $home/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$home/mail
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Papierkorb {
    auto = subscribe
    special_use = \Trash
  }
}
CONF
box=$home/mail
make_mail maildir "$box" 1000
mkdir -p "$box/.Archiv.2024"/{new,cur,tmp}
deliver "$box/.Archiv.2024" alt 1000.alt.host
chown -R nobody:nogroup "$box"
start_dovecot() {
    "$dovecot" -F -c "$home/dovecot.conf" >"$home/out" 2>&1 &
    imapd=$!
    within 300 python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' "$tls_port" 2>/dev/null ||
        { echo "SKIP: IMAP: Dovecot does not start: $(tail -n 3 "$home/out" "$home/log")"; passed "mail without IMAP"; exit 0; }
}
start_dovecot
echo 'a secret "word"' >"$home/password" && chmod 600 "$home/password"
options=(-s "password_file=$home/password" -s "cacert=$home/cert.pem")

expect 5 "TLS" mount -s "password_file=$home/password" "mail:imaps://me@localhost:$tls_port/" "$mnt"  # a certificate that nobody knows
echo wrong >"$home/wrong"
expect 5 "does not let me in" mount -s "password_file=$home/wrong" -s "cacert=$home/cert.pem" "mail:imaps://me@localhost:$tls_port/" "$mnt"
[[ $out != *wrong$'\n'* ]] || fail "IMAP: the password was told"

for url in "imaps://me@localhost:$tls_port/" "imap://me@localhost:$port/"; do
    mount_it "${options[@]}" "mail:$url"
    # Two of them have no head that a server would keep in order; Python's messages are those of the Maildir.
    as_files "IMAP ${url%%:*}"
    [[ $(ls "$mnt" | grep -c '^[0-9]') = 1008 ]] || fail "IMAP: ls shows $(ls "$mnt" | wc -l) names"
    [[ $(cat "$mnt"/*/Subject | wc -l) = 1008 ]] || fail "IMAP: cat */Subject"
    [[ $(cat "$mnt/Archiv/2024/001/Subject") = alt ]] || fail "IMAP: a folder in a folder"
    ! pgrep -af isthmus | grep -q "a secret" || fail "IMAP: the password is in the list of processes"
    "$isthmus" list | grep -q "mail:imap" && ! "$isthmus" list --json | grep -q "a secret" || fail "IMAP: isthmus list"
    unmount_it "IMAP ${url%%:*}"
done

mount_it "${options[@]}" "mail:imaps://me@localhost:$tls_port/"
python3 - "$mnt" "$tls_port" "$home" <<'PYTHON' || fail "IMAP: raw is not what the server has"
import imaplib, ssl, sys
c = imaplib.IMAP4_SSL("localhost", int(sys.argv[2]), ssl_context=ssl.create_default_context(cafile=sys.argv[3] + "/cert.pem"))
c.login("me", 'a secret "word"')
c.select(readonly=True)
for n in range(1, 13):
    want = c.fetch(str(n), "(BODY.PEEK[])")[1][0][1]
    raw = open(f"{sys.argv[1]}/{n:03}/raw", "rb").read()
    assert raw == want, (n, raw[:200], want[:200])
PYTHON
echo 1 >"$mnt/001/flags/seen" && echo "+flagged +forwarded" >"$mnt/001/flags/list" || fail "IMAP: flags"
flags_of() { python3 -c '
import imaplib, ssl, sys
c = imaplib.IMAP4_SSL("localhost", int(sys.argv[1]), ssl_context=ssl.create_default_context(cafile=sys.argv[2]))
c.login("me", "a secret \"word\"")
c.select(sys.argv[3], readonly=True)
print(c.fetch("1", "(FLAGS)")[1][0].decode())' "$tls_port" "$home/cert.pem" INBOX; }
[[ $(flags_of) = *'\Flagged'* && $(flags_of) = *'\Seen'* && $(flags_of) = *'$Forwarded'* ]] || fail "IMAP: the server has the flags $(flags_of)"
[[ $(cat "$mnt/001/flags/list") = "seen flagged forwarded" ]] || fail "IMAP: list: $(cat "$mnt/001/flags/list")"
deliver "$box" "per IMAP" 9999999999.imap.host
chown nobody:nogroup "$box/new/9999999999.imap.host"
within 600 is_file "$mnt/1009/Subject" || fail "IMAP: new mail is not shown"
[[ $(cat "$mnt/1009/Subject") = "per IMAP" ]] || fail "IMAP: new mail"
rmdir "$mnt/002" && rm -r "$mnt/003" || fail "IMAP: removing"
shows "$mnt/Papierkorb" "001 002" || fail "IMAP: Trash shows $(ls "$mnt/Papierkorb")"
[[ $(cat "$mnt/Papierkorb/001/Subject") = "Grüße mit Anhängen" ]] || fail "IMAP: what was moved"
rmdir "$mnt/Papierkorb/001" && shows "$mnt/Papierkorb" 002 || fail "IMAP: out of Trash"
[[ $(find "$box/.Papierkorb" -path '*/cur/*' -o -path '*/new/*' | wc -l) = 1 ]] || fail "IMAP: the server's Trash"

# The server goes away, and comes back.
[[ $(cat "$mnt/001/Subject") = "Über uns" ]] || fail "IMAP: Subject"
kill "$imapd" && wait "$imapd" 2>/dev/null
# Its processes go one after the other.
n=500 error=
goes_down() {
    n=$((n + 1))
    error=$(cat "$mnt/$n/raw" 2>&1 >/dev/null)
    [[ -n $error ]]
}
within 200 goes_down || fail "IMAP: still served without a server"
[[ $error = *"Host is down"* || $error = *"Input/output error"* ]] || fail "IMAP: without a server: '$error'"
[[ $(cat "$mnt/001/Subject") = "Über uns" ]] || fail "IMAP: what is known is not shown without a server"
start_dovecot
reads() { cat "$mnt/$n/raw" >/dev/null 2>&1; }
within 900 reads || fail "IMAP: not connected again"
# Another identity of the folder: no number becomes another message's.
[[ $(cat "$mnt/1009/Subject") = "per IMAP" ]] || fail "IMAP: after the server came back"
kill "$imapd" && wait "$imapd" 2>/dev/null
rm -f "$box"/dovecot* && find "$box/new" "$box/cur" -type f -delete
deliver "$box" "nach dem Umbau" 1000.later.host
chown -R nobody:nogroup "$box"
start_dovecot
rebuilt() { [[ $(numbers "$mnt" 2>/dev/null) = "1010 " ]]; }
within 900 rebuilt || fail "IMAP: after a new UIDVALIDITY: $(ls "$mnt")"
[[ $(cat "$mnt/1010/Subject") = "nach dem Umbau" && ! -e $mnt/001 ]] || fail "IMAP: another message has an old number"
unmount_it IMAP
kill "$imapd" && wait "$imapd" 2>/dev/null
passed "Maildir, mbox, IMAP; userfs, WebDAV and SMB"
