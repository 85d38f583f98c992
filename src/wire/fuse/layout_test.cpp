// Our declarations against the kernel's own, as far as the installed header goes, and against numbers beyond it.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <map>
#include <string>

#include "wire/fuse/protocol.h"
#if __has_include(<linux/fuse.h>)
#include <linux/fuse.h>
#endif

namespace isthmus::wire::fuse {
namespace {

static_assert(sizeof(InHeader) == 40 && sizeof(OutHeader) == 16);
static_assert(sizeof(Statx) == sizeof(struct ::statx) && offsetof(Statx, btime) == offsetof(struct ::statx, stx_btime));
static_assert(offsetof(Statx, mode) == offsetof(struct ::statx, stx_mode));
static_assert(offsetof(Statx, ino) == offsetof(struct ::statx, stx_ino));
static_assert(offsetof(Statx, attributes_mask) == offsetof(struct ::statx, stx_attributes_mask));
static_assert(offsetof(Statx, atime) == offsetof(struct ::statx, stx_atime));
static_assert(offsetof(Statx, ctime) == offsetof(struct ::statx, stx_ctime));
static_assert(offsetof(Statx, mtime) == offsetof(struct ::statx, stx_mtime));
static_assert(offsetof(Statx, rdev_major) == offsetof(struct ::statx, stx_rdev_major));
static_assert(offsetof(Statx, dev_minor) == offsetof(struct ::statx, stx_dev_minor));
static_assert(sizeof(StatxIn) == 24 && offsetof(StatxIn, sx_mask) == 20);
static_assert(sizeof(StatxOut) == 32 + sizeof(Statx));
static_assert(sizeof(InitOut) == 64 && offsetof(InitOut, max_stack_depth) == 36);
static_assert(offsetof(InitOut, request_timeout) == 40);
static_assert(sizeof(OpenOut) == 16 && offsetof(OpenOut, backing_id) == 12);
static_assert(sizeof(CopyFileRangeOut) == 8 && sizeof(NotifyPruneOut) == 16 && sizeof(SuppGroups) == 4);
static_assert(sizeof(BackingMap) == 16 && offsetof(BackingMap, padding) == 8);
static_assert(sizeof(UringEntInOut) == 32 && offsetof(UringEntInOut, payload_sz) == 16);
static_assert(sizeof(UringReqHeader) == 288 && offsetof(UringReqHeader, ring_ent_in_out) == 256);
static_assert(alignof(UringReqHeader) == 8);
static_assert(sizeof(UringCmdReq) == 24 && offsetof(UringCmdReq, qid) == 16);
static_assert(sizeof(NotifyRetrieveIn) == sizeof(WriteIn));
static_assert(init_out_size(23) == 64 && init_out_size(22) == 24 && init_out_size(4) == 8);
static_assert(kInitSecurityCtx == uint64_t{1} << 32 && kInitRequestTimeout == uint64_t{1} << 42);

#if defined(__x86_64__) || defined(__aarch64__)
static_assert(kDevIocClone == 0x8004e500 && kDevIocBackingOpen == 0x4010e501);
static_assert(kDevIocBackingClose == 0x4004e502 && kDevIocSyncInit == 0xe503);
#endif

#if defined(FUSE_KERNEL_MINOR_VERSION) && FUSE_KERNEL_MINOR_VERSION >= 38
#define SIZE(ours, theirs) \
  static_assert(sizeof(ours) == sizeof(struct ::theirs) && alignof(ours) == alignof(struct ::theirs))
#define FIELD(ours, theirs, field)                                           \
  static_assert(offsetof(ours, field) == offsetof(struct ::theirs, field) && \
                sizeof(ours::field) == sizeof(::theirs::field))

SIZE(InHeader, fuse_in_header);
FIELD(InHeader, fuse_in_header, opcode);
FIELD(InHeader, fuse_in_header, unique);
FIELD(InHeader, fuse_in_header, nodeid);
FIELD(InHeader, fuse_in_header, uid);
FIELD(InHeader, fuse_in_header, gid);
FIELD(InHeader, fuse_in_header, pid);
FIELD(InHeader, fuse_in_header, total_extlen);
SIZE(OutHeader, fuse_out_header);
FIELD(OutHeader, fuse_out_header, error);
FIELD(OutHeader, fuse_out_header, unique);
SIZE(Attr, fuse_attr);
FIELD(Attr, fuse_attr, ino);
FIELD(Attr, fuse_attr, size);
FIELD(Attr, fuse_attr, blocks);
FIELD(Attr, fuse_attr, atime);
FIELD(Attr, fuse_attr, mtime);
FIELD(Attr, fuse_attr, ctime);
FIELD(Attr, fuse_attr, atimensec);
FIELD(Attr, fuse_attr, mtimensec);
FIELD(Attr, fuse_attr, ctimensec);
FIELD(Attr, fuse_attr, mode);
FIELD(Attr, fuse_attr, nlink);
FIELD(Attr, fuse_attr, uid);
FIELD(Attr, fuse_attr, gid);
FIELD(Attr, fuse_attr, rdev);
FIELD(Attr, fuse_attr, blksize);
FIELD(Attr, fuse_attr, flags);
SIZE(EntryOut, fuse_entry_out);
FIELD(EntryOut, fuse_entry_out, generation);
FIELD(EntryOut, fuse_entry_out, entry_valid);
FIELD(EntryOut, fuse_entry_out, attr_valid);
FIELD(EntryOut, fuse_entry_out, entry_valid_nsec);
FIELD(EntryOut, fuse_entry_out, attr_valid_nsec);
FIELD(EntryOut, fuse_entry_out, attr);
SIZE(AttrOut, fuse_attr_out);
FIELD(AttrOut, fuse_attr_out, attr_valid_nsec);
FIELD(AttrOut, fuse_attr_out, attr);
SIZE(GetattrIn, fuse_getattr_in);
FIELD(GetattrIn, fuse_getattr_in, fh);
SIZE(SetattrIn, fuse_setattr_in);
FIELD(SetattrIn, fuse_setattr_in, fh);
FIELD(SetattrIn, fuse_setattr_in, size);
FIELD(SetattrIn, fuse_setattr_in, lock_owner);
FIELD(SetattrIn, fuse_setattr_in, atime);
FIELD(SetattrIn, fuse_setattr_in, mtime);
FIELD(SetattrIn, fuse_setattr_in, ctime);
FIELD(SetattrIn, fuse_setattr_in, atimensec);
FIELD(SetattrIn, fuse_setattr_in, mtimensec);
FIELD(SetattrIn, fuse_setattr_in, ctimensec);
FIELD(SetattrIn, fuse_setattr_in, mode);
FIELD(SetattrIn, fuse_setattr_in, uid);
FIELD(SetattrIn, fuse_setattr_in, gid);
SIZE(AccessIn, fuse_access_in);
SIZE(ForgetIn, fuse_forget_in);
SIZE(ForgetOne, fuse_forget_one);
FIELD(ForgetOne, fuse_forget_one, nlookup);
SIZE(BatchForgetIn, fuse_batch_forget_in);
SIZE(MknodIn, fuse_mknod_in);
FIELD(MknodIn, fuse_mknod_in, rdev);
FIELD(MknodIn, fuse_mknod_in, umask);
SIZE(MkdirIn, fuse_mkdir_in);
FIELD(MkdirIn, fuse_mkdir_in, umask);
SIZE(RenameIn, fuse_rename_in);
SIZE(Rename2In, fuse_rename2_in);
FIELD(Rename2In, fuse_rename2_in, flags);
SIZE(LinkIn, fuse_link_in);
SIZE(OpenIn, fuse_open_in);
FIELD(OpenIn, fuse_open_in, open_flags);
SIZE(CreateIn, fuse_create_in);
FIELD(CreateIn, fuse_create_in, mode);
FIELD(CreateIn, fuse_create_in, umask);
FIELD(CreateIn, fuse_create_in, open_flags);
SIZE(OpenOut, fuse_open_out);
FIELD(OpenOut, fuse_open_out, open_flags);
SIZE(ReleaseIn, fuse_release_in);
FIELD(ReleaseIn, fuse_release_in, flags);
FIELD(ReleaseIn, fuse_release_in, release_flags);
FIELD(ReleaseIn, fuse_release_in, lock_owner);
SIZE(FlushIn, fuse_flush_in);
FIELD(FlushIn, fuse_flush_in, lock_owner);
SIZE(ReadIn, fuse_read_in);
FIELD(ReadIn, fuse_read_in, offset);
FIELD(ReadIn, fuse_read_in, size);
FIELD(ReadIn, fuse_read_in, read_flags);
FIELD(ReadIn, fuse_read_in, lock_owner);
FIELD(ReadIn, fuse_read_in, flags);
SIZE(WriteIn, fuse_write_in);
FIELD(WriteIn, fuse_write_in, offset);
FIELD(WriteIn, fuse_write_in, size);
FIELD(WriteIn, fuse_write_in, write_flags);
FIELD(WriteIn, fuse_write_in, lock_owner);
FIELD(WriteIn, fuse_write_in, flags);
SIZE(WriteOut, fuse_write_out);
SIZE(FsyncIn, fuse_fsync_in);
FIELD(FsyncIn, fuse_fsync_in, fsync_flags);
SIZE(FallocateIn, fuse_fallocate_in);
FIELD(FallocateIn, fuse_fallocate_in, offset);
FIELD(FallocateIn, fuse_fallocate_in, length);
FIELD(FallocateIn, fuse_fallocate_in, mode);
SIZE(LseekIn, fuse_lseek_in);
FIELD(LseekIn, fuse_lseek_in, offset);
FIELD(LseekIn, fuse_lseek_in, whence);
SIZE(LseekOut, fuse_lseek_out);
SIZE(CopyFileRangeIn, fuse_copy_file_range_in);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, off_in);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, nodeid_out);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, fh_out);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, off_out);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, len);
FIELD(CopyFileRangeIn, fuse_copy_file_range_in, flags);
SIZE(FileLock, fuse_file_lock);
FIELD(FileLock, fuse_file_lock, end);
FIELD(FileLock, fuse_file_lock, type);
FIELD(FileLock, fuse_file_lock, pid);
SIZE(LkIn, fuse_lk_in);
FIELD(LkIn, fuse_lk_in, owner);
FIELD(LkIn, fuse_lk_in, lk);
FIELD(LkIn, fuse_lk_in, lk_flags);
SIZE(LkOut, fuse_lk_out);
SIZE(BmapIn, fuse_bmap_in);
FIELD(BmapIn, fuse_bmap_in, blocksize);
SIZE(BmapOut, fuse_bmap_out);
SIZE(IoctlIn, fuse_ioctl_in);
FIELD(IoctlIn, fuse_ioctl_in, flags);
FIELD(IoctlIn, fuse_ioctl_in, cmd);
FIELD(IoctlIn, fuse_ioctl_in, arg);
FIELD(IoctlIn, fuse_ioctl_in, in_size);
FIELD(IoctlIn, fuse_ioctl_in, out_size);
SIZE(IoctlIovec, fuse_ioctl_iovec);
FIELD(IoctlIovec, fuse_ioctl_iovec, len);
SIZE(IoctlOut, fuse_ioctl_out);
FIELD(IoctlOut, fuse_ioctl_out, flags);
FIELD(IoctlOut, fuse_ioctl_out, in_iovs);
FIELD(IoctlOut, fuse_ioctl_out, out_iovs);
SIZE(PollIn, fuse_poll_in);
FIELD(PollIn, fuse_poll_in, kh);
FIELD(PollIn, fuse_poll_in, flags);
FIELD(PollIn, fuse_poll_in, events);
SIZE(PollOut, fuse_poll_out);
SIZE(InterruptIn, fuse_interrupt_in);
static_assert(sizeof(Dirent) == FUSE_NAME_OFFSET && sizeof(Direntplus) == FUSE_NAME_OFFSET_DIRENTPLUS);
FIELD(Dirent, fuse_dirent, off);
FIELD(Dirent, fuse_dirent, namelen);
FIELD(Dirent, fuse_dirent, type);
static_assert(sizeof(SetxattrCompatIn) == FUSE_COMPAT_SETXATTR_IN_SIZE);
SIZE(SetxattrIn, fuse_setxattr_in);
FIELD(SetxattrIn, fuse_setxattr_in, flags);
FIELD(SetxattrIn, fuse_setxattr_in, setxattr_flags);
SIZE(GetxattrIn, fuse_getxattr_in);
SIZE(GetxattrOut, fuse_getxattr_out);
SIZE(Kstatfs, fuse_kstatfs);
FIELD(Kstatfs, fuse_kstatfs, ffree);
FIELD(Kstatfs, fuse_kstatfs, bsize);
FIELD(Kstatfs, fuse_kstatfs, namelen);
FIELD(Kstatfs, fuse_kstatfs, frsize);
SIZE(StatfsOut, fuse_statfs_out);
SIZE(SyncfsIn, fuse_syncfs_in);
SIZE(InitIn, fuse_init_in);
FIELD(InitIn, fuse_init_in, flags);
FIELD(InitIn, fuse_init_in, flags2);
SIZE(InitOut, fuse_init_out);
FIELD(InitOut, fuse_init_out, max_readahead);
FIELD(InitOut, fuse_init_out, flags);
FIELD(InitOut, fuse_init_out, max_background);
FIELD(InitOut, fuse_init_out, congestion_threshold);
FIELD(InitOut, fuse_init_out, max_write);
FIELD(InitOut, fuse_init_out, time_gran);
FIELD(InitOut, fuse_init_out, max_pages);
FIELD(InitOut, fuse_init_out, map_alignment);
FIELD(InitOut, fuse_init_out, flags2);
SIZE(CuseInitIn, cuse_init_in);
SIZE(CuseInitOut, cuse_init_out);
FIELD(CuseInitOut, cuse_init_out, dev_minor);
SIZE(SetupmappingIn, fuse_setupmapping_in);
FIELD(SetupmappingIn, fuse_setupmapping_in, moffset);
SIZE(RemovemappingIn, fuse_removemapping_in);
SIZE(RemovemappingOne, fuse_removemapping_one);
SIZE(ExtHeader, fuse_ext_header);
FIELD(ExtHeader, fuse_ext_header, type);
SIZE(SecctxHeader, fuse_secctx_header);
FIELD(SecctxHeader, fuse_secctx_header, nr_secctx);
SIZE(Secctx, fuse_secctx);
SIZE(NotifyPollWakeupOut, fuse_notify_poll_wakeup_out);
SIZE(NotifyInvalInodeOut, fuse_notify_inval_inode_out);
FIELD(NotifyInvalInodeOut, fuse_notify_inval_inode_out, off);
FIELD(NotifyInvalInodeOut, fuse_notify_inval_inode_out, len);
SIZE(NotifyInvalEntryOut, fuse_notify_inval_entry_out);
FIELD(NotifyInvalEntryOut, fuse_notify_inval_entry_out, namelen);
FIELD(NotifyInvalEntryOut, fuse_notify_inval_entry_out, flags);
SIZE(NotifyDeleteOut, fuse_notify_delete_out);
FIELD(NotifyDeleteOut, fuse_notify_delete_out, child);
FIELD(NotifyDeleteOut, fuse_notify_delete_out, namelen);
SIZE(NotifyStoreOut, fuse_notify_store_out);
FIELD(NotifyStoreOut, fuse_notify_store_out, offset);
FIELD(NotifyStoreOut, fuse_notify_store_out, size);
SIZE(NotifyRetrieveOut, fuse_notify_retrieve_out);
FIELD(NotifyRetrieveOut, fuse_notify_retrieve_out, nodeid);
FIELD(NotifyRetrieveOut, fuse_notify_retrieve_out, offset);
FIELD(NotifyRetrieveOut, fuse_notify_retrieve_out, size);
SIZE(NotifyRetrieveIn, fuse_notify_retrieve_in);
FIELD(NotifyRetrieveIn, fuse_notify_retrieve_in, offset);
FIELD(NotifyRetrieveIn, fuse_notify_retrieve_in, size);

