#pragma once
#include <cstdint>
#include <string>

/// Bits and limits of the FUSE kernel protocol. "7.N" in a comment is the protocol minor that introduced the bit.
namespace isthmus::wire::fuse {

/// The versions: a kernel older than 7.23 is refused by the door, a newer one than 7.45 speaks our minor.
inline constexpr uint32_t kMajor = 7;
inline constexpr uint32_t kMinor = 45;
inline constexpr uint32_t kOldestMinor = 23;

inline constexpr uint64_t kRootId = 1;
/// A read buffer below this is refused by the kernel; one needs max_write and the headers besides.
inline constexpr uint32_t kMinReadBuffer = 8192;
/// The longest name the kernel sends: 1024 until Linux 6.13, PATH_MAX - 1 since (FUSE_NAME_MAX in fs/fuse/fuse_i.h).
inline constexpr uint32_t kNameMax = 4095;
/// The longest name every kernel takes back in a directory entry or a notification.
inline constexpr uint32_t kNameMaxOld = 1024;
inline constexpr uint32_t kXattrNameMax = 255;

/// INIT capabilities as one 64-bit word, flags | flags2 << 32: kInitAsyncRead and so on, from init_flags.def.
#define X(constant, bit, name, since) inline constexpr uint64_t kInit##constant = uint64_t{1} << (bit);
#include "wire/fuse/init_flags.def"
#undef X

/// "ASYNC_READ POSIX_LOCKS bit31": the names of the set bits, unnamed ones as bitN. For logs.
std::string init_flag_names(uint64_t flags);

/// SetattrIn.valid
inline constexpr uint32_t kFattrMode = 1u << 0;
inline constexpr uint32_t kFattrUid = 1u << 1;
inline constexpr uint32_t kFattrGid = 1u << 2;
inline constexpr uint32_t kFattrSize = 1u << 3;
inline constexpr uint32_t kFattrAtime = 1u << 4;
inline constexpr uint32_t kFattrMtime = 1u << 5;
inline constexpr uint32_t kFattrFh = 1u << 6;
inline constexpr uint32_t kFattrAtimeNow = 1u << 7;      // 7.9
inline constexpr uint32_t kFattrMtimeNow = 1u << 8;      // 7.9
inline constexpr uint32_t kFattrLockowner = 1u << 9;     // 7.9
inline constexpr uint32_t kFattrCtime = 1u << 10;        // 7.23
inline constexpr uint32_t kFattrKillSuidgid = 1u << 11;  // 7.33

/// OpenOut.open_flags
inline constexpr uint32_t kFopenDirectIo = 1u << 0;
inline constexpr uint32_t kFopenKeepCache = 1u << 1;
inline constexpr uint32_t kFopenNonseekable = 1u << 2;           // 7.10
inline constexpr uint32_t kFopenCacheDir = 1u << 3;              // 7.28
inline constexpr uint32_t kFopenStream = 1u << 4;                // 7.31
inline constexpr uint32_t kFopenNoflush = 1u << 5;               // 7.35
inline constexpr uint32_t kFopenParallelDirectWrites = 1u << 6;  // 7.38
inline constexpr uint32_t kFopenPassthrough = 1u << 7;           // 7.40, OpenOut.backing_id is valid

/// OpenIn.open_flags, CreateIn.open_flags
inline constexpr uint32_t kOpenKillSuidgid = 1u << 0;  // 7.33

/// CuseInitIn.flags, CuseInitOut.flags
inline constexpr uint32_t kCuseUnrestrictedIoctl = 1u << 0;
/// The device information that follows CuseInitOut, at most.
inline constexpr uint32_t kCuseInitInfoMax = 4096;

/// ReleaseIn.release_flags
inline constexpr uint32_t kReleaseFlush = 1u << 0;
inline constexpr uint32_t kReleaseFlockUnlock = 1u << 1;  // 7.17

/// GetattrIn.getattr_flags, StatxIn.getattr_flags
inline constexpr uint32_t kGetattrFh = 1u << 0;  // 7.9

/// LkIn.lk_flags
inline constexpr uint32_t kLkFlock = 1u << 0;  // 7.9

/// WriteIn.write_flags
inline constexpr uint32_t kWriteCache = 1u << 0;        // 7.9: from the page cache, the file handle is guessed
inline constexpr uint32_t kWriteLockowner = 1u << 1;    // 7.9
inline constexpr uint32_t kWriteKillSuidgid = 1u << 2;  // 7.31

/// ReadIn.read_flags
inline constexpr uint32_t kReadLockowner = 1u << 1;  // 7.9

/// IoctlIn.flags, IoctlOut.flags
inline constexpr uint32_t kIoctlCompat = 1u << 0;        // 7.11
inline constexpr uint32_t kIoctlUnrestricted = 1u << 1;  // 7.11: CUSE only, Retry is allowed
inline constexpr uint32_t kIoctlRetry = 1u << 2;         // 7.11
inline constexpr uint32_t kIoctl32Bit = 1u << 3;         // 7.16
inline constexpr uint32_t kIoctlDir = 1u << 4;           // 7.18
inline constexpr uint32_t kIoctlCompatX32 = 1u << 5;     // 7.30
/// IoctlOut.in_iovs + out_iovs, at most.
inline constexpr uint32_t kIoctlMaxIov = 256;

/// PollIn.flags
inline constexpr uint32_t kPollScheduleNotify = 1u << 0;  // 7.11

/// FsyncIn.fsync_flags
inline constexpr uint32_t kFsyncFdatasync = 1u << 0;

/// Attr.flags
inline constexpr uint32_t kAttrSubmount = 1u << 0;  // 7.32
inline constexpr uint32_t kAttrDax = 1u << 1;       // 7.36

/// SetxattrIn.setxattr_flags, sent when kInitSetxattrExt was agreed on
inline constexpr uint32_t kSetxattrAclKillSgid = 1u << 0;  // 7.33

/// NotifyInvalEntryOut.flags
inline constexpr uint32_t kExpireOnly = 1u << 0;  // 7.38, needs kInitHasExpireOnly

/// SetupmappingIn.flags
inline constexpr uint64_t kSetupmappingWrite = 1u << 0;  // 7.31
inline constexpr uint64_t kSetupmappingRead = 1u << 1;   // 7.31

/// ExtHeader.type: up to kMaxNrSecctx it is the number of contexts of a SecctxHeader.
inline constexpr uint32_t kMaxNrSecctx = 31;  // 7.38
inline constexpr uint32_t kExtGroups = 32;    // 7.38, SuppGroups

/// InHeader.unique: the request was sent before, to a server that did not answer it (kInitHasResend). Answer with the
/// bit kept.
inline constexpr uint64_t kUniqueResend = uint64_t{1} << 63;  // 7.40
/// InHeader.uid and gid under kInitAllowIdmap where the mapping does not apply (all but the creating requests).
inline constexpr uint32_t kInvalidUidGid = 0xffffffffu;  // 7.41

}  // namespace isthmus::wire::fuse
