#include "doors/smb/names.h"

#include <algorithm>

#include "base/utf16.h"
#include "base/utf8.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "windows/fold.h"
#include "windows/names.h"

namespace isthmus::smb {
namespace {

constexpr std::chrono::seconds kUntoldTime{1};  // names of a file system that changes without a word

bool is_refused(std::string_view name) { return name.find_first_of("*?<>\"|/") != std::string_view::npos; }

/// "NAME", "NAME:$DATA" or ":$DATA", as it stands behind a file's name (MS-FSCC section 2.1.5). There are no other
/// types.
bool read_stream_name(std::string_view text, ClientPath& path) {
  const size_t colon = text.find(':');
  path.data = colon != std::string_view::npos;
  path.stream = text.substr(0, colon);
  if (path.data && !windows::same_but_case(text.substr(colon + 1), "$DATA")) return false;
  if (path.stream.empty() && !path.data) return false;
  return path.stream.size() <= kMostStreamName && path.stream.find('/') == std::string::npos;
}

struct NameSink final : DirSink {
  bool add(const DirEntry& e) override {
    cookie = e.cookie;
    some = true;
    if (e.name != "." && e.name != "..") names.emplace_back(e.name);
    return true;
  }
  std::vector<std::string> names;
  uint64_t cookie = 0;
  bool some = false;
};

}  // namespace

ClientPath read_path(Bytes utf16, bool posix) {
  ClientPath path;
  auto refuse = [&path](smb2::NtStatus s) {
    path.status = s;
    return path;
  };
  const auto text = utf8_of(utf16);
  if (!text || text->find('\0') != std::string::npos) return refuse(smb2::NtStatus::object_name_invalid);
  std::string_view rest = *text;
  if (rest.starts_with('\\')) return refuse(smb2::NtStatus::invalid_parameter);
  const std::string_view separators = posix ? "\\/" : "\\";
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(separators), rest.size());
    std::string_view part = rest.substr(0, end);
    const bool last = end == rest.size();
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() && last) break;
    if (part.empty()) return refuse(smb2::NtStatus::object_name_invalid);
    if (part == "." || part == "..") return refuse(smb2::NtStatus::object_path_syntax_bad);
    if (posix) {
      auto own = windows::from_client(part, windows::NameRules::sfm);
      if (!own) return refuse(smb2::NtStatus::object_name_invalid);
      path.names.push_back(std::move(*own));
      continue;
    }
    if (const size_t colon = part.find(':'); colon != std::string_view::npos) {
      if (!last) return refuse(smb2::NtStatus::object_name_invalid);
      if (!read_stream_name(part.substr(colon + 1), path)) return refuse(smb2::NtStatus::object_name_invalid);
      part = part.substr(0, colon);
      if (part.empty()) continue;  // of the directory above, or of the root
    }
    if (is_refused(part)) return refuse(smb2::NtStatus::object_name_invalid);
    auto own = windows::from_client(part, windows::NameRules::sfm);
    if (!own) return refuse(smb2::NtStatus::object_name_invalid);
    path.names.push_back(std::move(*own));
  }
  return path;
}

std::string client_name(std::string_view name, bool posix) {
  const std::string mapped = windows::to_client(name, windows::NameRules::sfm);
  // What read_path() would take for something else is not told as it stands.
  const bool plain = posix && is_utf8(name) && name.find('\\') == std::string_view::npos &&
                     windows::from_client(name, windows::NameRules::sfm) == name;
  return utf16_of(plain ? name : mapped).value_or(std::string());
}

std::string client_path(std::string_view path, bool posix) {
  std::string out;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    out += std::string_view("\\\0", 2);
    out += client_name(path.substr(0, end), posix);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return out.empty() ? std::string("\\\0", 2) : out;
}

std::shared_ptr<FoldedNames::Directory> FoldedNames::find(NodeId dir) const {
  std::lock_guard lock(m_);
  const auto it = all_.find(dir);
  return it == all_.end() ? nullptr : it->second.directory;
}

std::shared_ptr<FoldedNames::Directory> FoldedNames::make(NodeId dir) {
  std::lock_guard lock(m_);
  auto [it, fresh] = all_.try_emplace(dir);
  if (!fresh) {
    recent_.splice(recent_.begin(), recent_, it->second.recent);
    return it->second.directory;
  }
  recent_.push_front(dir);
  it->second = {std::make_shared<Directory>(), recent_.begin()};
  auto made = it->second.directory;
  if (all_.size() > kMostDirectories) {
    all_.erase(recent_.back());
    recent_.pop_back();
  }
  return made;
}

std::vector<std::string> FoldedNames::alike(Request& r, NodeId dir, std::string_view name) {
  const Traits traits = r.server.port.traits();
  const bool told = !traits.changes_outside || traits.tells_changes;
  const std::string folded = windows::fold_case(name);
  const auto directory = make(dir);
  bool list = false;
  {
    std::lock_guard lock(directory->m);
    list = !directory->whole || (!told && Clock::now() - directory->since > kUntoldTime) ||
           directory->names.size() > kMostNames;
  }
  if (list) {
    // Names that are told meanwhile are put in as well.
    NameSink sink;
    op::OpenDir open;
    open.node = dir;
    auto opened = r.call(open);
    if (!opened) return {};
    bool more = true, failed = false;
    while (more && !failed) {
      sink.some = false;
      op::ReadDir read;
      read.node = dir;
      read.handle = opened->handle;
      read.cookie = sink.cookie;
      read.sink = &sink;
      failed = !r.call(read);
      more = sink.some;
    }
    op::ReleaseDir end{{}, dir, opened->handle};
    (void)r.call(end);
    if (failed) return {};
    std::lock_guard lock(directory->m);
    if (!told || directory->names.size() > kMostNames) directory->names.clear();
    for (std::string& n : sink.names) directory->names.emplace(windows::fold_case(n), std::move(n));
    directory->since = Clock::now();
    directory->whole = true;
  }
  std::vector<std::string> found;
  std::lock_guard lock(directory->m);
  const auto [first, last] = directory->names.equal_range(folded);
  for (auto it = first; it != last; ++it) {
    if (it->second != name && std::find(found.begin(), found.end(), it->second) == found.end())
      found.push_back(it->second);
  }
  return found;
}

void FoldedNames::may_be(NodeId dir, std::string_view name) {
  const auto directory = find(dir);
  if (!directory) return;
  std::string folded = windows::fold_case(name);
  std::lock_guard lock(directory->m);
  const auto [first, last] = directory->names.equal_range(folded);
  if (std::none_of(first, last, [&](const auto& n) { return n.second == name; }))
    directory->names.emplace(std::move(folded), name);
}

void FoldedNames::forget(NodeId dir) {
  std::lock_guard lock(m_);
  const auto it = all_.find(dir);
  if (it == all_.end()) return;
  recent_.erase(it->second.recent);
  all_.erase(it);
}

void FoldedNames::forget_all() {
  std::lock_guard lock(m_);
  all_.clear();
  recent_.clear();
}

Result<Entry> find_name(Request& r, NodeId dir, std::string& name, bool exact) {
  auto entry = r.call(op::Lookup{{}, dir, name});
  if (entry ? entry->node != NodeId::none : entry.error() != err(ENOENT)) return entry;
  if (exact) return Entry{};
  for (std::string& other : r.server.names.alike(r, dir, name)) {
    auto found = r.call(op::Lookup{{}, dir, other});
    if (!found || found->node == NodeId::none) continue;
    name = std::move(other);
    return found;
  }
  return Entry{};
}

}  // namespace isthmus::smb
