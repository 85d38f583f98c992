#!/usr/bin/env bash
# usage: host_corpus.sh ISTHMUS [NAME...]
# FUSE daemons of other people, unmodified, hosted in a /dev that has no fuse: as root and as nobody, each listed, read, written where it
# writes, compared with what is below or beside it, and ended. Prints a table; leaves no process, file or mount.
#   HOST_ALL=1     every daemon that is installed, and all of them through WebDAV and SMB; else those that CI installs
#   HOST_LOOP=N    how often a server, a daemon and a warden are killed; default 2
. "$(dirname "$0")/lib.sh"
isthmus=$1
all_arguments=("$@")
[[ $EUID = 0 ]] || skip "not root: the test has a /dev of its own"
E2E_SIZE=2g
begin_without_fuse() {
    if [[ -z ${E2E_ISOLATED:-} ]]; then
        unshare --mount --pid --fork true 2>/dev/null || skip "this machine lets root make no namespaces"
        E2E_ISOLATED=1 exec "$top/tools/isolated" bash "$0" "${all_arguments[@]}"
    fi
    unset E2E_ISOLATED
    mkdir -p "$scratch"
    mount -t tmpfs -o "size=$E2E_SIZE,mode=755" e2e "$scratch" || skip "no tmpfs can be mounted"
    mkdir "$src" "$mnt" "$tmp"
    chmod 1777 "$src" "$tmp"
    # A container's: what is needed, and no fuse.
    mkdir "$scratch/dev"
    mount -t tmpfs -o mode=755 e2e "$scratch/dev" || skip "no tmpfs can be mounted"
    for device in null zero full random urandom tty; do
        : >"$scratch/dev/$device"
        mount --bind "/dev/$device" "$scratch/dev/$device" || skip "no /dev of our own"
    done
    ln -s /proc/self/fd "$scratch/dev/fd"
    mkdir "$scratch/dev/shm" && mount -t tmpfs -o mode=1777 e2e "$scratch/dev/shm"
    mount --move "$scratch/dev" /dev || mount --rbind "$scratch/dev" /dev || skip "no /dev of our own"
    [[ ! -e /dev/fuse ]] || fail "/dev/fuse is there"
    cd "$scratch" || exit 1
    trap finish EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
}
begin_without_fuse
need curl curl
need python3 python3

user=root as=()
# set_user NAME: who hosts from here on.
set_user() {
    user=$1 as=()
    export ISTHMUS_RUNTIME_DIR=$scratch/run-$user
    rm -rf "$ISTHMUS_RUNTIME_DIR"
    mkdir -m 700 "$ISTHMUS_RUNTIME_DIR"
    chown "$user" "$ISTHMUS_RUNTIME_DIR"
    [[ $user = root ]] || as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
}

# Every process here is ours: this shell's namespace has no other.
others() { ps -eo pid=,stat=,comm= | awk -v self=$$ '$1 != 1 && $1 != self && $2 !~ /^Z/ && $3 !~ /^(ps|awk|bash|host_corpus.sh)$/'; }
none_left() { [[ -z $(others) ]]; }
within() { local n=$1; shift; for ((; n > 0; n--)); do ! "$@" || return 0; sleep 0.1; done; return 1; }
mounts() { grep " - fuse" /proc/self/mountinfo; }
left_nothing() {
    within 300 none_left || { echo "left: $(others)"; return 1; }
    [[ -z $(ls "$ISTHMUS_RUNTIME_DIR" 2>/dev/null) ]] || { echo "left in the run folder: $(ls -R "$ISTHMUS_RUNTIME_DIR")"; return 1; }
    [[ -z $(find /tmp -mindepth 1 -maxdepth 1 -newer "$tmp/begun" -user "$user" 2>/dev/null) ]] || { echo "left in /tmp: $(ls -d /tmp/*)"; return 1; }
    [[ $(mounts) = "$mounts_before" ]] || { echo "a mount is left"; return 1; }
}

