#!/usr/bin/env bash
# usage: guest-run --modules "cifs ext4 loop" -- smb_conformance.sh ISTHMUS CONFORMANCE_FOLDER
# The conformance suite on a folder that `isthmus mount --via smb` shows: the kernel's SMB client with the POSIX extensions. What is left
# out is what that client does not do, whatever the server answers: each entry says how. "path": cifs looks at the name, not at the open.
set -uo pipefail
isthmus=$1 folder=$2
client=/guest/client store=/guest/store
fail() { echo "FAIL: $*"; dmesg | tail -n 8; cat /guest/out; exit 1; }
grep -q GUEST_RUN= /proc/cmdline || fail "this is for the guest: it mounts on /guest"

# Traits that Linux's client has not.
traits=ext4
traits+=,-other_users    # not with allow_other: see docs/smb.md
traits+=,-posix_acl      # of the POSIX extensions of SMB 1 only
traits+=,-xattrs_trusted # user.* only: extended attributes of SMB have no name spaces
traits+=,-clears_setid   # of what other users write
traits+=,-tmpfile,-rename_exchange,-rename_whiteout
traits+=,time_ns=100     # the unit of times in SMB
traits+=,-ctime,-atime   # attributes are believed for a second (actimeo), and reading is never told
traits+=,-unlinked_open  # path: a name that was removed leads to the file that had it for as long as that is open, also when it is another's
traits+=,-sparse         # st_blocks are counted by the client while a file is open

excepted=(
    Fallocate.Grows             # allocation is only by the size
    Fallocate.PunchHole         # st_blocks: the client's count
    Fallocate.CollapseAndInsert # done by reading and writing, in any unit
    Directory.RemovedWhileOpen  # path: no open for a folder that is not listed
    Open.CreateAppliesUmaskAndKeepsTheModeOfAnExistingFile # an open without O_EXCL shows the mode option file_mode for a second
    Rename.ReplacedFileStaysOpen # path
    Times.SharedMappingsChangeTheModificationTime # the time is the server's, which hears of it when pages are written back
    Statx.SameAsStat            # STATX_ATIME is not told (SB_NOATIME)
    Truncate.Large              # st_blocks
    Xattr.SetGetListRemove      # an extended attribute of SMB without a value is none
    Xattr.CreateAndReplace      # the flags are not looked at
    Xattr.BelongToTheFileNotToTheName # path
)
case $(uname -r) in
    6.1.*)
        traits+=,-symlinks,-special_files,-devices # cannot be made by SMB 3
        traits+=,-owners              # "TODO: map uid and gid from SID"
        excepted+=(
            Mmap.DirectWritesAreSeen  # pages that are mapped stay as they were
        )
        ;;
    *)
        excepted+=(
            Mknod.DeviceNumbers Mknod.UnixSocket # made without a mode (ACL_NO_MODE)
            Symlink.TargetsOfEveryLength  # 4,060 bytes (REPARSE_SYM_PATH_MAX)
            Symlink.TargetsAreBytes       # UTF-8, and // in front is /
            Symlink.SystemCallsThatFollowAndThatDoNot Symlink.TimesOfTheLinkItself # a link's own attributes are not set: no OPEN_REPARSE_POINT
        )
        ;;
esac
# An emulated machine takes minutes for these.
slow='Concurrency.*:Readdir.*:Chmod.EveryMode*:Names.*:Directory.ManySubdirectories:Link.ManyNames:Full.*:Exec.*:Statx.InodeNumbersAreUniqueAndStay'

mkdir "$client" "$store" /guest/native
# The tmpfs of 6.1 has no user.* attributes.
truncate -s 300m /guest/image && mkfs.ext4 -q -b 4096 -O ^has_journal,ea_inode -E lazy_itable_init=1 /guest/image && mount -o loop /guest/image "$store" ||
    fail "no ext4 file system in the guest"
"$isthmus" mount "$store" "$client" --via smb >/guest/out 2>&1 || fail "mount"
grep -qE ' cifs .*[, ]posix[, ]' /proc/self/mounts || fail "no POSIX extensions: $(cat /proc/self/mounts)"
echo "kernel $(uname -r)"
"$folder" --dir="$client" --native=/guest/native --traits="$traits" --patience=10 --gtest_filter="-$slow:$(IFS=: && echo "${excepted[*]}")"
status=$?
"$isthmus" unmount "$client" >/guest/out 2>&1 || fail "unmount"
exit "$status"
