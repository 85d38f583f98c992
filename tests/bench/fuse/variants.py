"""The file systems that are measured side by side: one line each."""
import dataclasses

# @ISTHMUS@ the program, @SRC@ a backing folder of the variant's own, @MNT@ the mountpoint, @PEERS@ the folder of programs built
# from libfuse's examples, @WORK@ scratch space (mounts.py makes what lies there).
# Root mounts for itself alone: with `allow_other` the kernel checks permissions, which costs us requests (docs/fuse.md).
OURS = "@ISTHMUS@ mount -f"


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    kind: str       # native, mem, pass, through (pass with kernel passthrough), or peer
    command: str    # serves in the foreground; words are split at blanks
    needs: str = ""  # program without which it is skipped
    usual: bool = True  # part of a run that names no variants


VARIANTS = [
    Variant("native", "native", ""),
    # With the transport that isthmus chooses by itself.
    Variant("mem", "mem", f"{OURS} mem: @MNT@", usual=False),
    Variant("pass", "pass", f"{OURS} dir:@SRC@ @MNT@", usual=False),
    Variant("mem-uring", "mem", f"{OURS} -o transport=uring mem: @MNT@"),
    Variant("mem-classic", "mem", f"{OURS} -o transport=classic mem: @MNT@"),
    Variant("pass-uring", "pass", f"{OURS} -o transport=uring dir:@SRC@ @MNT@"),
    Variant("pass-classic", "pass", f"{OURS} -o transport=classic dir:@SRC@ @MNT@"),
    Variant("pass-through", "through", f"{OURS} -o passthrough dir:@SRC@ @MNT@"),
    # libfuse's examples as they come, and its low-level one set up for speed: one thread, everything cached.
    Variant("ll", "peer", "@PEERS@/passthrough_ll -f -o source=@SRC@ @MNT@", "@PEERS@/passthrough_ll"),
    Variant("ll-single", "peer", "@PEERS@/passthrough_ll -f -s -o source=@SRC@,cache=always @MNT@", "@PEERS@/passthrough_ll"),
    Variant("hp", "peer", "@PEERS@/passthrough_hp --foreground @SRC@ @MNT@", "@PEERS@/passthrough_hp"),
    Variant("hl", "peer", "@PEERS@/passthrough -f -o modules=subdir,subdir=@SRC@ @MNT@", "@PEERS@/passthrough"),
    Variant("hl-fh", "peer", "@PEERS@/passthrough_fh -f -o modules=subdir,subdir=@SRC@ @MNT@", "@PEERS@/passthrough_fh"),
    Variant("bindfs", "peer", "bindfs -f @SRC@ @MNT@", "bindfs"),
    Variant("mergerfs", "peer", "mergerfs -f @SRC@ @MNT@", "mergerfs"),
    Variant("sshfs", "peer", "sshfs -f -o ssh_command=@WORK@/sftp-pipe here:@SRC@ @MNT@", "sshfs"),
]
OUR_KINDS = ("mem", "pass", "through")
# Sources in libfuse3-dev's examples -> programs in @PEERS@.
EXAMPLES = ("passthrough_ll.c", "passthrough.c", "passthrough_fh.c", "passthrough_hp.cc")


def choose(only, extra):
    """Variants named in `only` (the usual ones if it is empty) and peers given as NAME=COMMAND. `native` comes first, always."""
    table = VARIANTS + [Variant(name, "peer", command) for name, command in (text.split("=", 1) for text in extra)]
    unknown = set(only) - {v.name for v in table}
    if unknown:
        raise SystemExit(f"bench: no variant named {', '.join(sorted(unknown))}; there are: {' '.join(v.name for v in table)}")
    return [v for v in table if v.kind == "native" or (v.name in only if only else v.usual)]