static_assert(kRootId == FUSE_ROOT_ID && kMinReadBuffer == FUSE_MIN_READ_BUFFER && kDevIocClone == FUSE_DEV_IOC_CLONE);
static_assert(kFattrMode == FATTR_MODE && kFattrUid == FATTR_UID && kFattrGid == FATTR_GID && kFattrSize == FATTR_SIZE);
static_assert(kFattrAtime == FATTR_ATIME && kFattrMtime == FATTR_MTIME && kFattrFh == FATTR_FH);
static_assert(kFattrAtimeNow == FATTR_ATIME_NOW && kFattrMtimeNow == FATTR_MTIME_NOW);
static_assert(kFattrLockowner == FATTR_LOCKOWNER && kFattrCtime == FATTR_CTIME);
static_assert(kFattrKillSuidgid == FATTR_KILL_SUIDGID);
static_assert(kFopenDirectIo == FOPEN_DIRECT_IO && kFopenKeepCache == FOPEN_KEEP_CACHE);
static_assert(kFopenNonseekable == FOPEN_NONSEEKABLE && kFopenCacheDir == FOPEN_CACHE_DIR);
static_assert(kFopenStream == FOPEN_STREAM && kFopenNoflush == FOPEN_NOFLUSH);
static_assert(kFopenParallelDirectWrites == FOPEN_PARALLEL_DIRECT_WRITES);
static_assert(kOpenKillSuidgid == FUSE_OPEN_KILL_SUIDGID && kCuseUnrestrictedIoctl == CUSE_UNRESTRICTED_IOCTL);
static_assert(kCuseInitInfoMax == CUSE_INIT_INFO_MAX && kIoctlMaxIov == FUSE_IOCTL_MAX_IOV);
static_assert(kReleaseFlush == FUSE_RELEASE_FLUSH && kReleaseFlockUnlock == FUSE_RELEASE_FLOCK_UNLOCK);
static_assert(kGetattrFh == FUSE_GETATTR_FH && kLkFlock == FUSE_LK_FLOCK && kReadLockowner == FUSE_READ_LOCKOWNER);
static_assert(kWriteCache == FUSE_WRITE_CACHE && kWriteLockowner == FUSE_WRITE_LOCKOWNER);
static_assert(kWriteKillSuidgid == FUSE_WRITE_KILL_SUIDGID);
static_assert(kIoctlCompat == FUSE_IOCTL_COMPAT && kIoctlUnrestricted == FUSE_IOCTL_UNRESTRICTED);
static_assert(kIoctlRetry == FUSE_IOCTL_RETRY && kIoctl32Bit == FUSE_IOCTL_32BIT && kIoctlDir == FUSE_IOCTL_DIR);
static_assert(kIoctlCompatX32 == FUSE_IOCTL_COMPAT_X32 && kPollScheduleNotify == FUSE_POLL_SCHEDULE_NOTIFY);
static_assert(kFsyncFdatasync == FUSE_FSYNC_FDATASYNC && kAttrSubmount == FUSE_ATTR_SUBMOUNT);
static_assert(kAttrDax == FUSE_ATTR_DAX && kSetxattrAclKillSgid == FUSE_SETXATTR_ACL_KILL_SGID);
static_assert(kExpireOnly == FUSE_EXPIRE_ONLY && kMaxNrSecctx == FUSE_MAX_NR_SECCTX);
static_assert(kSetupmappingWrite == FUSE_SETUPMAPPING_FLAG_WRITE && kSetupmappingRead == FUSE_SETUPMAPPING_FLAG_READ);

