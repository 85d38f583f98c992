#pragma once
#include "wire/smb2/codec.h"

/// What a client says and asks besides when it opens a file (sections 2.2.13.2 and 2.2.14.2). Data with `fields` is
/// read by read_exactly() and written by write_data().
namespace isthmus::smb2 {

struct CreateContext {
  std::string_view name;
  Bytes data;
};

/// In the order of the list, which they view. None: malformed, or more than `most`.
std::optional<std::vector<CreateContext>> read_create_contexts(Bytes list, size_t most = 64);
/// The first of that name; null: none.
const CreateContext* find_context(const std::vector<CreateContext>& contexts, std::string_view name);
/// `list`: empty, or what former calls made of it.
void append_create_context(std::string& list, std::string_view name, Bytes data);

constexpr std::string_view kContextExtendedAttributes = "ExtA";  ///< a list of ea.h
constexpr std::string_view kContextSecurity = "SecD";            ///< a security descriptor
constexpr std::string_view kContextDurable = "DHnQ";
constexpr std::string_view kContextDurableReconnect = "DHnC";
constexpr std::string_view kContextDurableV2 = "DH2Q";
constexpr std::string_view kContextDurableReconnectV2 = "DH2C";
constexpr std::string_view kContextAllocationSize = "AlSi";
constexpr std::string_view kContextMaximalAccess = "MxAc";
constexpr std::string_view kContextTimewarp = "TWrp";
constexpr std::string_view kContextOnDiskId = "QFid";  ///< the request has no data
constexpr std::string_view kContextLease = "RqLs";
constexpr std::string_view kContextAapl = "AAPL";
constexpr std::string_view kContextPosix = kPosixGuid;
constexpr std::string_view kContextAppInstanceId{"\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74",
                                                 16};
constexpr std::string_view kContextAppInstanceVersion{
    "\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10", 16};

constexpr uint32_t kLeaseRead = 1, kLeaseHandle = 2, kLeaseWrite = 4;
constexpr uint32_t kLeaseBreaking = 2, kLeaseParentKeySet = 4;  // flags

/// Request and response (sections 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10, 2.2.14.2.11).
struct Lease {
  Guid key{};
  uint32_t state = 0, flags = 0;
  uint64_t duration = 0;       ///< reserved
  std::optional<Guid> parent;  ///< of v2; writing it sets kLeaseParentKeySet, which `flags` has not
  uint16_t epoch = 0;          ///< of v2
  bool v2 = false;

  bool operator==(const Lease&) const = default;
};
/// The size says which version it is: 32 or 52 bytes. None: neither.
std::optional<Lease> read_lease(Bytes data);
std::string write_lease(const Lease& m);

/// DHnQ: sections 2.2.13.2.3 and 2.2.14.2.3.
struct DurableRequest {
  template <class C, class M>
  static void fields(C& c, M&) {
    c.reserved(16);
  }
};
struct DurableResponse {
  template <class C, class M>
  static void fields(C& c, M&) {
    c.reserved(8);
  }
};
/// DHnC: section 2.2.13.2.4. It has no response.
struct DurableReconnect {
  FileId file_id;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.id(m.file_id);
  }
};

constexpr uint32_t kDurablePersistent = 2;  // flags of v2

/// DH2Q: section 2.2.13.2.11.
struct DurableV2Request {
  uint32_t timeout = 0;  ///< ms; 0: as the server likes
  uint32_t flags = 0;
  Guid create_guid{};

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.timeout);
    c.number(m.flags);
    c.reserved(8);
    c.id(m.create_guid);
  }
};
/// Section 2.2.14.2.12.
struct DurableV2Response {
  uint32_t timeout = 0;  ///< ms
  uint32_t flags = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.timeout);
    c.number(m.flags);
  }
};
/// DH2C: section 2.2.13.2.12. It has no response.
struct DurableV2Reconnect {
  FileId file_id;
  Guid create_guid{};
  uint32_t flags = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.id(m.file_id);
    c.id(m.create_guid);
    c.number(m.flags);
  }
};

/// MxAc: section 2.2.13.2.5. The request's data may be empty, too, and then no answer depends on the time.
struct MaximalAccessRequest {
  uint64_t timestamp = 0;  ///< FILETIME of the last change that the client knows: no answer if it is the file's

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.timestamp);
  }
};
/// Section 2.2.14.2.5.
struct MaximalAccessResponse {
  NtStatus status = NtStatus::success;
  uint32_t access = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.status);
    c.number(m.access);
  }
};

/// QFid: section 2.2.14.2.9.
struct OnDiskIdResponse {
  uint64_t file_id = 0, volume_id = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.file_id);
    c.number(m.volume_id);
    c.reserved(16);
  }
};

/// AlSi: section 2.2.13.2.6.
struct AllocationSizeRequest {
  uint64_t size = 0;  ///< bytes

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.size);
  }
};

/// TWrp: section 2.2.13.2.7.
struct TimewarpRequest {
  uint64_t timestamp = 0;  ///< FILETIME: the file as it was then

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.timestamp);
  }
};

/// Section 2.2.13.2.13.
struct AppInstanceIdRequest {
  Guid id{};

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.structure_size(20);
    c.reserved(2);
    c.id(m.id);
  }
};

/// Apple's extension, not in Microsoft's documents: a client asks about the server when it opens the first file.
struct AaplRequest {
  static constexpr uint32_t kServerQuery = 1, kResolveId = 2;                  // commands
  static constexpr uint64_t kServerCaps = 1, kVolumeCaps = 2, kModelInfo = 4;  // bitmap
  uint32_t command = kServerQuery;
  uint64_t bitmap = 0, client_caps = 0;

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.command);
    c.reserved(4);
    c.number(m.bitmap);
    c.number(m.client_caps);
  }
};
struct AaplResponse {
  static constexpr uint64_t kReadDirAttr = 1, kOsxCopyFile = 2, kUnixBased = 4, kNfsAce = 8;  // server_caps
  static constexpr uint64_t kSupportsResolveId = 1, kCaseSensitive = 2, kFullSync = 4;        // volume_caps
  uint64_t bitmap = 0;  ///< what of the following is said
  uint64_t server_caps = 0, volume_caps = 0;
  std::string model;  ///< UTF-16
};
/// The answer to kServerQuery.
std::string write_aapl(const AaplResponse& m);

/// The POSIX extensions.
struct PosixCreateRequest {
  static constexpr uint32_t kNoMode = ~0u;  ///< Linux's client: nothing is to be made
  uint32_t mode = 0;                        ///< permission bits, of a file that is made

  template <class C, class M>
  static void fields(C& c, M& m) {
    c.number(m.mode);
  }
};
struct PosixCreateResponse {
  uint32_t links = 0, reparse_tag = 0, mode = 0;
  Bytes owner, group;  ///< SIDs
};
std::string write_posix_create(const PosixCreateResponse& m);

}  // namespace isthmus::smb2
