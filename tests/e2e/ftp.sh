#!/usr/bin/env bash
# usage: ftp.sh ISTHMUS
# FTP servers as file systems: vsftpd and pure-ftpd, each by itself on the loopback, through the kernel, WebDAV and userfs; with TLS;
# killed during an upload.
. "$(dirname "$0")/lib.sh"
begin "$@"
. "$top/tests/e2e/cli_lib.sh"
need openssl openssl
need python3 python3
examples=$top/examples
export HOME=$scratch/home
mkdir -p "$HOME"
ftpd='' ftpd_log=$tmp/ftpd.log

# Their Debian packages conflict with each other, so one at most is installed: others are unpacked, not installed.
# find_server NAME: its program in $program; false: there is none.
find_server() {
    program=$(PATH=$PATH:/usr/sbin command -v "$1") && return 0
    mkdir -p "$tmp/packages" && chmod 777 "$tmp/packages"
    (cd "$tmp/packages" && timeout 60 apt-get download "$1" && dpkg-deb -x "$1"_*.deb .) >"$tmp/apt.log" 2>&1
    program=$tmp/packages/usr/sbin/$1
    [[ -x $program ]] && ! ldd "$program" | grep -q 'not found'
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
listens() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# ---- the servers ----
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>"$tmp/openssl.log" || fail "openssl: $(cat "$tmp/openssl.log")"
cat "$tmp/key.pem" "$tmp/cert.pem" >"$tmp/both.pem"
chmod 600 "$tmp/key.pem" "$tmp/both.pem"
tree=$scratch/tree
mkdir "$tree"
# The users of vsftpd are the system's: one more of them, and a service of PAM, in files over those of /etc that only this test sees.
mkdir "$tmp/pam" "$tmp/etc"
cp /etc/passwd /etc/shadow "$tmp/etc/" && chmod 600 "$tmp/etc/shadow"
printf 'alice:x:4242:4242::%s:/bin/sh\n' "$tree" >>"$tmp/etc/passwd"
printf 'alice:%s:19000:0:99999:7:::\n' "$(openssl passwd -6 sesame)" >>"$tmp/etc/shadow"
printf 'auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n' >"$tmp/pam/isthmus"
mount --bind "$tmp/etc/passwd" /etc/passwd && mount --bind "$tmp/etc/shadow" /etc/shadow && mount --bind "$tmp/pam" /etc/pam.d ||
    skip "no bind mounts in a namespace of our own"

# start_vsftpd LINE...: of its configuration.
start_vsftpd() {
    mkdir -p "$tmp/empty"
    { printf '%s\n' listen=YES listen_address=127.0.0.1 "listen_port=$port" background=NO isolate=NO isolate_network=NO seccomp_sandbox=NO \
        "secure_chroot_dir=$tmp/empty" pam_service_name=isthmus anonymous_enable=YES ftp_username=nobody "anon_root=$tree" no_anon_password=YES \
        local_enable=YES "local_root=$tree" chroot_local_user=YES allow_writeable_chroot=YES write_enable=YES local_umask=022 file_open_mode=0666 chmod_enable=YES pasv_address=127.0.0.1 \
        xferlog_enable=NO "vsftpd_log_file=$ftpd_log" "$@"
    } >"$tmp/vsftpd.conf"
    "$program" "$tmp/vsftpd.conf" >>"$tmp/ftpd.out" 2>&1 7>&- &
    ftpd=$!
    within 100 listens || fail "vsftpd does not listen: $(cat "$tmp/ftpd.out")"
}
# start_pure-ftpd OPTION...
start_pure-ftpd() {
    local pure_pw
    printf 'alice:%s:4242:4242::%s/./::::::::::::\n' "$(openssl passwd -6 sesame)" "$tree" >"$tmp/pureftpd.passwd"
    pure_pw=$(PATH=$PATH:/usr/bin command -v pure-pw) || pure_pw=$tmp/packages/usr/bin/pure-pw
    "$pure_pw" mkdb "$tmp/pureftpd.pdb" -f "$tmp/pureftpd.passwd" || fail "pure-pw"
    mkdir -p /var/run 2>/dev/null
    "$program" -S "127.0.0.1,$port" -l "puredb:$tmp/pureftpd.pdb" -E -A -H -u 1 -c 20 -C 10 -g "$tmp/pureftpd.pid" "$@" >>"$tmp/ftpd.out" 2>&1 7>&- &
    ftpd=$!
    within 100 listens || fail "pure-ftpd does not listen: $(cat "$tmp/ftpd.out")"
}
# All processes of the server: its sessions are children, some of them in sessions of their own.
server_pids() { pgrep -f "^$program|^pure-ftpd|^vsftpd|\(SERVER\)|pure-ftpd \(" || true; }
kill_server() {
    local pids
    for _ in {1..50}; do
        pids=$(server_pids)
        [[ -n $pids ]] || break
        # shellcheck disable=SC2086  # words; only processes of this test's own namespace
        kill -KILL $pids 2>/dev/null
        sleep 0.1
    done
    wait "$ftpd" 2>/dev/null
    [[ -z $(server_pids) ]] || fail "the server cannot be killed: $(pgrep -af ftpd)"
}

# ---- mounts ----
mount_it() {
    local source=$1
    shift
    timeout 60 "$isthmus" mount "$@" "$source" "$mnt" >"$tmp/server.log" 2>&1 </dev/null || fail "mount $source: status $?"
    mountpoint -q "$mnt" || fail "$source: not mounted"
}
unmount_it() {
    expect 0 "" unmount "$mnt"
    within 300 no_servers || fail "$1: left behind: $(pgrep -af isthmus)"
}
netrc() { (umask 077; printf 'machine 127.0.0.1 login alice password %s\nmachine localhost login alice password %s\n' "$1" "$1" >"$HOME/.netrc"); }
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2); }