url='' port=''
# serve DOOR...: $command (and its source options in $set), with its URL in $url. 1: it does not come.
serve() {
    : >"$tmp/out"
    "${as[@]}" "$isthmus" serve "${set[@]}" "host:$command" "$@" >"$tmp/out" 2>"$tmp/server.log" </dev/null &
    server=$!
    started() { grep -qE '^ *(Windows|any)' "$tmp/out" || ! kill -0 "$server" 2>/dev/null; }
    within 900 started
    grep -qE '^ *(Windows|any)' "$tmp/out" || { server=; return 1; }
    url=$(sed -n 's/^WebDAV at //p' "$tmp/out")
    port=$(sed -n 's|^SMB at smb://127.0.0.1:\([0-9]*\)/.*|\1|p' "$tmp/out")
}
stop() {
    local ended=0
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null || ended=$?
    server=
    [[ $ended = 0 ]] || { echo "the server's exit status is $ended: $(tail -n 2 "$tmp/server.log")"; return 1; }
    ! grep -qE 'Sanitizer|runtime error:' "$tmp/server.log" || { echo "a sanitizer complained"; return 1; }
}
# code STATUS CURL-ARG...
code() {
    local wanted=$1 got
    shift
    got=$(curl -s --path-as-is --max-time 60 -o "$tmp/body" -w '%{http_code}' "$@")
    [[ $got = "$wanted" ]] || { echo "${*//$url/}: $got, not $wanted"; return 1; }
}
# The tree below the URL is that in $1 (without what is never the same).
reads() {
    local file
    while IFS= read -r file; do
        code 200 "$url$below${file// /%20}" && cmp -s "$1/$file" "$tmp/body" || { echo "$file is not the same"; return 1; }
    done < <(cd "$1" && find . -type f -printf '%P\n')
    code 207 -X PROPFIND -H 'Depth: 1' "$url$below" || return 1
    while IFS= read -r file; do
        grep -qF "/${file// /%20}" "$tmp/body" || { echo "$file is not listed"; return 1; }
    done < <(ls "$1")
}
writes() {
    code 201 -T "$tmp/random" "${url}new.bin" && code 200 "${url}new.bin" && { cmp -s "$tmp/random" "$tmp/body" || { echo "not what was put"; return 1; }; } || return 1
    code 206 -r 1000-1999 "${url}new.bin" && cmp -s <(tail -c +1001 "$tmp/random" | head -c 1000) "$tmp/body" || return 1
    code 204 -X DELETE "${url}new.bin" && code 404 "${url}new.bin" || return 1
    [[ $flags != *nodirs* ]] || return 0
    code 201 -X MKCOL "${url}dir" && code 201 -T "$tmp/small" "${url}dir/a" || return 1
    if [[ $flags != *norename* ]]; then code 201 -X MOVE -H "Destination: ${url}dir/b" "${url}dir/a" && code 200 "${url}dir/b" && cmp -s "$tmp/small" "$tmp/body" || return 1; fi
    code 204 -X DELETE "${url}dir"
}

# What each daemon wants: words in $command ({} its mountpoint), $tree what it shows, or $writable, and where in it ($below).
# A case returns 77 for what is not installed.
has() { local p; for p; do command -v "$p" >/dev/null || { missing=$p; return 77; }; done; }
plain() { tree=$case_dir/src; cp -r "$tmp/tree" "$tree"; }
work() { writable=yes; mkdir "$case_dir/work" && chown "$user" "$case_dir/work"; }
packed() { tree=$tmp/tree; }
root_only() { [[ $user = root ]] || { missing="root's rights"; return 77; }; }
py() { /usr/bin/python3 -c "import $1" 2>/dev/null || { missing="python3 module $1"; return 77; }; }

