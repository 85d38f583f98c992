#include "doors/webdav/archive_format.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <type_traits>

namespace isthmus::webdav {
namespace {

constexpr uint64_t kMax32 = 0xffffffff;
constexpr uint16_t kZipVersion = 45;                // of zip that knows 64-bit sizes
constexpr uint16_t kMadeBy = 3 << 8 | kZipVersion;  // Unix: modes are st_mode
constexpr uint16_t kFlags = 1 << 3 | 1 << 11;       // the checksum comes behind; names are UTF-8
constexpr uint16_t kExtra64 = 1, kExtraTime = 0x5455;
constexpr uint32_t kLocal = 0x04034b50, kDescriptor = 0x08074b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;

constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
    t[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; ++i)
    for (size_t k = 1; k < 8; ++k) t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 255];
  return t;
}();

template <class T>
void append_number(std::string& out, std::type_identity_t<T> value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(static_cast<uint64_t>(value) >> 8 * i & 255);
}

/// MS-DOS' date and time, from 1980 to 2107, in UTC as nobody knows the reader's zone; the extra field is exact.
uint32_t dos_time(int64_t seconds) {
  const time_t t = seconds;
  struct tm tm {};
  if (!gmtime_r(&t, &tm) || tm.tm_year < 80) return 0x00210000;
  if (tm.tm_year > 207) tm.tm_year = 207;
  const auto date = static_cast<uint32_t>((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
  return date << 16 | static_cast<uint32_t>(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

/// Info-ZIP's extra field of the time of change, where it fits.
std::string time_extra(int64_t mtime) {
  std::string extra;
  if (mtime < INT32_MIN || mtime > INT32_MAX) return extra;
  append_number<uint16_t>(extra, kExtraTime);
  append_number<uint16_t>(extra, 5);
  extra += '\1';
  append_number<uint32_t>(extra, static_cast<uint32_t>(mtime));
  return extra;
}

}  // namespace

uint32_t crc32(uint32_t before, Bytes data) {
  uint32_t c = ~before;
  auto at = [&](size_t i) { return static_cast<uint32_t>(data[i]); };
  while (data.size() >= 8) {
    c ^= at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
    c = kTables[7][c & 255] ^ kTables[6][c >> 8 & 255] ^ kTables[5][c >> 16 & 255] ^ kTables[4][c >> 24] ^
        kTables[3][at(4)] ^ kTables[2][at(5)] ^ kTables[1][at(6)] ^ kTables[0][at(7)];
    data = data.subspan(8);
  }
  for (std::byte b : data) c = c >> 8 ^ kTables[0][(c ^ static_cast<uint32_t>(b)) & 255];
  return ~c;
}

bool ZipFormat::Member::large() const { return size >= kMax32; }

void ZipFormat::begin(std::string& out, const ArchiveEntry& entry) {
  const size_t before = out.size();
  Member m{
      std::string(entry.path.substr(0, 0xffff)), entry.mode, dos_time(entry.mtime), 0, entry.mtime, entry.size, at_};
  std::string extra;
  if (m.large()) {
    // Its presence tells that the sizes behind the content have 64 bits.
    append_number<uint16_t>(extra, kExtra64);
    append_number<uint16_t>(extra, 16);
    append_number<uint64_t>(extra, m.size);
    append_number<uint64_t>(extra, m.size);
  }
  extra += time_extra(m.mtime);
  append_number<uint32_t>(out, kLocal);
  append_number<uint16_t>(out, kZipVersion);
  append_number<uint16_t>(out, kFlags);
  append_number<uint16_t>(out, 0);  // stored
  append_number<uint32_t>(out, m.dos_time);
  append_number<uint32_t>(out, 0);  // checksum
  append_number<uint32_t>(out, std::min(m.size, kMax32));
  append_number<uint32_t>(out, std::min(m.size, kMax32));
  append_number<uint16_t>(out, m.path.size());
  append_number<uint16_t>(out, extra.size());
  out += m.path;
  out += extra;
  at_ += out.size() - before + m.size;
  members_.push_back(std::move(m));
}

void ZipFormat::end(std::string& out, uint32_t crc) {
  const size_t before = out.size();
  Member& m = members_.back();
  m.crc = crc;
  append_number<uint32_t>(out, kDescriptor);
  append_number<uint32_t>(out, crc);
  for (int i = 0; i < 2; ++i) {  // stored: both sizes are one
    if (m.large())
      append_number<uint64_t>(out, m.size);
    else
      append_number<uint32_t>(out, m.size);
  }
  at_ += out.size() - before;
}

void ZipFormat::finish(std::string& out) {
  const uint64_t begin = at_;
  const size_t before = out.size();
  for (const Member& m : members_) {
    std::string extra;
    const bool far = m.offset >= kMax32;
    if (m.large() || far) {
      append_number<uint16_t>(extra, kExtra64);
      append_number<uint16_t>(extra, (m.large() ? 16 : 0) + (far ? 8 : 0));
      if (m.large()) {
        append_number<uint64_t>(extra, m.size);
        append_number<uint64_t>(extra, m.size);
      }
      if (far) append_number<uint64_t>(extra, m.offset);
    }
    extra += time_extra(m.mtime);
    append_number<uint32_t>(out, kCentral);
    append_number<uint16_t>(out, kMadeBy);
    append_number<uint16_t>(out, kZipVersion);
    append_number<uint16_t>(out, kFlags);
    append_number<uint16_t>(out, 0);
    append_number<uint32_t>(out, m.dos_time);
    append_number<uint32_t>(out, m.crc);
    append_number<uint32_t>(out, std::min(m.size, kMax32));
    append_number<uint32_t>(out, std::min(m.size, kMax32));
    append_number<uint16_t>(out, m.path.size());
    append_number<uint16_t>(out, extra.size());
    append_number<uint16_t>(out, 0);                                              // comment
    append_number<uint16_t>(out, 0);                                              // disk
    append_number<uint16_t>(out, 0);                                              // internal attributes
    append_number<uint32_t>(out, m.mode << 16 | (S_ISDIR(m.mode) ? 0x10u : 0u));  // and MS-DOS' bit of a directory
    append_number<uint32_t>(out, std::min(m.offset, kMax32));
    out += m.path;
    out += extra;
  }
  const uint64_t size = out.size() - before, count = members_.size();
  // Readers without 64 bits find the small record; who knows them finds the large one before it.
  append_number<uint32_t>(out, kEnd64);
  append_number<uint64_t>(out, 44);
  append_number<uint16_t>(out, kMadeBy);
  append_number<uint16_t>(out, kZipVersion);
  append_number<uint32_t>(out, 0);
  append_number<uint32_t>(out, 0);
  append_number<uint64_t>(out, count);
  append_number<uint64_t>(out, count);
  append_number<uint64_t>(out, size);
  append_number<uint64_t>(out, begin);
  append_number<uint32_t>(out, kLocator64);
  append_number<uint32_t>(out, 0);
  append_number<uint64_t>(out, begin + size);
  append_number<uint32_t>(out, 1);
  append_number<uint32_t>(out, kEnd);
  append_number<uint16_t>(out, 0);
  append_number<uint16_t>(out, 0);
  append_number<uint16_t>(out, std::min<uint64_t>(count, 0xffff));
  append_number<uint16_t>(out, std::min<uint64_t>(count, 0xffff));
  append_number<uint32_t>(out, std::min(size, kMax32));
  append_number<uint32_t>(out, std::min(begin, kMax32));
  append_number<uint16_t>(out, 0);
  at_ += out.size() - before;
}

}  // namespace isthmus::webdav