# work_on WHAT FOLDER [plain]: a tree there and back, compared with what lies on the server's disk.
work_on() {
    local what=$1 d=$2
    cp -r "$examples" "$d/copied" || fail "$what: cp -r there"
    [[ $(sums "$d/copied") = "$(sums "$examples")" ]] || fail "$what: the tree there is another"
    diff -r "$examples" "$tree/copied" >"$tmp/diff" || fail "$what: on the server: $(head "$tmp/diff")"
    rm -rf "$tmp/back" && cp -r "$d/copied" "$tmp/back" || fail "$what: cp -r back"
    [[ $(sums "$tmp/back") = "$(sums "$examples")" ]] || fail "$what: the tree that came back is another"
    cp "$tmp/random" "$d/large" && cmp "$tmp/random" "$d/large" && cmp "$tmp/random" "$tree/large" || fail "$what: a large file"
    mv "$d/large" "$d/copied/moved" && [[ ! -e $tree/large ]] && cmp "$tmp/random" "$tree/copied/moved" || fail "$what: mv"
    echo more >>"$d/copied/moved" && [[ $(tail -c 5 "$tree/copied/moved") = more ]] || fail "$what: append"
    [[ $(stat -c %s "$tree/copied/moved") = $(($(stat -c %s "$tmp/random") + 5)) ]] || fail "$what: size after append"
    printf middle | dd of="$d/copied/moved" bs=1 seek=1000000 conv=notrunc 2>"$tmp/error" || fail "$what: dd: $(cat "$tmp/error")"
    [[ $(dd if="$tree/copied/moved" bs=1 skip=1000000 count=6 2>/dev/null) = middle ]] || fail "$what: into the middle"
    truncate -s 100 "$d/copied/moved" && cmp -n 100 "$tmp/random" "$tree/copied/moved" && [[ $(stat -c %s "$tree/copied/moved") = 100 ]] || fail "$what: truncate"
    echo "a name" >"$d/copied/with blanks, äöü and [a-z]*" && [[ $(cat "$tree/copied/with blanks, äöü and [a-z]*") = "a name" ]] || fail "$what: names"
    mkdir "$d/copied/[a]*" && : >"$d/copied/[a]*/empty" && [[ $(ls "$d/copied/[a]*") = empty && -f "$tree/copied/[a]*/empty" ]] || fail "$what: a pattern's name"
    [[ $(cat "$d/copied/none" 2>&1) = *"No such file"* ]] || fail "$what: a name that is not there"
    ! rmdir "$d/copied" 2>"$tmp/error" && grep -q "not empty" "$tmp/error" || fail "$what: rmdir: $(cat "$tmp/error")"
    ! mkdir "$d/copied" 2>"$tmp/error" && grep -q "exists" "$tmp/error" || fail "$what: mkdir: $(cat "$tmp/error")"
    rm -r "${d:?}/copied" && [[ -z $(ls -A "$tree") ]] || fail "$what: rm -r leaves $(ls -A "$tree")"
}

