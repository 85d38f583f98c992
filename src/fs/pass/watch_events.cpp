#include "fs/pass/watch_events.h"

#include <sys/fanotify.h>

#include <algorithm>
#include <cstring>

namespace isthmus::fs::pass {

namespace {

template <class T>
bool take(Bytes& from, T& to) {
  if (from.size() < sizeof to) return false;
  std::memcpy(&to, from.data(), sizeof to);
  from = from.subspan(sizeof to);
  return true;
}

/// A struct file_handle, and the name after it.
void take_handle(Bytes record, KernelHandle& handle, std::string* name) {
  uint32_t size = 0;
  int32_t type = 0;
  if (!take(record, size) || !take(record, type) || record.size() < size) return;
  handle.type = type;
  handle.bytes.assign(as_text(record.first(size)));
  if (!name) return;
  auto text = as_text(record.subspan(size));
  name->assign(text.substr(0, text.find('\0')));
}

/// Blanks and backslashes of a path come as \ooo.
std::string unescape(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); i++) {
    auto digit = [&](size_t at) { return at < s.size() && s[at] >= '0' && s[at] <= '7'; };
    if (s[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out += static_cast<char>((s[i + 1] - '0') << 6 | (s[i + 2] - '0') << 3 | (s[i + 3] - '0'));
      i += 3;
    } else {
      out += s[i];
    }
  }
  return out;
}

}  // namespace

std::optional<FsEvent> next_event(Bytes& bytes, int own_pid) {
  fanotify_event_metadata head;
  Bytes rest = bytes;
  if (!take(rest, head) || head.vers != FANOTIFY_METADATA_VERSION || head.event_len < sizeof head ||
      head.event_len > bytes.size())
    return std::nullopt;
  rest = bytes.subspan(0, head.event_len);
  bytes = bytes.subspan(head.event_len);
  FsEvent e;
  e.mask = head.mask;
  e.pid = head.pid;
  if (e.pid == own_pid) return e;
  rest = rest.subspan(std::min<size_t>(head.metadata_len, rest.size()));
  fanotify_event_info_header info;
  while (rest.size() >= sizeof info) {
    std::memcpy(&info, rest.data(), sizeof info);
    if (info.len < sizeof info || info.len > rest.size()) break;
    Bytes record = rest.subspan(sizeof info, info.len - sizeof info);
    rest = rest.subspan(info.len);
    if (record.size() < sizeof e.store) continue;
    switch (info.info_type) {
      case FAN_EVENT_INFO_TYPE_DFID:
      case FAN_EVENT_INFO_TYPE_DFID_NAME:
      case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
        take(record, e.store);
        take_handle(record, e.dir, &e.name);
        break;
      case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
        take(record, e.store);
        take_handle(record, e.to_dir, &e.to_name);
        break;
      case FAN_EVENT_INFO_TYPE_FID:
        take(record, e.store);
        take_handle(record, e.self, nullptr);
        break;
    }
  }
  return e;
}

std::optional<uint64_t> inode_in(const KernelHandle& handle) {
  // enum fid_type of Linux' include/linux/exportfs.h.
  constexpr int kIno32Gen = 1, kIno64Gen = 0x81, kBtrfs = 0x4d;
  auto word = [&](size_t at, auto number) {
    std::memcpy(&number, handle.bytes.data() + at, sizeof number);
    return uint64_t{number};
  };
  size_t size = handle.bytes.size();
  if (handle.type == kIno32Gen && size == 8) return word(0, uint32_t{});
  if (handle.type == kIno32Gen && size == 12) return word(4, uint32_t{}) | word(8, uint32_t{}) << 32;  // tmpfs
  if ((handle.type == kIno64Gen || handle.type == kBtrfs) && size >= 12) return word(0, uint64_t{});
  return std::nullopt;
}

std::vector<std::string> mount_points_below(std::string_view mountinfo, std::string_view folder) {
  std::string prefix(folder);
  if (prefix.empty() || prefix.back() != '/') prefix += '/';
  std::vector<std::string> found;
  while (!mountinfo.empty()) {
    auto line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
    // Number, parent, device, root, mount point.
    for (int field = 0; field < 4; field++) line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
    std::string point = unescape(line.substr(0, line.find(' ')));
    if (point.size() > prefix.size() && point.starts_with(prefix)) found.push_back(point.substr(prefix.size()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace isthmus::fs::pass