d_bindfs() { has bindfs && plain && writable=yes && command="bindfs $tree"; }
d_sshfs() { has sshfs /usr/lib/openssh/sftp-server && plain && writable=yes && command="sshfs -o ssh_command=$tmp/ssh host:$tree"; }
d_rclone() { has rclone && plain && writable=yes && command="rclone --config /dev/null mount :local:$tree {} --vfs-cache-mode writes --vfs-write-back 0s --cache-dir $case_dir/cache"; }
d_gocryptfs() { has gocryptfs && work && echo pw >"$case_dir/pw" && "${as[@]}" gocryptfs -q -init -scryptn 10 -passfile "$case_dir/pw" "$case_dir/work" && command="gocryptfs -q -passfile $case_dir/pw $case_dir/work {}"; }
d_restic() { has restic && packed && export RESTIC_PASSWORD=x && "${as[@]}" restic -q --no-cache -r "$case_dir/r" init && (cd "$tree" && "${as[@]}" restic -q --no-cache -r "$case_dir/r" backup .) && below=snapshots/latest/ && command="restic --no-cache -r $case_dir/r mount {}"; }
d_mergerfs() { has mergerfs && plain && mkdir "$case_dir/two" && writable=yes && command="mergerfs -o category.create=ff,minfreespace=0 $tree:$case_dir/two {}"; }
d_encfs() { has encfs && work && echo pw >"$case_dir/pw" && command="encfs --extpass=cat\\ $case_dir/pw --standard $case_dir/work {}"; }
d_archivemount() { has archivemount tar && packed && tar -C "$tree" -czf "$case_dir/a.tgz" . && command="archivemount $case_dir/a.tgz"; }
d_fuse_zip() { has fuse-zip zip && packed && (cd "$tree" && "${as[@]}" zip -qr "$case_dir/a.zip" .) && writable=yes && command="fuse-zip $case_dir/a.zip"; }
d_fuse2fs() { has fuse2fs mkfs.ext4 && work && truncate -s 16M "$case_dir/i" && mkfs.ext4 -qF -E "root_owner=$(id -u "$user"):$(id -g "$user")" "$case_dir/i" && command="fuse2fs $case_dir/i {} -o fakeroot"; }
d_unionfs() { has unionfs && plain && writable=yes && command="unionfs $tree=RW {}"; }
d_mhddfs() { has mhddfs && plain && mkdir "$case_dir/two" && writable=yes && command="mhddfs $tree,$case_dir/two {}"; }
d_squashfuse() { has squashfuse mksquashfs && packed && mksquashfs "$tree" "$case_dir/i" -quiet -no-progress >/dev/null && command="squashfuse $case_dir/i"; }
d_squashfuse_ll() { has squashfuse_ll mksquashfs && packed && mksquashfs "$tree" "$case_dir/i" -quiet -no-progress >/dev/null && command="squashfuse_ll $case_dir/i"; }
d_fuse_overlayfs() { has fuse-overlayfs && plain && mkdir "$case_dir/up" "$case_dir/wk" && writable=yes && command="fuse-overlayfs -o lowerdir=$tree,upperdir=$case_dir/up,workdir=$case_dir/wk"; }
d_fuseiso() { has fuseiso genisoimage && root_only && packed && genisoimage -quiet -R -o "$case_dir/i" "$tree" && command="fuseiso $case_dir/i {} -f"; }
d_nbdfuse() { has nbdfuse nbdkit && shows=nbd && command="nbdfuse {} --command nbdkit -s memory 1M"; }
d_rofiles() { has rofiles-fuse && plain && command="rofiles-fuse -f $tree"; }
d_disorderfs() { has disorderfs && plain && writable=yes && command="disorderfs $tree"; }
d_convmvfs() { has convmvfs && plain && command="convmvfs {} -o srcdir=$tree,icharset=utf8,ocharset=utf8"; }
d_s3backer() { has s3backer && mkdir "$case_dir/b" && shows="file" && command="s3backer -f --test --size=1M --blockSize=4k $case_dir/b {}"; }
d_vmdkmount() { has vmdkmount qemu-img && truncate -s 1M "$case_dir/raw" && qemu-img convert -O vmdk "$case_dir/raw" "$case_dir/i.vmdk" && shows=vmdk1 && command="vmdkmount $case_dir/i.vmdk {}"; }
d_qcowmount() { has qcowmount qemu-img && truncate -s 1M "$case_dir/raw" && qemu-img convert -O qcow2 -o compat=0.10 "$case_dir/raw" "$case_dir/i" && shows=qcow1 && command="qcowmount $case_dir/i {}"; }
d_vhdimount() { has vhdimount qemu-img && truncate -s 1M "$case_dir/raw" && qemu-img convert -O vpc -o force_size=on "$case_dir/raw" "$case_dir/i" && shows=vhdi1 && command="vhdimount $case_dir/i {}"; }
d_ewfmount() { has ewfmount ewfacquirestream && head -c 1M /dev/urandom >"$case_dir/raw" && (cd "$case_dir" && ewfacquirestream -q -t i <raw >/dev/null 2>&1; [[ -f i.E01 ]]) && shows=ewf1 && command="ewfmount $case_dir/i.E01 {}"; }
d_affuse() { has affuse affconvert && head -c 1M /dev/urandom >"$case_dir/i.raw" && (cd "$case_dir" && affconvert -q i.raw >/dev/null 2>&1; [[ -f i.aff ]]) && shows=i.aff.raw && command="affuse $case_dir/i.aff {}"; }
d_xmount() { has xmount && head -c 1M /dev/urandom >"$case_dir/i.raw" && shows=i.dd && command="xmount --in raw $case_dir/i.raw --out raw {}"; }
d_wimmount() { has wimmount wimcapture && packed && wimcapture "$tree" "$case_dir/i.wim" >/dev/null && command="wimmount $case_dir/i.wim {}"; }
d_ntfs_3g() { has ntfs-3g mkntfs && work && truncate -s 16M "$case_dir/i" && mkntfs -qF "$case_dir/i" >/dev/null 2>&1 && flags=norename && command="ntfs-3g $case_dir/i {}"; }
d_fusefat() { has fusefat mkfs.vfat && truncate -s 16M "$case_dir/i" && mkfs.vfat "$case_dir/i" >/dev/null && shows= && command="fusefat -o ro $case_dir/i {}"; }
d_fossil() { has fossil && (cd "$case_dir" && "${as[@]}" env HOME="$case_dir" USER=tester fossil init r.fossil >/dev/null) && shows=checkins && command="fossil fusefs -R $case_dir/r.fossil {}"; }
d_grub_mount() { has grub-mount mksquashfs && packed && mksquashfs "$tree" "$case_dir/i" -quiet -no-progress >/dev/null && command="grub-mount $case_dir/i {}"; }
d_casync() { has casync && packed && (cd "$case_dir" && casync make --store=s.castr i.caidx "$tree" >/dev/null 2>&1 && chmod -R a+rX .) && command="casync mount --store=$case_dir/s.castr $case_dir/i.caidx {}"; }
d_cryfs() { has cryfs && work && echo pw >"$case_dir/pw" && command="sh -c CRYFS_FRONTEND=noninteractive\\ CRYFS_NO_UPDATE_CHECK=true\\ HOME=$case_dir\\ exec\\ cryfs\\ $case_dir/work\\ {}\\ <$case_dir/pw"; }
d_securefs() { has securefs && work && "${as[@]}" securefs create --pass pw --pbkdf scrypt --rounds 2 "$case_dir/work" >/dev/null 2>&1 && command="securefs mount --pass pw $case_dir/work {}"; }
d_borg() { has borg && packed && export BORG_BASE_DIR=$case_dir BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes && "${as[@]}" borg init -e none "$case_dir/r" >/dev/null 2>&1 && (cd "$tree" && "${as[@]}" borg create "$case_dir/r::a" . >/dev/null 2>&1) && below=a/ && command="borg mount -f $case_dir/r {}"; }
d_lxcfs() { has lxcfs && root_only && shows=proc && command="lxcfs -p $case_dir/pid {}"; }
d_vmblock() { has vmware-vmblock-fuse && shows=blockdir && command="vmware-vmblock-fuse -f -o subtype=vmware-vmblock,default_permissions {}"; }
d_avfsd() { has avfsd && packed && tar -C "$tree" -czf "$case_dir/a.tgz" . && below="${case_dir#/}/a.tgz%23/" && command="avfsd {}"; }
d_posixovl() { has mount.posixovl && plain && writable=yes && command="mount.posixovl -F -S $tree {}"; }
d_owfs() { has owfs && shows=settings && command="owfs --fake=DS18B20 {}"; }
d_pyfuse3() { py pyfuse3 && py trio && shows=message && command="/usr/bin/python3 $top/tests/e2e/fuse_corpus_pyfuse3.py {}"; }
d_llfuse() { py llfuse && shows=message && command="/usr/bin/python3 $top/tests/e2e/fuse_corpus_llfuse.py {}"; }
d_python_fuse() { py fuse && [[ -f /usr/share/doc/python3-fuse/examples/example/hello.py ]] && shows=hello && command="/usr/bin/python3 /usr/share/doc/python3-fuse/examples/example/hello.py {}"; }
d_fusepy() { py fusepy && writable=yes && flags=nolitmus && holds="message=hello" && command="/usr/bin/python3 $top/tests/e2e/fuse_corpus_fusepy.py {}"; }
d_perl() { perl -MFuse -e 1 2>/dev/null || { missing="perl module Fuse"; return 77; }; [[ -f /usr/share/doc/libfuse-perl/examples/example.pl ]] && holds="a=File 'a'." && command="perl /usr/share/doc/libfuse-perl/examples/example.pl {}"; }
d_ruby() { has ruby && ruby -e 'require "fusefs"' 2>/dev/null || { missing="ruby module fusefs"; return 77; }; [[ -f /usr/share/doc/ruby-fusefs/examples/hello.rb ]] && holds="hello.txt=Hello, World!" && command="ruby /usr/share/doc/ruby-fusefs/examples/hello.rb {}"; }
# Names are those of ISO 9660 where it does not know Rock Ridge.
d_fuseiso9660() { has fuseiso9660 genisoimage && mkdir "$case_dir/src" && cp "$tmp/tree/a.txt" "$tmp/tree/big.bin" "$case_dir/src" && tree=$case_dir/src && genisoimage -quiet -R -o "$case_dir/i" "$tree" && command="fuseiso9660 -f $case_dir/i {}"; }
d_fuse_ext2() { has fuse-ext2 mkfs.ext2 && packed && truncate -s 16M "$case_dir/i" && mkfs.ext2 -qF -d "$tree" "$case_dir/i" && command="fuse-ext2 $case_dir/i {} -o ro"; }
d_exfat() { has mount.exfat-fuse mkfs.exfat && work && truncate -s 32M "$case_dir/i" && mkfs.exfat "$case_dir/i" >/dev/null && command="mount.exfat-fuse $case_dir/i {}"; }
# Songs, and a player's look at one that is made while it is read.
song() { has flac && mkdir "$case_dir/src" && python3 "$top/tests/e2e/host_corpus_tone.py" "$case_dir/t.wav" && flac -s -o "$case_dir/src/t.flac" "$case_dir/t.wav" && shows=t; }
d_mp3fs() { has mp3fs && song && command="mp3fs $case_dir/src {}"; }
d_ffmpegfs() { has ffmpegfs && song && command="ffmpegfs -f --desttype=mp3 --cachepath=$case_dir/cache $case_dir/src {}"; }
# It logs what is done below its mountpoint, in the folder that is there: ours, of which nothing may be left.
d_loggedfs() { has loggedfs && writable=yes && flags=nolitmus && command="loggedfs -f -p -l $case_dir/log {}"; }
d_wimmountrw() { has wimmountrw wimcapture && packed && writable=yes && flags=nolitmus && wimcapture "$tree" "$case_dir/i.wim" >/dev/null && command="wimmountrw $case_dir/i.wim {}"; }
# libfuse's own example of a character device; what it was given by one write it has.
d_cuse() { has gcc && [[ -f /usr/share/doc/libfuse3-dev/examples/cuse.c ]] || { missing="example of libfuse3-dev"; return 77; }; pkg-config --cflags --libs fuse3 | xargs gcc -w /usr/share/doc/libfuse3-dev/examples/cuse.c -o "$case_dir/cuse" && set=(-s cuse) && shows=fioc && command="$case_dir/cuse -f --name=fioc"; }
# The same daemon by the way in that is the last resort.
d_preloaded() { d_bindfs && set=(-s in=preload); }
d_isolated() { d_bindfs && set=(-s isolate); }
d_bup() { has bup && packed && export BUP_DIR=$case_dir/bup && (bup init && bup index "$tree" && bup save -q -n b --strip "$tree") >/dev/null 2>&1 && chmod -R a+rX "$BUP_DIR" && below=b/latest/ && command="bup fuse -f {}"; }

printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >"$tmp/ssh"
chmod 755 "$tmp/ssh"
mkdir -p "$tmp/tree/deep/er"
echo hello >"$tmp/tree/a.txt"
head -c 300000 /dev/urandom >"$tmp/tree/big.bin"
echo x >"$tmp/tree/deep/er/x"
echo 'sp ace' >"$tmp/tree/deep/name with space"
head -c 700000 /dev/urandom >"$tmp/random"
echo small >"$tmp/small"
chmod -R a+rX "$tmp/tree"
touch "$tmp/begun"
mounts_before=$(mounts)  # of the machine around us
mount -t tmpfs -o mode=1777 e2e /tmp

table() { printf '%-16s %-8s %-5s %s\n' "$@"; }
# prepare NAME: a fresh folder, and the daemon's words.
prepare() {
    case_dir=$(mktemp -d "$tmp/case-XXXXXX") && command='' tree='' writable='' below='' flags='' shows='' holds='' set=() missing=''
    local is=0
    chmod 755 "$case_dir"
    chown "$user" "$case_dir"
    export HOME=$case_dir
    "d_$1" >"$tmp/prepare.log" 2>&1 || is=$?
    [[ $is != 77 ]] || return 77
    [[ $is = 0 ]] || { cat "$tmp/prepare.log"; return 1; }
    chown -R "$user" "$case_dir"
}
# What the daemon shows and takes through WebDAV; says what is wrong.
look() {
    code 207 -X PROPFIND -H 'Depth: 1' "$url" || return 1
    [[ -z $shows ]] || grep -q "/$shows" "$tmp/body" || { echo "no $shows: $(head -c 400 "$tmp/body")"; return 1; }
    [[ -z $tree ]] || reads "$tree" || return 1
    [[ -z $holds ]] || { code 200 "$url${holds%%=*}" && [[ $(cat "$tmp/body") = "${holds#*=}" ]] || { echo "$holds: $(head -c 400 "$tmp/body")"; return 1; }; }
    [[ -z $writable ]] || writes
}
# One daemon, hosted once.
try() {
    local name=$1 what is=0
    prepare "$name" >"$tmp/why" 2>&1 || is=$?
    if [[ $is = 77 ]]; then table "$name" "$user" skip "no $missing here"; return 0; fi
    [[ $is = 0 ]] || { table "$name" "$user" FAIL "it cannot be prepared: $(tail -n 1 "$tmp/why")"; return 1; }
    what=${writable:+read,write}
    serve --webdav || { table "$name" "$user" FAIL "$(tail -n 3 "$tmp/server.log" | tr '\n' ' ')"; left_nothing >/dev/null || pkill_all; return 1; }
    look >"$tmp/why" 2>&1 || is=$?
    stop >>"$tmp/why" 2>&1 || is=$?
    left_nothing >>"$tmp/why" 2>&1 || { is=1; pkill_all; }
    rm -rf "$case_dir"
    [[ $is = 0 ]] || { table "$name" "$user" FAIL "$(tr '\n' ' ' <"$tmp/why")"; return 1; }
    table "$name" "$user" ok "${what:-read}"
}
pkill_all() { others | awk '{print $1}' | while read -r pid; do kill -KILL "$pid" 2>/dev/null; done; rm -rf "${ISTHMUS_RUNTIME_DIR:?}"/*; }

# The same daemon through both doors, in namespaces of its own: litmus and smbclient.
through_doors() {
    local name=$1 is=0 did='' at=$tmp/smb
    prepare "$name" >"$tmp/why" 2>&1 || { table "$name" doors skip "${missing:-not prepared}"; return 0; }
    set+=(-s isolate)
    serve --webdav --smb --user user --password-file "$tmp/password" --share share || { table "$name" doors FAIL "$(tail -n 3 "$tmp/server.log" | tr '\n' ' ')"; pkill_all; return 1; }
    rm -rf "$at" && mkdir "$at"
    {
        if [[ -n $writable && $flags != *nolitmus* ]] && command -v litmus >/dev/null; then
            did="litmus basic, "
            (cd "$at" && TESTS=basic litmus -k "$url" >"$tmp/litmus" 2>&1) || { grep -E 'FAIL|WARN' "$tmp/litmus"; is=1; }
        fi
        did+=smbclient
        if [[ -n $tree ]]; then
            smb "cd ${below%/}; get big.bin $at/got" || is=1
            cmp "$tree/big.bin" "$at/got" || is=1
        else
            smb ls || is=1
        fi
        if [[ -n $writable ]]; then
            smb "put $tmp/random new.bin; mkdir d; put $tmp/small d\\a; ls d\\*; get new.bin $at/back; del new.bin; del d\\a; rmdir d" || is=1
            cmp "$tmp/random" "$at/back" || is=1
        fi
    } >"$tmp/why" 2>&1
    stop >>"$tmp/why" 2>&1 || is=$?
    left_nothing >>"$tmp/why" 2>&1 || { is=1; pkill_all; }
    rm -rf "$case_dir"
    [[ $is = 0 ]] || { table "$name" doors FAIL "$(tr '\n' ' ' <"$tmp/why")"; return 1; }
    table "$name" doors ok "$did"
}
smb() {
    local out
    out=$(timeout 60 smbclient //127.0.0.1/share -p "$port" -A "$tmp/logon" -c "$1" 2>&1 </dev/null) && [[ $out != *NT_STATUS* ]] || { echo "smbclient $1: $out"; return 1; }
}

# killed NAME WHO: -9 to the server, the daemon or the warden, while it serves; nothing stays.
killed() {
    local name=$1 who=$2 is=0 pid warden
    prepare "$name" >"$tmp/why" 2>&1 || { table "$name" "kill -9" skip "${missing:-not prepared}"; return 0; }
    serve --webdav || { table "$name" "kill -9" FAIL "$(tail -n 3 "$tmp/server.log")"; pkill_all; return 1; }
    warden=$(ps -eo pid=,comm= | awk '$2 == "isthmus-host" { print $1 }')
    case $who in
        server) pid=$server ;;
        warden) pid=$warden ;;
        # That which is not a helper of its own.
        daemon) pid=$(ps -eo pid=,ppid=,comm= | awk -v w="$warden" -v name="${name:0:15}" '$2 == w && $3 == name { print $1 }') ;;
    esac
    kill -KILL "$pid" || is=1
    wait "$server" 2>/dev/null
    local ended=$?
    server=
    [[ $who = server || $ended = 1 ]] || { echo "the server's exit status is $ended" >"$tmp/why"; is=1; }
    # Its control socket is left by a server that is killed, and taken away by the next list.
    "${as[@]}" "$isthmus" list >/dev/null
    left_nothing >>"$tmp/why" 2>&1 || { is=1; pkill_all; }
    rm -rf "$case_dir"
    [[ $is = 0 ]] || { table "$name" "$who" FAIL "kill -9: $(tr '\n' ' ' <"$tmp/why")"; return 1; }
}

# Those that CI installs (tools/packages.txt).
names=(bindfs sshfs rclone encfs archivemount fuse_zip fuse2fs unionfs mhddfs squashfuse squashfuse_ll fuse_overlayfs fuseiso nbdfuse rofiles disorderfs convmvfs s3backer
    vmdkmount pyfuse3 llfuse python_fuse exfat loggedfs cuse preloaded isolated)
# cryfs takes minutes to make a key: by name only.
[[ -z ${HOST_ALL:-} ]] || mapfile -t names < <(declare -F | sed -n 's/^declare -f d_//p' | grep -vx cryfs)
[[ ${#all_arguments[@]} = 1 ]] || names=("${all_arguments[@]:1}")
failed=0
for u in root nobody; do
    set_user "$u"
    for name in "${names[@]}"; do try "$name" || failed=$((failed + 1)); done
done

set_user root
password=$(head -c 12 /dev/urandom | base64 | tr -d '/+=')
(umask 077 && echo "$password" >"$tmp/password" && printf 'username=user\npassword=%s\n' "$password" >"$tmp/logon")
doors=(bindfs sshfs rclone encfs archivemount fuse_zip fuse2fs unionfs squashfuse python_fuse)
[[ -z ${HOST_ALL:-} ]] || doors+=(gocryptfs mergerfs mhddfs fuse_overlayfs disorderfs restic ntfs_3g securefs borg)
[[ ${#all_arguments[@]} = 1 ]] || doors=("${all_arguments[@]:1}")
if command -v smbclient >/dev/null; then
    for name in "${doors[@]}"; do through_doors "$name" || failed=$((failed + 1)); done
else
    echo "SKIP: smbclient: not installed"
fi

for ((n = 0; n < ${HOST_LOOP:-2}; n++)); do
    for name in bindfs sshfs; do
        for who in server daemon warden; do killed "$name" "$who" || failed=$((failed + 1)); done
    done
done
table "bindfs, sshfs" "kill -9" "" "server, daemon, warden: ${HOST_LOOP:-2} times each"
[[ $failed = 0 ]] || fail "$failed of the table's lines"
passed "FUSE daemons as they are, without /dev/fuse"