# in_upload: the server is killed in the middle of one, and started again.
in_upload() {
    echo "the old content" >"$tree/file" && chown 4242:4242 "$tree/file"
    sleep 2.1  # and look again
    ls "$mnt" >/dev/null
    head -c 12000000 /dev/urandom >"$tmp/new"
    mkfifo "$tmp/slow"
    (cat "$tmp/slow" >"$mnt/file") 2>"$tmp/error" &
    local writer=$!
    exec 7>"$tmp/slow"
    head -c 6000000 "$tmp/new" >&7
    # shellcheck disable=SC2016  # eval expands it, each time
    within 300 eval '[[ $(cat "$tree"/.isthmus-* 2>/dev/null | wc -c) -gt 1000000 ]]' || fail "$1: nothing arrives while it is written"
    kill_server
    [[ $(cat "$tree/file") = "the old content" ]] || fail "$1: killed in the middle, the file is $(head -c 100 "$tree/file")"
    tail -c +6000001 "$tmp/new" >&7 &
    local rest=$!
    sleep 0.5
    "start_$2"
    wait "$rest"
    exec 7>&-
    wait "$writer" || fail "$1: the writer of a file whose server came back: $(cat "$tmp/error")"
    cmp "$tmp/new" "$tree/file" || fail "$1: not what was written"
    [[ -z $(find "$tree" -name '.isthmus-*') ]] || fail "$1: left beside: $(ls -A "$tree")"
    # And where it does not come back, the file's writer hears so, and the old content stays.
    kill_server
    ! cp "$top/README.md" "$mnt/file" 2>"$tmp/error" || fail "$1: written to a server that is gone"
    cmp "$tmp/new" "$tree/file" || fail "$1: the file of a server that is gone"
    "start_$2"
    # shellcheck disable=SC2016
    within 100 eval 'cat "$mnt/file" >"$tmp/again" 2>/dev/null' || fail "$1: the server is back, and the mount is not"
    cmp "$tmp/new" "$tmp/again" || fail "$1: not what is there"
    rm "$mnt/file" "$tmp/slow" || fail "$1: rm"
}