TEST(FuseLayout, OpcodesHaveTheKernelsNumbers) {
#define K(name) \
  { #name, FUSE_##name }
  const std::map<std::string, uint32_t> kernel = {K(LOOKUP),
                                                  K(FORGET),
                                                  K(GETATTR),
                                                  K(SETATTR),
                                                  K(READLINK),
                                                  K(SYMLINK),
                                                  K(MKNOD),
                                                  K(MKDIR),
                                                  K(UNLINK),
                                                  K(RMDIR),
                                                  K(RENAME),
                                                  K(LINK),
                                                  K(OPEN),
                                                  K(READ),
                                                  K(WRITE),
                                                  K(STATFS),
                                                  K(RELEASE),
                                                  K(FSYNC),
                                                  K(SETXATTR),
                                                  K(GETXATTR),
                                                  K(LISTXATTR),
                                                  K(REMOVEXATTR),
                                                  K(FLUSH),
                                                  K(INIT),
                                                  K(OPENDIR),
                                                  K(READDIR),
                                                  K(RELEASEDIR),
                                                  K(FSYNCDIR),
                                                  K(GETLK),
                                                  K(SETLK),
                                                  K(SETLKW),
                                                  K(ACCESS),
                                                  K(CREATE),
                                                  K(INTERRUPT),
                                                  K(BMAP),
                                                  K(DESTROY),
                                                  K(IOCTL),
                                                  K(POLL),
                                                  K(NOTIFY_REPLY),
                                                  K(BATCH_FORGET),
                                                  K(FALLOCATE),
                                                  K(READDIRPLUS),
                                                  K(RENAME2),
                                                  K(LSEEK),
                                                  K(COPY_FILE_RANGE),
                                                  K(SETUPMAPPING),
                                                  K(REMOVEMAPPING),
                                                  K(SYNCFS),
                                                  K(TMPFILE),
                                                  {"CUSE_INIT", CUSE_INIT},
                                                  {"STATX", 52},
                                                  {"COPY_FILE_RANGE_64", 53}};
#undef K
  std::map<std::string, uint32_t> ours;
  for (const OpcodeInfo& info : kOpcodes) ours[std::string(info.name)] = static_cast<uint32_t>(info.opcode);
  EXPECT_EQ(ours, kernel);
}

TEST(FuseLayout, InitFlagsHaveTheKernelsBits) {
#define K(name)                     \
  {                                 \
#name, uint64_t { FUSE_##name } \
  }
  const std::map<std::string, uint64_t> kernel = {
      K(ASYNC_READ),         K(POSIX_LOCKS),         K(FILE_OPS),         K(ATOMIC_O_TRUNC),
      K(EXPORT_SUPPORT),     K(BIG_WRITES),          K(DONT_MASK),        K(SPLICE_WRITE),
      K(SPLICE_MOVE),        K(SPLICE_READ),         K(FLOCK_LOCKS),      K(HAS_IOCTL_DIR),
      K(AUTO_INVAL_DATA),    K(DO_READDIRPLUS),      K(READDIRPLUS_AUTO), K(ASYNC_DIO),
      K(WRITEBACK_CACHE),    K(NO_OPEN_SUPPORT),     K(PARALLEL_DIROPS),  K(HANDLE_KILLPRIV),
      K(POSIX_ACL),          K(ABORT_ERROR),         K(MAX_PAGES),        K(CACHE_SYMLINKS),
      K(NO_OPENDIR_SUPPORT), K(EXPLICIT_INVAL_DATA), K(MAP_ALIGNMENT),    K(SUBMOUNTS),
      K(HANDLE_KILLPRIV_V2), K(SETXATTR_EXT),        K(INIT_EXT),         K(SECURITY_CTX),
      K(HAS_INODE_DAX),      K(HAS_EXPIRE_ONLY)};
#undef K
  for (const auto& [name, bits] : kernel) EXPECT_EQ(init_flag_names(bits), name);
}
#endif

TEST(FuseLayout, NewerInitFlags) {
  EXPECT_EQ(init_flag_names(kInitCreateSuppGroup | uint64_t{1} << 43), "CREATE_SUPP_GROUP bit43");
  EXPECT_EQ(
      init_flag_names(uint64_t{0x3ff} << 34),
      "CREATE_SUPP_GROUP HAS_EXPIRE_ONLY DIRECT_IO_ALLOW_MMAP PASSTHROUGH NO_EXPORT_SUPPORT HAS_RESEND ALLOW_IDMAP "
      "OVER_IO_URING REQUEST_TIMEOUT bit43");
  EXPECT_EQ(init_flag_names(0), "");
  EXPECT_EQ(init_flag_names(uint64_t{1} << 31), "bit31");
}

TEST(FuseLayout, OpcodesAreFoundByNumber) {
  for (const OpcodeInfo& info : kOpcodes) {
    EXPECT_EQ(find_opcode(static_cast<uint32_t>(info.opcode)), &info);
    EXPECT_EQ(to_string(info.opcode), info.name);
  }
  for (const uint32_t number : {0u, 7u, 19u, 54u, 63u, 64u, 4095u, 4097u, 1048576u, 436207616u, 0xffffffffu}) {
    EXPECT_EQ(find_opcode(number), nullptr) << number;
    EXPECT_EQ(to_string(Opcode{number}), "?");
  }
  EXPECT_EQ(to_string(NotifyCode::IncEpoch), "INC_EPOCH");
  EXPECT_EQ(to_string(NotifyCode{77}), "?");
}

}  // namespace
}  // namespace isthmus::wire::fuse
