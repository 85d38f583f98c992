#include "fs/archive/reader.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/result.h"

namespace isthmus::fs::archive {
namespace {

constexpr size_t kFirstStep = 4096, kMostStep = size_t{256} << 10;

locale_t utf8_locale() {
  static const locale_t kLocale = [] {
    for (const char* name : {"C.UTF-8", "C.utf8", "en_US.UTF-8"})
      if (locale_t l = newlocale(LC_CTYPE_MASK, name, nullptr)) return l;
    return locale_t{};
  }();
  return kLocale;
}

/// Not here: mtree (describes files elsewhere and would read those), empty, and raw, which takes anything. Filters that
/// would start a program (lzop, lrzip, grzip) are left out too.
bool support(struct archive* a, Formats formats) {
  int worst = ARCHIVE_OK;
  auto add = [&](int r) { worst = std::min(worst, r); };
  if (formats == Formats::tar) return archive_read_support_format_tar(a) == ARCHIVE_OK;
  if (formats == Formats::zip_stream) return archive_read_support_format_zip_streamable(a) == ARCHIVE_OK;
  add(archive_read_support_filter_bzip2(a));
  add(archive_read_support_filter_compress(a));
  add(archive_read_support_filter_gzip(a));
  add(archive_read_support_filter_lz4(a));
  add(archive_read_support_filter_lzip(a));
  add(archive_read_support_filter_lzma(a));
  add(archive_read_support_filter_rpm(a));
  add(archive_read_support_filter_uu(a));
  add(archive_read_support_filter_xz(a));
  add(archive_read_support_filter_zstd(a));
  if (formats == Formats::raw) {
    add(archive_read_support_format_raw(a));
    add(archive_read_support_format_empty(a));
  } else {
    add(archive_read_support_format_7zip(a));
    add(archive_read_support_format_ar(a));
    add(archive_read_support_format_cab(a));
    add(archive_read_support_format_cpio(a));
    add(archive_read_support_format_iso9660(a));
    add(archive_read_support_format_lha(a));
    add(archive_read_support_format_rar(a));
    add(archive_read_support_format_rar5(a));
    add(archive_read_support_format_tar(a));
    add(archive_read_support_format_warc(a));
    add(archive_read_support_format_xar(a));
    add(archive_read_support_format_zip(a));
  }
  return worst >= ARCHIVE_WARN;
}

}  // namespace

Utf8Scope::Utf8Scope() : old_(utf8_locale() ? uselocale(utf8_locale()) : locale_t{}) {}
Utf8Scope::~Utf8Scope() {
  if (old_) uselocale(old_);
}

Secret::~Secret() { explicit_bzero(text_.data(), text_.size()); }

bool ArchiveFile::unchanged() const {
  if (block_device) return true;
  struct stat st;
  return ::fstat(fd.get(), &st) == 0 && static_cast<uint64_t>(st.st_size) == size && to_time(st.st_mtim) == mtime;
}

std::unique_ptr<Reader> Reader::open(const Setup& s, std::string& why) {
  Utf8Scope utf8;
  std::unique_ptr<Reader> r(new Reader);
  r->a_ = archive_read_new();
  r->file_ = s.file;
  r->base_ = r->offset_ = s.at;
  r->step_ = kFirstStep;
  r->buffer_.resize(kMostStep);
  if (!r->a_) {
    why = "out of memory";
    return nullptr;
  }
  struct archive* a = r->a_;
  auto failed = [&] {
    why = r->reason();
    return nullptr;
  };
  if (!support(a, s.formats)) return failed();
  if (!s.charset.empty() &&
      archive_read_set_format_option(a, nullptr, "hdrcharset", s.charset.c_str()) < ARCHIVE_WARN) {
    why = fmt::format("character set {} is not known to iconv", s.charset);
    return nullptr;
  }
  if (s.passphrase && !s.passphrase->empty()) archive_read_add_passphrase(a, s.passphrase->c_str());
  archive_read_set_callback_data(a, r.get());
  archive_read_set_read_callback(a, on_read);
  archive_read_set_skip_callback(a, on_skip);
  if (s.formats == Formats::all || s.formats == Formats::raw) archive_read_set_seek_callback(a, on_seek);
  if (archive_read_open1(a) < ARCHIVE_WARN) return failed();
  if (archive_filter_count(a) - 1 > static_cast<int>(s.max_filters)) {
    why = fmt::format("compressed {} times over; the limit is max_filters={}", archive_filter_count(a) - 1,
                      s.max_filters);
    return nullptr;
  }
  return r;
}

Reader::~Reader() {
  Utf8Scope utf8;
  archive_read_free(a_);
}

la_ssize_t Reader::on_read(struct archive* a, void* self, const void** buffer) {
  auto& r = *static_cast<Reader*>(self);
  *buffer = r.buffer_.data();
  ssize_t n = -1;
  do n = ::pread(r.file_->fd.get(), r.buffer_.data(), r.step_, static_cast<off_t>(r.offset_));
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    int e = errno;
    r.io_failed_ = true;
    archive_set_error(a, e, "reading the archive: %s", std::string(text_of(err(e))).c_str());
    return ARCHIVE_FATAL;
  }
  r.offset_ += static_cast<uint64_t>(n);
  r.step_ = std::min(r.step_ * 4, kMostStep);
  return n;
}

