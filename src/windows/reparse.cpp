#include "windows/reparse.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/endian.h"
#include "base/utf16.h"
#include "windows/names.h"

namespace isthmus::windows {
namespace {

constexpr size_t kHead = 8, kMostData = 16384 - kHead;
constexpr uint32_t kRelative = 1;
constexpr uint32_t kWslSymlinkVersion = 2;

// Types of IO_REPARSE_TAG_NFS: letters, little-endian.
constexpr uint64_t kNfsLink = 0x14B4E4C, kNfsChar = 0x524843, kNfsBlock = 0x4B4C42, kNfsFifo = 0x4F464946,
                   kNfsSocket = 0x4B434F53;

std::string with_head(ReparseTag tag, std::string_view data) {
  std::string out;
  append_le<uint32_t>(out, static_cast<uint32_t>(tag));
  append_le<uint16_t>(out, static_cast<uint16_t>(data.size()));
  append_le<uint16_t>(out, 0);
  return out.append(data);
}

/// Each name of a path as `convert` has it, and `to` instead of `from` between them.
template <class F>
std::optional<std::string> each_name(std::string_view path, char from, char to, F convert) {
  std::string out;
  while (true) {
    const size_t end = path.find(from);
    std::optional<std::string> name = convert(path.substr(0, end));
    if (!name) return std::nullopt;
    out += *name;
    if (end == std::string_view::npos) return out;
    out += to;
    path.remove_prefix(end + 1);
  }
}

/// With '\' between names that Windows can take.
std::optional<std::string> windows_path(std::string_view target) {
  return each_name(target, '/', '\\', [](std::string_view name) -> std::optional<std::string> {
    // These two are no names.
    return name == "." || name == ".." ? std::string(name) : to_client(name, NameRules::windows);
  });
}

std::optional<std::string> symlink_buffer(std::string_view target, bool posix) {
  auto wide = posix ? utf16_of(target) : std::nullopt;
  if (!wide)  // not for POSIX, or not UTF-8
    if (const auto path = windows_path(target)) wide = utf16_of(*path);
  if (target.empty() || !wide || wide->size() > kMostData - 12) return std::nullopt;
  std::string data;
  const auto size = static_cast<uint16_t>(wide->size());
  for (uint16_t n : {uint16_t{0}, size, uint16_t{0}, size}) append_le<uint16_t>(data, n);
  append_le<uint32_t>(data, target.front() == '/' ? 0 : kRelative);
  return with_head(ReparseTag::symlink, data + *wide);
}

std::optional<Special> read_symlink(Bytes data, NameRules rules) {
  auto offset = load_le<uint16_t>(data, 0), size = load_le<uint16_t>(data, 2);
  auto flags = load_le<uint32_t>(data, 8);
  if (!flags) return std::nullopt;
  data = data.subspan(12);
  if (*offset > data.size() || *size > data.size() - *offset) return std::nullopt;
  auto text = utf8_of(data.subspan(*offset, *size));
  if (!text) return std::nullopt;
  std::string_view path = *text;
  // "\??\C:\..." is of another machine's name space: what is behind the prefix says where it led.
  constexpr std::string_view kObjects = "\\??\\";
  const bool windows = path.starts_with(kObjects);
  if (windows) path.remove_prefix(kObjects.size());
  auto target = each_name(path, '\\', '/', [rules](std::string_view name) { return from_client(name, rules); });
  if (!target) return std::nullopt;
  // Linux's client leaves the slash in front out.
  const bool slash = !windows && !(*flags & kRelative) && !target->starts_with('/');
  return Special{S_IFLNK, slash ? '/' + *target : *target, 0, 0};
}

std::optional<Special> read_nfs(Bytes data) {
  auto type = load_le<uint64_t>(data, 0);
  if (!type) return std::nullopt;
  Special s;
  switch (*type) {
    case kNfsFifo:
      s.type = S_IFIFO;
      return s;
    case kNfsSocket:
      s.type = S_IFSOCK;
      return s;
    case kNfsChar:
    case kNfsBlock: {
      auto major = load_le<uint32_t>(data, 8), minor = load_le<uint32_t>(data, 12);
      if (!minor) return std::nullopt;
      return Special{*type == kNfsChar ? uint32_t{S_IFCHR} : uint32_t{S_IFBLK}, {}, *major, *minor};
    }
    case kNfsLink: {
      auto target = utf8_of(data.subspan(8));
      if (!target) return std::nullopt;
      return Special{S_IFLNK, *target, 0, 0};
    }
    default:
      return std::nullopt;
  }
}

std::optional<Special> read_any(ReparseTag tag, Bytes data, NameRules rules) {
  auto without_data = [data](uint32_t type) {
    return data.empty() ? std::optional(Special{type, {}, 0, 0}) : std::nullopt;
  };
  switch (tag) {
    case ReparseTag::symlink:
      return read_symlink(data, rules);
    case ReparseTag::nfs:
      return read_nfs(data);
    case ReparseTag::wsl_symlink:
      if (load_le<uint32_t>(data, 0) != kWslSymlinkVersion) return std::nullopt;
      return Special{S_IFLNK, std::string(as_text(data.subspan(4))), 0, 0};
    case ReparseTag::wsl_socket:
      return without_data(S_IFSOCK);
    case ReparseTag::wsl_fifo:
      return without_data(S_IFIFO);
    case ReparseTag::wsl_char:
      return without_data(S_IFCHR);
    case ReparseTag::wsl_block:
      return without_data(S_IFBLK);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> to_reparse(const Special& file, bool posix) {
  std::string data;
  auto nfs = [&data](uint64_t type) { append_le<uint64_t>(data, type); };
  switch (file.type) {
    case S_IFLNK:
      return symlink_buffer(file.target, posix);
    case S_IFIFO:
      nfs(kNfsFifo);
      break;
    case S_IFSOCK:
      nfs(kNfsSocket);
      break;
    case S_IFCHR:
    case S_IFBLK:
      nfs(file.type == S_IFCHR ? kNfsChar : kNfsBlock);
      append_le<uint32_t>(data, file.major);
      append_le<uint32_t>(data, file.minor);
      break;
    default:
      return std::nullopt;
  }
  return with_head(ReparseTag::nfs, data);
}

std::optional<Special> from_reparse(Bytes buffer, bool posix) {
  auto tag = load_le<uint32_t>(buffer, 0);
  auto size = load_le<uint16_t>(buffer, 4);
  if (buffer.size() < kHead || *size != buffer.size() - kHead) return std::nullopt;
  const NameRules rules = posix ? NameRules::sfm : NameRules::windows;
  auto special = read_any(static_cast<ReparseTag>(*tag), buffer.subspan(kHead), rules);
  // No link leads nowhere, and the file systems below end texts with a NUL.
  if (special && special->type == S_IFLNK &&
      (special->target.empty() || special->target.find('\0') != std::string::npos))
    return std::nullopt;
  return special;
}

std::optional<ReparseTag> reparse_tag(uint32_t mode) {
  if (S_ISLNK(mode)) return ReparseTag::symlink;
  if (S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISCHR(mode) || S_ISBLK(mode)) return ReparseTag::nfs;
  return std::nullopt;
}

}  // namespace isthmus::windows
