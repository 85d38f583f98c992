#include "doors/smb/apple.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/endian.h"
#include "base/utf16.h"
#include "doors/smb/facts.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "windows/fold.h"
#include "wire/smb2/create_contexts.h"

namespace isthmus::smb {
namespace {

using smb2::AaplRequest;
using smb2::AaplResponse;
using smb2::NtStatus;

constexpr std::string_view kAfpInfo = "AFP_AfpInfo", kAfpResource = "AFP_Resource";
constexpr size_t kAfpInfoSize = 60, kFinderInfoAt = 16, kFinderInfoSize = 32;
constexpr std::string_view kAfpMagic{"AFP\0\0\0\1\0", 8};  // and the version
constexpr int64_t kYear2000 = 946'684'800;                 // seconds; Apple's dates begin there
constexpr std::string_view kModel = "Isthmus1";

}  // namespace

bool is_afp_info(std::string_view stream) { return windows::same_but_case(stream, kAfpInfo); }
bool is_afp_resource(std::string_view stream) { return windows::same_but_case(stream, kAfpResource); }

bool is_kept_by_apple(std::string_view stream, std::string_view data) {
  if (is_afp_resource(stream)) return !data.empty();
  if (!is_afp_info(stream)) return true;
  if (data.size() != kAfpInfoSize || !data.starts_with(kAfpMagic)) return false;
  const std::string_view finder_info = data.substr(kFinderInfoAt, kFinderInfoSize);
  return finder_info.find_first_not_of('\0') != std::string_view::npos;
}

std::string new_afp_info() {
  std::string info(kAfpMagic);
  info.resize(kAfpInfoSize);
  return info;
}

uint64_t apple_offset(std::string_view stream, uint64_t offset) {
  return is_afp_info(stream) && offset <= kAfpInfoSize ? 0 : offset;
}

bool write_afp_info(std::string& info, uint64_t offset, Bytes data) {
  const std::string_view text = as_text(data).substr(0, kAfpInfoSize);
  if (!text.starts_with(kAfpMagic.substr(0, 3)) || (offset != 0 && text.size() < kAfpInfoSize)) return false;
  if (text.size() > kFinderInfoAt) info.replace(0, text.size(), text);
  return true;
}

NtStatus apple_allows_size(std::string_view stream, uint64_t size) {
  return is_afp_info(stream) && size > kAfpInfoSize ? NtStatus::allotted_space_exceeded : NtStatus::success;
}

std::string answer_aapl(Request& r, Bytes asked) {
  const auto m = smb2::read_data<AaplRequest>(asked);
  if (!m || m->command != AaplRequest::kServerQuery) return {};
  AaplResponse answer;
  answer.bitmap = m->bitmap & (AaplRequest::kServerCaps | AaplRequest::kVolumeCaps | AaplRequest::kModelInfo);
  answer.server_caps = AaplResponse::kUnixBased | AaplResponse::kNfsAce | AaplResponse::kOsxCopyFile;
  const bool entries = m->client_caps & AaplResponse::kReadDirAttr;
  if (entries) answer.server_caps |= AaplResponse::kReadDirAttr;
  answer.volume_caps = AaplResponse::kFullSync;
  if (r.server.options.case_sensitive) answer.volume_caps |= AaplResponse::kCaseSensitive;
  answer.model = utf16_of(kModel).value_or("");
  r.session->apple.store(true, std::memory_order_relaxed);
  if (entries && (m->bitmap & AaplRequest::kServerCaps))
    r.session->apple_entries.store(true, std::memory_order_relaxed);
  return smb2::write_aapl(answer);
}

smb2::AaplEntry apple_entry(Request& r, NodeId node, const Attr& attr, bool may_delete, std::string& finder_info) {
  smb2::AaplEntry entry;
  entry.max_access = rights_of(r, node, attr, may_delete);
  entry.mode = static_cast<uint16_t>(attr.mode);
  finder_info.clear();
  const bool file = (attr.mode & S_IFMT) == S_IFREG;
  std::string info(kFinderInfoSize, '\0');
  if (file || (attr.mode & S_IFMT) == S_IFDIR) {
    // Most files have none.
    const auto names = stream_names(r, node);
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      if (!is_afp_info(name) && !(file && is_afp_resource(name))) continue;
      const auto data = stream_data(r, node, name);
      if (data && is_afp_info(name)) info = data->substr(kFinderInfoAt, kFinderInfoSize);
      if (data && is_afp_resource(name)) entry.resource_fork_size = data->size();
    }
  }
  // Directories have no type and creator, but the window's place there.
  finder_info = file ? info.substr(0, 8) : std::string(8, '\0');
  finder_info += info.substr(8, 2) + info.substr(24, 2);
  const Time birth = attr.has_btime ? attr.btime : attr.mtime;
  const auto added = static_cast<uint32_t>(birth.sec - kYear2000);
  for (int shift = 24; shift >= 0; shift -= 8) finder_info += static_cast<char>(added >> shift & 0xff);
  entry.finder_info = finder_info;
  return entry;
}

}  // namespace isthmus::smb
