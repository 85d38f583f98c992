#!/bin/sh
# usage: archive_index_corpus.sh FOLDER
# Writes the seeds of archive_index_fuzz: a tiny archive of each format, by the programs that people use.
# Needs tar gzip bzip2 xz zstd lz4 zip 7z cpio genisoimage bsdtar ar python3.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir -p src/deep/er src/empty
printf 'hello, world\n' >src/a
seq 1 300 >src/deep/numbers
ln src/a src/b
ln -s a src/link
ln -s /etc/passwd src/deep/absolute
mkfifo src/fifo
truncate -s 300000 src/sparse
printf x | dd of=src/sparse bs=1 seek=200000 conv=notrunc 2>/dev/null
find src -exec touch -h -d @1000000000 {} +

tar -b1 --owner=0 --group=0 -cSf "$out/sparse.tar" src
tar -b1 --owner=0 --group=0 --format=pax -cSf "$out/pax.tar" src
tar -b1 --owner=0 --group=0 --format=v7 -cf "$out/v7.tar" src/a src/deep
rm src/sparse
tar -b1 --owner=0 --group=0 -cf "$out/gnu.tar" src
tar -b1 --owner=0 --group=0 -cf small.tar src/a src/b src/link src/deep
gzip -nc small.tar >"$out/tar.gz"
bzip2 -c small.tar >"$out/tar.bz2"
xz -c small.tar >"$out/tar.xz"
xz --format=lzma -c small.tar >"$out/tar.lzma"
zstd -qc small.tar >"$out/tar.zst"
lz4 -qc small.tar >"$out/tar.lz4"
gzip -nc src/deep/numbers >"$out/raw.gz"
printf '' | gzip -nc >"$out/nothing.gz"
head -c 300 "$out/tar.gz" >"$out/cut.tar.gz"
head -c 3000 small.tar >"$out/cut.tar"
for f in newc odc crc bin ustar; do find src | cpio --quiet -o -H $f >"$out/$f.cpio"; done
for f in xar mtree warc ar; do
    bsdtar --format=$f -cf "$out/bsd.$f" src/a src/deep/numbers 2>/dev/null || rm -f "$out/bsd.$f"
done
(cd src && ar rc "$out/gnu.a" a deep/numbers)
rm src/fifo
zip -qry "$out/deflate.zip" src
zip -q0ry "$out/stored.zip" src
zip -qry - src | cat >"$out/streamed.zip"
zip -qry -P secret "$out/crypt.zip" src
7z a -bd -tzip -psecret -mem=AES256 "$out/aes.zip" src >/dev/null
for m in lzma bzip2 ppmd; do 7z a -bd -tzip -mm=$m "$out/$m.zip" src/deep/numbers >/dev/null; done
7z a -bd "$out/solid.7z" src >/dev/null
7z a -bd -ms=off -m0=ppmd "$out/ppmd.7z" src >/dev/null
7z a -bd -m0=bcj -m1=deflate "$out/bcj.7z" src >/dev/null
7z a -bd -psecret "$out/crypt.7z" src >/dev/null
7z a -bd -psecret -mhe "$out/hidden.7z" src >/dev/null
genisoimage -quiet -no-pad -R src/deep >"$out/rockridge.iso" 2>/dev/null
genisoimage -quiet -R -J src 2>/dev/null | gzip -nc >"$out/joliet.iso.gz"

# Names and types that only a hostile archive has.
python3 - "$out/names.tar" <<'PYTHON'
import io, sys, tarfile
tarfile.RECORDSIZE = 512
with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT, bufsize=512) as tar:
    def add(name, kind=tarfile.REGTYPE, target="", data=b"x", **more):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(data) if kind == tarfile.REGTYPE else 0
        for key, value in more.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(data))
    for name in ("../up", "a/../../b", "/etc/absolute", "./dot", "a//b", "twice", "twice", "x" * 300, "f", "f/below", "\udcff"):
        add(name)
    add("d/", tarfile.DIRTYPE)
    add("d")
    add("lnk", tarfile.SYMTYPE, "/etc")
    add("lnk/through")
    add("hard", tarfile.LNKTYPE, "nowhere")
    add("later", tarfile.LNKTYPE, "late")
    add("late", mtime=-5.5, pax_headers={"SCHILY.xattr.user.a": "b", "atime": "-1.5"})
    add("chr", tarfile.CHRTYPE, devmajor=1, devminor=3)
PYTHON