la_int64_t Reader::on_skip(struct archive*, void* self, la_int64_t request) {
  auto& r = *static_cast<Reader*>(self);
  if (request <= 0 || r.offset_ >= r.file_->size) return 0;
  uint64_t n = std::min(static_cast<uint64_t>(request), r.file_->size - r.offset_);
  r.offset_ += n;
  r.step_ = kFirstStep;
  return static_cast<la_int64_t>(n);
}

la_int64_t Reader::on_seek(struct archive*, void* self, la_int64_t offset, int whence) {
  auto& r = *static_cast<Reader*>(self);
  uint64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? r.offset_ - r.base_ : r.file_->size - r.base_;
  int64_t to = 0;
  if (__builtin_add_overflow(static_cast<int64_t>(from), offset, &to) || to < 0 ||
      static_cast<uint64_t>(to) > r.file_->size - r.base_)
    return ARCHIVE_FATAL;
  r.offset_ = r.base_ + static_cast<uint64_t>(to);
  r.step_ = kFirstStep;
  return to;
}

int Reader::next(struct archive_entry*& entry) {
  Utf8Scope utf8;
  return archive_read_next_header(a_, &entry);
}

int Reader::block(Bytes& data, uint64_t& offset) {
  Utf8Scope utf8;
  const void* p = nullptr;
  size_t n = 0;
  la_int64_t at = 0;
  int r = archive_read_data_block(a_, &p, &n, &at);
  data = Bytes(static_cast<const std::byte*>(p), p ? n : 0);
  offset = at < 0 ? UINT64_MAX : static_cast<uint64_t>(at);
  return r;
}

int Reader::skip() {
  Utf8Scope utf8;
  return archive_read_data_skip(a_);
}

uint64_t Reader::position() const {
  la_int64_t n = archive_filter_bytes(a_, 0);
  return base_ + (n < 0 ? 0 : static_cast<uint64_t>(n));
}
uint64_t Reader::header_position() const {
  la_int64_t n = archive_read_header_position(a_);
  return base_ + (n < 0 ? 0 : static_cast<uint64_t>(n));
}

int Reader::format() const { return archive_format(a_) & ARCHIVE_FORMAT_BASE_MASK; }

std::string Reader::format_name() const {
  const char* n = archive_format_name(a_);
  return n ? n : "unknown";
}

bool Reader::filtered() const { return archive_filter_code(a_, 0) != ARCHIVE_FILTER_NONE; }

std::string Reader::filter_names() const {
  std::string all;
  for (int i = 0; i < archive_filter_count(a_); i++)
    if (archive_filter_code(a_, i) != ARCHIVE_FILTER_NONE)
      all += fmt::format("{}{}", all.empty() ? "" : ", ", archive_filter_name(a_, i));
  return all;
}

std::string Reader::reason() const {
  Utf8Scope utf8;
  const char* text = archive_error_string(a_);
  std::string line = text && *text ? text : "damaged data";
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return line;
}

}  // namespace isthmus::fs::archive
