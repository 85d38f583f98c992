#pragma once
#include <optional>
#include <string>

#include "base/file_time.h"
#include "doors/smb/open.h"
#include "vfs/dos_facts.h"
#include "vfs/types.h"
#include "wire/smb2/file_facts.h"

namespace isthmus::smb {

class Request;
struct Server;

smb2::FileTimes times_of(const Attr& attr);

/// Bits of FILE_ATTRIBUTE_* that clients can set.
constexpr uint32_t kDosBits = 0x1 | 0x2 | 0x4 | 0x20 | 0x100 | 0x200 | 0x1000 | 0x2000;

/// FILE_ATTRIBUTE_* of a file. stored: of its xattr, if it has one.
uint32_t attributes_of(const Server& server, const Attr& attr, std::optional<uint32_t> stored, std::string_view name);
/// With the xattr asked for. What it says of the time of birth gets into `attr`.
uint32_t attributes_of(Request& r, NodeId node, Attr& attr, std::string_view name);
/// Bits of a new file, or of one whose attributes are set. EOPNOTSUPP is no failure where none but those are set that
/// files have anyway.
Status set_attributes(Request& r, NodeId node, const Attr& attr, uint32_t attributes);

/// After a change through the request's open, which may have set the time of the last write for good (MS-FSA sections
/// 2.1.4.17 and 2.1.5.14.2).
void keep_write_time(Request& r);

/// FILETIME of birth: by the file system, or else in the xattr.
Status set_creation(Request& r, NodeId node, uint64_t time);

/// Facts that listings and queries share. Names and lists are left out.
smb2::FileFacts facts_of(const Server& server, const Attr& attr, uint32_t attributes);
uint64_t allocation_of(const Attr& attr);
uint64_t stream_allocation(uint64_t size);

/// Rights that the server's user has on a file (windows::Rights). `may_delete`: by its folder.
uint32_t rights_of(Request& r, NodeId node, const Attr& attr, bool may_delete);
/// Whether what is in a folder may be deleted there. None: of the root.
bool may_delete_in(Request& r, NodeId folder);

/// What CREATE and CLOSE answer of an open. `stream_size`: of its stream, if it is of one.
template <class Response>
void describe(Response& to, Request& r, const Open& open, Attr& attr, std::optional<uint64_t> stream_size = {}) {
  to.attributes = attributes_of(r, open.file->node, attr, open.file->name_now());
  to.times = times_of(attr);
  to.allocation = stream_size ? stream_allocation(*stream_size) : allocation_of(attr);
  to.end_of_file = stream_size ? *stream_size : open.file->directory ? 0 : attr.size;
}

}  // namespace isthmus::smb
