#include "fs/archive/scanner.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/result.h"
#include "fs/archive/attributes.h"
#include "fs/archive/zip_local.h"

namespace isthmus::fs::archive {
namespace {

constexpr int kMostBadHeaders = 1000;  // in a row, before the rest is given up
constexpr uint64_t kHeaderCost = 512;  // what passing a header counts in Node::where
constexpr uint64_t kRatioFrom = uint64_t{4} << 30;
constexpr uint64_t kIsoExtent = UINT32_MAX - 2048;  // larger files of ISO 9660 come in several extents

Node first_node(const ArchiveFile& f) {
  Node n;
  n.mtime_sec = f.mtime.sec;
  n.mtime_nsec = f.mtime.nsec;
  n.uid = geteuid();
  n.gid = getegid();
  return n;
}

bool keeps_ids(int format) {
  return format == ARCHIVE_FORMAT_TAR || format == ARCHIVE_FORMAT_CPIO || format == ARCHIVE_FORMAT_AR ||
         format == ARCHIVE_FORMAT_ISO9660 || format == ARCHIVE_FORMAT_XAR;
}

}  // namespace

Scanner::Scanner(Archive& a, const ArchiveOptions& o, const ArchiveHooks& hooks, OpenError& error)
    : a_(a),
      o_(o),
      hooks_(hooks),
      error_(error),
      made_up_(first_node(a.file)),
      builder_(a.index, {o.max_entries, o.max_index_memory}, [&] {
        Node n = made_up_;
        show_ids(n);
        return n;
      }()) {}

void Scanner::show_ids(Node& n) const {
  if (o_.uid) n.uid = *o_.uid;
  if (o_.gid) n.gid = *o_.gid;
}

bool Scanner::refuse(Errno code, std::string text) {
  error_ = {code, fmt::format("cannot open {}: {}", a_.file.name, text)};
  return false;
}

bool Scanner::open(Formats formats, std::string& why) {
  Reader::Setup s;
  s.file = &a_.file;
  s.formats = formats;
  s.charset = o_.charset;
  s.max_filters = o_.max_filters;
  reader_ = Reader::open(s, why);
  a_.formats = formats;
  return reader_ != nullptr;
}

// Limits and cancelling, often; progress, ten times a second. now: the scan is through.
bool Scanner::tick(bool now) {
  if (run_through_ > o_.max_total)
    return refuse(err(EFBIG), fmt::format("its index was not found within {} GiB of decoded data; if you trust it, "
                                          "raise max_total",
                                          o_.max_total >> 30));
  if (run_through_ > kRatioFrom && run_through_ / o_.max_ratio > reader_->file_position())
    return refuse(err(EFBIG),
                  fmt::format("it unpacks to more than {} times its size, as a decompression bomb would; if "
                              "you trust it, raise max_ratio",
                              o_.max_ratio));
  if (++quiet_ < 64 && !now) return true;
  quiet_ = 0;
  if (hooks_.cancelled && hooks_.cancelled()) return refuse(err(EINTR), "stopped");
  if (!hooks_.progress) return true;
  if (int64_t t = monotonic_ns(); now || t >= next_report_ns_) {
    next_report_ns_ = t + kNsPerSec / 10;
    // Formats with a directory are not read front to back; a bar only grows.
    furthest_ = std::max(furthest_, std::min(reader_->file_position(), a_.file.size));
    hooks_.progress(now ? a_.file.size : furthest_, a_.file.size, a_.entries);
  }
  return true;
}

bool Scanner::run() {
  if (a_.file.size == 0) return refuse(err(EINVAL), "the file is empty; is the download or copy complete?");
  struct archive_entry* e = nullptr;
  int r = ARCHIVE_FATAL;
  if (!first_header(e, r)) return false;
  a_.filtered = reader_->filtered();
  a_.filters = reader_->filter_names();
  a_.format = a_.formats == Formats::raw ? "a single compressed file" : reader_->format_name();
  a_.zip = reader_->format() == ARCHIVE_FORMAT_ZIP;
  int f = reader_->format();
  a_.solid = a_.filtered || f == ARCHIVE_FORMAT_7ZIP || f == ARCHIVE_FORMAT_RAR_V5 || f == ARCHIVE_FORMAT_CAB;

  int bad = 0;
  for (; r != ARCHIVE_EOF; r = reader_->next(e)) {
    if (r < ARCHIVE_WARN) {
      if (r == ARCHIVE_FATAL || ++bad > kMostBadHeaders) {
        a_.truncated = true;
        log(LogLevel::warning, "{}: damaged or cut short after entry {}: {}; what comes before is shown", a_.file.name,
            a_.entries, reader_->reason());
        break;
      }
      a_.entries++;
      builder_.note(Oddity::damaged, fmt::format("entry {}", a_.entries));
    } else {
      bad = 0;
      a_.entries++;
      if (!entry(e)) return false;
    }
    if (!tick(false)) return false;
  }
  if (a_.formats == Formats::raw && a_.entries == 0) {  // an empty file, compressed
    Node n = made_up_;
    n.mode = S_IFREG | 0644;
    show_ids(n);
    builder_.add(raw_name(), n);
  }
  builder_.finish();
  if (!builder_.over_limit().empty())
    return refuse(err(E2BIG), builder_.over_limit() + "; if you trust it, raise that limit");
  log_oddities();
  return tick(true);
}

// An archive, or else a single compressed file.
bool Scanner::first_header(struct archive_entry*& e, int& result) {
  std::string why;
  if (open(Formats::all, why)) {
    result = reader_->next(e);
    if (result != ARCHIVE_FATAL) return true;
    why = reader_->reason();
    if (archive_read_has_encrypted_entries(reader_->raw()) == 1)
      return refuse(err(EOPNOTSUPP), "its list of files is encrypted, which libarchive cannot read");
    if (reader_->io_failed()) return refuse(err(EIO), why + "; check the disk or the network it is on");
  }
  std::string raw_why;
  if (open(Formats::raw, raw_why) && reader_->filtered() && (result = reader_->next(e)) != ARCHIVE_FATAL) return true;
  return refuse(err(EINVAL), fmt::format("{}; not an archive, damaged, or of a kind that libarchive {} does not know "
                                         "(`file {}` may tell)",
                                         why, ARCHIVE_VERSION_ONLY_STRING, a_.file.name));
}

std::string Scanner::raw_name() const {
  std::string_view name = a_.file.name;
  name.remove_prefix(std::min(name.size(), name.rfind('/') + 1));
  for (std::string_view end : {".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".lz", ".Z", ".uu"})
    if (name.size() > end.size() && name.ends_with(end)) return std::string(name.substr(0, name.size() - end.size()));
  return name.empty() ? "data" : std::string(name);
}

bool Scanner::entry(struct archive_entry* e) {
  Utf8Scope utf8;
  std::string raw;
  const char* p = archive_entry_pathname(e);
  if (!p) p = archive_entry_pathname_utf8(e);
  if (a_.formats == Formats::raw) p = (raw = raw_name()).c_str();
  std::string_view path = p ? p : "";
  const char* link = archive_entry_hardlink(e);
  if (!link) link = archive_entry_hardlink_utf8(e);
  bool is_ar = reader_->format() == ARCHIVE_FORMAT_AR;
  if (is_ar && (path == "/" || path == "//" || path == "/SYM64/")) return true;  // tables of symbols and names

  Node n = made_up_;
  n.nlink = 0;
  n.ordinal = a_.entries;
  uint32_t type = archive_entry_filetype(e);
  if (type == 0) type = path.ends_with('/') ? S_IFDIR : S_IFREG;
  if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFBLK && type != S_IFCHR && type != S_IFIFO &&
      type != S_IFSOCK) {
    builder_.note(Oddity::bad_type, path);
    return true;
  }
  n.mode = static_cast<uint16_t>(type);
  bool size_known = archive_entry_size_is_set(e);
  if (type == S_IFREG && size_known) {
    if (archive_entry_size(e) < 0) {
      builder_.note(Oddity::bad_size, path);
      return true;
    }
    n.size = static_cast<uint64_t>(archive_entry_size(e));
  }
  if (!read_attributes(e, a_.index, n)) {
    builder_.note(Oddity::bad_target, path);
    return true;
  }
  if (a_.formats == Formats::raw) n.mode = S_IFREG | 0644;
  if (!keeps_ids(reader_->format()) && n.uid == 0 && n.gid == 0) {
    n.uid = made_up_.uid;
    n.gid = made_up_.gid;
  }
  show_ids(n);
  if (type == S_IFREG && !data(e, n, size_known || link)) return false;
  bool fine = link ? builder_.add_link(path, link, n) : builder_.add(path, n);
  return fine || refuse(err(E2BIG), builder_.over_limit() + "; if you trust it, raise that limit");
}

// Finds out how the data can be reached, and its size where the header does not say it.
bool Scanner::data(struct archive_entry* e, Node& n, bool size_known) {
  n.encrypted = archive_entry_is_data_encrypted(e);
  uint64_t where = a_.decoded;
  if (!size_known) {
    if (!run_through(&n.size)) return false;
  } else if (a_.filtered && !run_through(nullptr)) {
    return false;
  }
  if (n.size > 0) {
    n.plan = a_.filtered || !size_known ? Plan::stream : plan(e, n);
    if (n.plan == Plan::stream) n.where = where;
  }
  a_.data_size += std::min(n.size, UINT64_MAX - a_.data_size);
  a_.decoded += std::min(n.size + kHeaderCost, UINT64_MAX / 2 - a_.decoded);
  return true;
}

// Decodes the entry's data and throws it away: libarchive would do the same to skip it, but deaf to limits and
// cancelling. size: where to put how much there was; an error there gives a size that no read can complete, so that
// the file does not look whole.
bool Scanner::run_through(uint64_t* size) {
  Bytes bytes;
  uint64_t offset = 0, end = 0, last = 0;
  int r = ARCHIVE_OK;
  while ((r = reader_->block(bytes, offset)) == ARCHIVE_OK) {
    end = std::max(end, offset + bytes.size());
    run_through_ += bytes.size();
    if (!tick(false)) return false;
    last = bytes.empty() ? last + 1 : 0;
    if (last > 1000) break;  // no data, no end
  }
  if (size) *size = r == ARCHIVE_EOF ? end : std::max<uint64_t>(end, 1);
  return true;
}

Plan Scanner::plan(struct archive_entry* e, Node& n) {
  uint64_t position = reader_->position();
  bool sparse = archive_entry_sparse_count(e) > 0;
  switch (reader_->format()) {
    case ARCHIVE_FORMAT_ZIP:
      if (auto l = find_zip_local(a_.file, position)) {
        bool plain = l->method == 0 && !(l->flags & 1) && !n.encrypted;
        n.where = plain ? position : l->at;
        if (plain) return Plan::direct;
        bool end_is_known = l->method != 0 || !(l->flags & 8);
        if (end_is_known && (l->size == UINT64_MAX || l->size == n.size)) return Plan::jump;
      }
      return Plan::stream;
    case ARCHIVE_FORMAT_TAR:
      n.where = position;
      if (!sparse && data_lies_at(position)) return Plan::direct;
      n.where = reader_->header_position();
      return Plan::jump;
    case ARCHIVE_FORMAT_ISO9660:
      if (n.size > kIsoExtent) return Plan::stream;
      [[fallthrough]];
    case ARCHIVE_FORMAT_CPIO:
    case ARCHIVE_FORMAT_AR:
      n.where = position;
      return !sparse && data_lies_at(position) ? Plan::direct : Plan::stream;
    default:
      return Plan::stream;
  }
}

// Does libarchive hand out, as the entry's first bytes, what the file has at `position`?
bool Scanner::data_lies_at(uint64_t position) {
  Bytes bytes;
  uint64_t offset = 0;
  if (reader_->block(bytes, offset) != ARCHIVE_OK || offset != 0 || bytes.empty()) return false;
  std::array<std::byte, 512> there;
  size_t n = std::min(bytes.size(), there.size());
  return ::pread(a_.file.fd.get(), there.data(), n, static_cast<off_t>(position)) == static_cast<ssize_t>(n) &&
         std::memcmp(there.data(), bytes.data(), n) == 0;
}

void Scanner::log_oddities() const {
  static constexpr const char* kWhat[] = {
      "entries with `..` in their name are hidden",
      "entries with a name or path that is too long are hidden",
      "entries without a usable name are hidden",
      "entries below a file or a symbolic link are hidden",
      "files in the place of a directory are hidden",
      "hard links to nothing are hidden",
      "symbolic links to nothing, or to more than 4,095 bytes, are hidden",
      "entries of an unknown type are hidden",
      "entries whose size makes no sense are hidden",
      "entries with a damaged header are hidden",
      "entries are in the place of an earlier one of the same name",
  };
  static_assert(std::size(kWhat) == static_cast<size_t>(Oddity::count));
  for (size_t i = 0; i < std::size(kWhat); i++)
    if (auto& t = builder_.tally(static_cast<Oddity>(i)); t.count > 0)
      log(LogLevel::warning, "{}: {} {}; the first is {}", a_.file.name, t.count, kWhat[i], t.first);
}

}  // namespace isthmus::fs::archive
