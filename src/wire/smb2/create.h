#pragma once
#include "wire/smb2/codec.h"
#include "wire/smb2/file_times.h"

/// Opening a file. Contexts are in create_contexts.h.
namespace isthmus::smb2 {

/// CreateDisposition.
enum class Disposition : uint32_t { supersede, open, create, open_if, overwrite, overwrite_if };
constexpr uint32_t kDispositions = 6;

/// CreateOptions.
constexpr uint32_t kOptionDirectory = 0x1;
constexpr uint32_t kOptionWriteThrough = 0x2;
constexpr uint32_t kOptionSequentialOnly = 0x4;
constexpr uint32_t kOptionNoBuffering = 0x8;
constexpr uint32_t kOptionSynchronousAlert = 0x10;
constexpr uint32_t kOptionSynchronousNonAlert = 0x20;
constexpr uint32_t kOptionNonDirectory = 0x40;
constexpr uint32_t kOptionCompleteIfOplocked = 0x100;
constexpr uint32_t kOptionNoEaKnowledge = 0x200;
constexpr uint32_t kOptionOpenRemoteInstance = 0x400;
constexpr uint32_t kOptionRandomAccess = 0x800;
constexpr uint32_t kOptionDeleteOnClose = 0x1000;
constexpr uint32_t kOptionOpenByFileId = 0x2000;
constexpr uint32_t kOptionOpenForBackup = 0x4000;
constexpr uint32_t kOptionNoCompression = 0x8000;
constexpr uint32_t kOptionOpenRequiringOplock = 0x10000;
constexpr uint32_t kOptionDisallowExclusive = 0x20000;
constexpr uint32_t kOptionReserveOpfilter = 0x100000;
constexpr uint32_t kOptionOpenReparsePoint = 0x200000;
constexpr uint32_t kOptionOpenNoRecall = 0x400000;
constexpr uint32_t kOptionOpenForFreeSpaceQuery = 0x800000;
/// Others make a request invalid.
constexpr uint32_t kOptionsKnown = 0xFFFFFF;

/// Attributes of files (MS-FSCC section 2.6).
constexpr uint32_t kAttrReadOnly = 0x1;
constexpr uint32_t kAttrHidden = 0x2;
constexpr uint32_t kAttrSystem = 0x4;
constexpr uint32_t kAttrDirectory = 0x10;
constexpr uint32_t kAttrArchive = 0x20;
constexpr uint32_t kAttrNormal = 0x80;  ///< none of the others: only on its own
constexpr uint32_t kAttrTemporary = 0x100;
constexpr uint32_t kAttrSparse = 0x200;
constexpr uint32_t kAttrReparsePoint = 0x400;
constexpr uint32_t kAttrCompressed = 0x800;
constexpr uint32_t kAttrOffline = 0x1000;
constexpr uint32_t kAttrNotContentIndexed = 0x2000;
constexpr uint32_t kAttrEncrypted = 0x4000;
constexpr uint32_t kAttrIntegrityStream = 0x8000;
constexpr uint32_t kAttrNoScrubData = 0x20000;
constexpr uint32_t kAttrRecallOnOpen = 0x40000;
constexpr uint32_t kAttrPinned = 0x80000;
constexpr uint32_t kAttrUnpinned = 0x100000;
constexpr uint32_t kAttrRecallOnDataAccess = 0x400000;

constexpr uint32_t kShareRead = 1, kShareWrite = 2, kShareDelete = 4;

enum class OplockLevel : uint8_t { none = 0, level2 = 1, exclusive = 8, batch = 9, lease = 0xff };

/// ImpersonationLevel: the highest one, delegate. Higher ones are refused by bad_impersonation_level.
constexpr uint32_t kImpersonationMost = 3;

/// CreateAction: what became of the name.
constexpr uint32_t kActionSuperseded = 0, kActionOpened = 1, kActionCreated = 2, kActionOverwritten = 3;

/// What is to be there already.
constexpr bool must_exist(Disposition d) { return d == Disposition::open || d == Disposition::overwrite; }
constexpr bool overwrites(Disposition d) {
  return d == Disposition::overwrite || d == Disposition::overwrite_if || d == Disposition::supersede;
}
/// The action of a CREATE that finds what it names.
constexpr uint32_t action_on_existing(Disposition d) {
  if (d == Disposition::supersede) return kActionSuperseded;
  return overwrites(d) ? kActionOverwritten : kActionOpened;
}

/// Section 2.2.13.
struct CreateRequest {
  OplockLevel oplock = OplockLevel::none;
  uint32_t impersonation = 2, desired_access = 0, attributes = 0, share_access = 0;
  Disposition disposition = Disposition::open;  ///< may be kDispositions or more
  uint32_t options = 0;
  Bytes name;  ///< UTF-16, from the share's root on; empty: the root
  Bytes contexts;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(57);
    c.reserved(1);
    c.number(m.oplock);
    c.number(m.impersonation);
    c.reserved(16);
    c.number(m.desired_access);
    c.number(m.attributes);
    c.number(m.share_access);
    c.number(m.disposition);
    c.number(m.options);
    c.template buffer<uint16_t>(m.name);
    c.aligned_buffer(m.contexts);
  }
};

/// Section 2.2.14.
struct CreateResponse {
  static constexpr uint8_t kReparsePoint = 1;  ///< flags (3.x)
  OplockLevel oplock = OplockLevel::none;
  uint8_t flags = 0;
  uint32_t action = kActionOpened;
  FileTimes times;
  uint64_t allocation = 0, end_of_file = 0;
  uint32_t attributes = 0;
  FileId file_id;
  Bytes contexts;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(89);
    c.number(m.oplock);
    c.number(m.flags);
    c.number(m.action);
    FileTimes::fields(c, m.times);
    c.number(m.allocation);
    c.number(m.end_of_file);
    c.number(m.attributes);
    c.reserved(4);
    c.id(m.file_id);
    c.aligned_buffer(m.contexts);
  }
};

}  // namespace isthmus::smb2
