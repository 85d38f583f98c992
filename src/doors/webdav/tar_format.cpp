#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "doors/webdav/archive_format.h"

namespace isthmus::webdav::tar {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMostOctal = (uint64_t{1} << 33) - 1;  // of eleven digits

/// POSIX.1-2001, ustar interchange format.
struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
      user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <size_t N>
void octal(char (&field)[N], uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, N - 1);
  std::memcpy(field, digits.data() + digits.size() - (N - 1), N - 1);
}
template <size_t N>
void text(char (&field)[N], std::string_view value) {
  value.copy(field, N);
}

void header(std::string& out, char type, std::string_view path, std::string_view link, uint32_t mode, uint64_t size,
            int64_t mtime) {
  Header h{};
  text(h.name, path);
  octal(h.mode, mode & 07777);
  octal(h.uid, 0);
  octal(h.gid, 0);
  octal(h.size, size <= kMostOctal ? size : 0);
  octal(h.mtime, std::clamp<int64_t>(mtime, 0, kMostOctal));
  h.type = type;
  text(h.link, link);
  text(h.magic, std::string_view("ustar\0", 6));
  text(h.version, "00");
  std::memset(h.checksum, ' ', sizeof h.checksum);
  uint64_t sum = 0;
  const char* bytes = reinterpret_cast<const char*>(&h);
  for (size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(bytes[i]);
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(h.checksum, digits.data(), 6);
  h.checksum[6] = 0;
  out.append(bytes, kBlock);
}

/// "LENGTH KEY=VALUE\n", whose length counts itself.
void record(std::string& out, std::string_view key, std::string_view value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) length = fmt::formatted_size("{}", length) + rest;
  out += fmt::format("{} {}={}\n", length, key, value);
}

bool fits(std::string_view s) {
  return s.size() <= 100 && std::all_of(s.begin(), s.end(), [](char c) { return c > 0; });
}

}  // namespace

void begin(std::string& out, const ArchiveEntry& entry) {
  std::string extended;
  if (!fits(entry.path)) record(extended, "path", entry.path);
  if (!fits(entry.link)) record(extended, "linkpath", entry.link);
  if (entry.size > kMostOctal) record(extended, "size", std::to_string(entry.size));
  if (entry.mtime < 0 || entry.mtime > static_cast<int64_t>(kMostOctal))
    record(extended, "mtime", std::to_string(entry.mtime));
  if (!extended.empty()) {
    header(out, 'x', "PaxHeaders/file", "", 0600, extended.size(), 0);
    out += extended;
    end(out, extended.size());
  }
  const char type = S_ISDIR(entry.mode) ? '5' : S_ISLNK(entry.mode) ? '2' : '0';
  header(out, type, entry.path, entry.link, entry.mode, type == '0' ? entry.size : 0, entry.mtime);
}

void end(std::string& out, uint64_t size) { out.append((kBlock - size % kBlock) % kBlock, '\0'); }

void finish(std::string& out) { out.append(2 * kBlock, '\0'); }

}  // namespace isthmus::webdav::tar
