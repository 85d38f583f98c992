#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "doors/smb/open.h"
#include "vfs/types.h"
#include "wire/smb2/directory_info.h"
#include "wire/smb2/status.h"

/// What macOS asks of a server besides: the create context AAPL, and two streams of Finder's.
namespace isthmus::smb {

class Request;

/// AFP_AfpInfo: 60 bytes, FinderInfo of 32 inside. It goes when there is nothing in it, and is read from its beginning.
bool is_afp_info(std::string_view stream);
/// AFP_Resource: the resource fork, which is not there when it is empty, and goes in no other way.
bool is_afp_resource(std::string_view stream);
/// False: a stream of these two names with that data is none.
bool is_kept_by_apple(std::string_view stream, std::string_view data);
/// What is read of an AFP_AfpInfo that nobody has written to.
std::string new_afp_info();
/// Where a read begins.
uint64_t apple_offset(std::string_view stream, uint64_t offset);
/// What becomes of an AFP_AfpInfo by a write, which begins with its signature whatever its offset. False: it may not.
bool write_afp_info(std::string& info, uint64_t offset, Bytes data);
smb2::NtStatus apple_allows_size(std::string_view stream, uint64_t size);

/// Answers the create context AAPL, and remembers for the session what was agreed to. Empty: no answer.
std::string answer_aapl(Request& r, Bytes asked);
/// What macOS gets with an entry of a listing. `may_delete`: by its folder. Views `finder_info`.
smb2::AaplEntry apple_entry(Request& r, NodeId node, const Attr& attr, bool may_delete, std::string& finder_info);

}  // namespace isthmus::smb