head -c 5000000 /dev/urandom >"$tmp/random"
done_servers=()
for name in vsftpd pure-ftpd; do
    find_server "$name" || { echo "SKIP: $name: neither installed nor to be had (Debian package $name): $(tail -n 1 "$tmp/apt.log")"; continue; }
    : >"$tmp/ftpd.out"
    port=$(free_port)
    rm -rf "${tree:?}"/* "$tree"/.[!.]* && chown 4242:4242 "$tree" && chmod 755 "$tree"
    "start_$name"

    # ---- as the seed has it ----
    mkdir "$tree/dir" && cp "$top/README.md" "$tree/dir/README" && chown -R 4242:4242 "$tree/dir"
    netrc sesame
    mount_it ftp:
    [[ -z $(ls -A "$mnt") ]] || fail "$name: servers before any was named: $(ls -A "$mnt")"
    (cd "$mnt/localhost:$port/dir" && cp README "$HOME") || fail "$name: cd host/dir; cp README ~"
    cmp "$top/README.md" "$HOME/README" || fail "$name: README is another"
    for probe in .git .Trash .hidden autorun.inf desktop.ini Thumbs.db .xdg-volume-info bin nosuchhost; do
        ! stat "$mnt/$probe" >/dev/null 2>&1 || fail "$name: $probe is a server"
    done
    [[ $(ls -A "$mnt") = "localhost:$port" ]] || fail "$name: servers in use: $(ls -A "$mnt")"
    ! mkdir "$mnt/new" 2>"$tmp/error" || fail "$name: a folder among servers"
    rm -r "$mnt/localhost:$port/dir" || fail "$name: rm -r"
    unmount_it "$name: ftp:"

    # ---- one tree, and all that one does ----
    mount_it "ftp://alice@127.0.0.1:$port/"
    work_on "$name" "$mnt"
    in_upload "$name" "$name"
    : >"$mnt/mode" && chmod 600 "$mnt/mode" && [[ $(stat -c %a "$tree/mode") = 600 ]] || fail "$name: chmod"
    touch -d 2001-02-03T04:05:06Z "$mnt/mode" && [[ $(stat -c %Y "$tree/mode") = $(date -d 2001-02-03T04:05:06Z +%s) ]] || fail "$name: touch"
    cp -p "$examples/hello.cpp" "$mnt/kept" && [[ $(stat -c %Y "$tree/kept") = $(stat -c %Y "$examples/hello.cpp") ]] || fail "$name: cp -p"
    ln -s ../../etc/passwd "$tree/out" && ln -s kept "$tree/in" && sleep 2.1 && ls "$mnt" >/dev/null
    [[ $(cat "$mnt/in") = "$(cat "$tree/kept")" ]] || fail "$name: a link"
    ! grep -q root: "$mnt/out" 2>/dev/null || fail "$name: a link out of the tree was followed here"
    rm "$mnt/mode" "$mnt/kept" "$mnt/in" "$mnt/out" || fail "$name: rm"
    # Nobody sees the password.
    ! pgrep -f sesame >/dev/null || fail "$name: the password is in a command line"
    ! grep -rq sesame "$tmp/server.log" || fail "$name: the password is in the log"
    unmount_it "$name"

    # ---- passwords ----
    netrc wrong
    expect 5 "check the password" mount "ftp://alice@127.0.0.1:$port/" "$mnt"
    [[ $out != *wrong\ * && $out != *password\ wrong* ]] || fail "$name: the password is told: $out"
    rm "$HOME/.netrc"
    expect 5 "no password for alice@127.0.0.1" mount "ftp://alice@127.0.0.1:$port/" "$mnt"
    expect 2 "seen by everybody" mount "ftp://alice:sesame@127.0.0.1:$port/" "$mnt"
    [[ $out != *sesame* ]] || fail "$name: a password that was refused is told: $out"
    (umask 077; echo sesame >"$tmp/password")
    mount_it "ftp://alice@127.0.0.1:$port/?password_file=$tmp/password"
    echo x >"$mnt/x" && rm "$mnt/x" || fail "$name: password_file"
    unmount_it "$name: password_file"
    netrc sesame

    # ---- without a driver ----
    if command -v curl >/dev/null; then
        . "$top/tests/e2e/webdav_lib.sh"
        serve "ftp://alice@127.0.0.1:$port/" --webdav
        code 201 -T "$tmp/random" "${url}new"
        cmp "$tmp/random" "$tree/new" || fail "$name: WebDAV: PUT"
        code 200 "${url}new"
        cmp -s "$tmp/random" "$tmp/body" || fail "$name: WebDAV: GET"
        code 201 -X MKCOL "${url}folder"
        code 201 -X MOVE -H "Destination: ${url}folder/moved" "${url}new"
        code 207 -X PROPFIND -H 'Depth: 1' "${url}folder"
        grep -q 'folder/moved' "$tmp/body" || fail "$name: WebDAV: not listed"
        code 204 -X DELETE "${url}folder"
        [[ -z $(ls -A "$tree") ]] || fail "$name: WebDAV leaves $(ls -A "$tree")"
        stop
    else
        echo "SKIP: $name: WebDAV: no curl here (Debian package curl)"
    fi

    # ---- as a program of userfs ----
    mount_it "userfs:$isthmus serve ftp://alice@127.0.0.1:$port/ --userfs -"
    work_on "$name by userfs" "$mnt"
    unmount_it "$name by userfs"

    # ---- TLS ----
    kill_server
    if [[ $name = vsftpd ]]; then
        start_vsftpd ssl_enable=YES "rsa_cert_file=$tmp/cert.pem" "rsa_private_key_file=$tmp/key.pem" force_local_logins_ssl=YES force_local_data_ssl=YES
    else
        start_pure-ftpd -Y 2 "-2" "$tmp/both.pem"
    fi
    expect 5 "cacert" mount "ftp://alice@127.0.0.1:$port/?tls=require" "$mnt"
    expect 5 "" mount "ftp://alice@127.0.0.1:$port/?tls=off" "$mnt"
    mount_it "ftp://alice@127.0.0.1:$port/?tls=require&cacert=$tmp/cert.pem"
    work_on "$name by TLS" "$mnt"
    unmount_it "$name by TLS"
    mount_it "ftp://alice@localhost:$port/?insecure"
    work_on "$name by TLS, insecure" "$mnt"
    unmount_it "$name by TLS, insecure"
    kill_server
    if [[ $name = vsftpd ]]; then
        start_vsftpd ssl_enable=YES implicit_ssl=YES "rsa_cert_file=$tmp/cert.pem" "rsa_private_key_file=$tmp/key.pem"
        mount_it "ftps://alice@127.0.0.1:$port/?cacert=$tmp/cert.pem"
        work_on "$name by ftps" "$mnt"
        unmount_it "$name by ftps"
        kill_server
    fi
    "start_$name"
    mount_it "ftp://alice@127.0.0.1:$port/?active"
    work_on "$name, active" "$mnt"
    unmount_it "$name, active"
    kill_server
    expect 5 "is there an FTP server" mount "ftp://alice@127.0.0.1:$port/" "$mnt"
    done_servers+=("$name")
done
[[ ${#done_servers[@]} -gt 0 ]] || skip "neither vsftpd nor pure-ftpd is here"
passed "ftp: ${done_servers[*]}: trees there and back, killed in an upload, TLS, WebDAV, userfs"
