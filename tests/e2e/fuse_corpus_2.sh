# shellcheck shell=bash disable=SC2154  # $top is of lib.sh
# Sourced by fuse_corpus.sh: programs linked to libfuse 2.

case_bindfs() {
    has bindfs bindfs
    make_tree s
    bindfs -o attr_timeout=0,entry_timeout=0 s m || bad "status $?"
    mounted m
    same m s
    rm -r m/* && read_write m
    unmount m
}
case_encfs() {
    has encfs encfs
    echo password | encfs -S --standard "$PWD/s" "$PWD/m" >/dev/null || bad "status $?"
    mounted m
    read_write m
    unmount m
}
case_fuse_zip() {
    has fuse-zip fuse-zip
    has zip zip
    make_tree s
    (cd s && zip -qry ../archive.zip .)
    fuse-zip archive.zip m || bad "status $?"
    mounted m
    same m s
    echo new >m/new && mv m/new m/moved || bad "new"
    unmount m
    for _ in {1..100}; do ! unzip -p archive.zip moved 2>/dev/null | grep -qx new || return 0; sleep 0.05; done
    bad "the archive was not written"
}
case_archivemount() {
    has archivemount archivemount
    make_tree s
    tar -C s -czf archive.tar.gz .
    archivemount archive.tar.gz m || bad "status $?"
    mounted m
    same m s
    echo new >m/new || bad "new"
    unmount m
    for _ in {1..100}; do ! tar -xOzf archive.tar.gz --wildcards "*new" 2>/dev/null | grep -qx new || return 0; sleep 0.05; done
    bad "the archive was not written"
}
# The interface of 2.2.
case_fuseiso() {
    has fuseiso fuseiso
    has genisoimage genisoimage
    make_tree s
    genisoimage -quiet -R -o image s || bad genisoimage
    fuseiso image m || bad "status $?"
    mounted m
    same m s
    unmount m
}
case_fuse2fs() {
    has fuse2fs fuse2fs
    truncate -s 32M image && mke2fs -q -t ext4 image || lacks "no mke2fs here (Debian package e2fsprogs)"
    fuse2fs image m -o fakeroot || bad "status $?"
    mounted m
    rmdir m/lost+found && read_write m
    unmount m
    for _ in {1..100}; do ! pgrep -f "fuse2fs image" >/dev/null || sleep 0.05; done
    e2fsck -fn image >/dev/null || bad "e2fsck"
}
# The type fuseblk.
case_exfat() {
    has mount.exfat-fuse exfat-fuse
    has mkfs.exfat exfatprogs
    truncate -s 32M image && mkfs.exfat image >/dev/null || bad mkfs
    local device
    device=$(losetup --find --show image) || lacks "no loop device here"
    mount.exfat-fuse "$device" m || { losetup -d "$device"; bad "status $?"; }
    mounted m
    grep -q " $PWD/m .* - fuseblk $device " /proc/self/mountinfo || { umount m; losetup -d "$device"; bad "not the type fuseblk"; }
    echo hello >m/f && mkdir m/d && mv m/f m/d/g && [[ $(cat m/d/g) = hello ]] || { umount m; losetup -d "$device"; bad "files"; }
    unmount m
    losetup -d "$device"
}
case_unionfs() {
    has unionfs unionfs-fuse
    make_tree s
    mkdir up
    unionfs -o cow "$PWD/up=RW:$PWD/s=RO" m || bad "status $?"
    mounted m
    same m s
    rm m/a && [[ ! -e m/a && -e s/a ]] || bad "whiteout"
    mkdir m/new && read_write m/new
    unmount m
}
case_mhddfs() {
    has mhddfs mhddfs
    mkdir t
    mhddfs s,t m -o mlimit=1m >/dev/null 2>&1 || bad "status $?"
    mounted m
    read_write m
    unmount m
}
case_loggedfs() {
    has loggedfs loggedfs
    make_tree m
    loggedfs -l "$PWD/log" -p "$PWD/m" || bad "status $?"
    mounted m
    [[ $(cat m/a) = hello ]] || bad "content"
    rm -r m/* && read_write m
    unmount m
}
case_disorderfs() {
    has disorderfs disorderfs
    make_tree s
    disorderfs --reverse-dirents=yes s m >/dev/null || bad "status $?"
    mounted m
    same m s
    rm -r m/* && read_write m
    unmount m
}
# The interface of 2.5.
case_convmvfs() {
    has convmvfs fuse-convmvfs
    printf 'hello\n' >"s/$(printf 'caf\351')"
    convmvfs m -o "srcdir=$PWD/s,icharset=iso-8859-1,ocharset=utf-8" || bad "status $?"
    mounted m
    [[ $(cat m/café) = hello ]] || bad "content: $(ls m)"
    echo new >m/né && [[ -e s/$(printf 'n\351') ]] || bad "new"
    unmount m
}
case_afuse() {
    has afuse afuse
    has bindfs bindfs
    mkdir s/one && echo hello >s/one/file
    afuse -o "mount_template=bindfs $PWD/s/%r %m,unmount_template=fusermount -u -z %m" m || bad "status $?"
    mounted m
    [[ $(cat m/one/file) = hello ]] || bad "content"
    unmount m
}
case_s3backer() {
    has s3backer s3backer
    s3backer -f --test --size=1M --blockSize=4k "$PWD/s" "$PWD/m" >/dev/null 2>&1 &
    mounted m
    head -c 8192 /dev/urandom >random
    dd if=random of=m/file conv=notrunc bs=4096 seek=3 status=none && dd if=m/file bs=4096 skip=3 count=2 status=none | cmp - random ||
        bad "write, read"
    unmount m
    wait  # it writes to its folder for a while
}
case_vmdkmount() {
    has vmdkmount libvmdk-utils
    has qemu-img qemu-utils
    head -c 1M /dev/urandom >raw
    qemu-img convert -O vmdk raw image.vmdk
    vmdkmount image.vmdk m >/dev/null || bad "status $?"
    mounted m
    cmp m/vmdk1 raw || bad "content"
    unmount m
}
# Low level.
case_httpfs2() {
    has httpfs2 httpfs2
    head -c 300000 /dev/urandom >s/big
    /usr/bin/python3 "$top/tests/e2e/fuse_corpus_http.py" s >port &
    local server=$!
    for _ in {1..100}; do [[ ! -s port ]] || break; sleep 0.05; done
    httpfs2 -f "http://127.0.0.1:$(cat port)/big" m &
    mounted m
    cmp m/big s/big || bad "content"
    unmount m
    kill "$server"
}
case_python_llfuse() {
    /usr/bin/python3 -c 'import llfuse' 2>/dev/null || lacks "no llfuse here (Debian package python3-llfuse)"
    /usr/bin/python3 "$top/tests/e2e/fuse_corpus_llfuse.py" m &
    mounted m
    [[ $(ls m) = message && $(cat m/message) = hello ]] || bad "content: $(ls m) $(cat m/message)"
    ! cat m/none 2>/dev/null || bad "a file that is not there"
    unmount m
}
case_python_fuse() {
    local examples=/usr/share/doc/python3-fuse/examples/example
    /usr/bin/python3 -c 'import fuse' 2>/dev/null || lacks "no fuse module here (Debian package python3-fuse)"
    [[ -r $examples/hello.py ]] || lacks "no examples of python3-fuse"
    (cd "$examples" && /usr/bin/python3 hello.py "$OLDPWD/m") || bad "status $?"
    mounted m
    [[ $(cat m/hello) = "Hello World!" ]] || bad "content"
    unmount m
}
