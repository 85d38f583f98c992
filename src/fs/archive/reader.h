#pragma once
#include <archive.h>
#include <archive_entry.h>

#include <clocale>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"

namespace isthmus::fs::archive {

/// While one lives, this thread's character set is UTF-8: libarchive turns names into the locale's. Every call of
/// libarchive that can touch a name is made inside one.
class Utf8Scope {
 public:
  Utf8Scope();
  ~Utf8Scope();
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

 private:
  locale_t old_;
};

/// A passphrase, wiped when dropped. Never logged.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view s) : text_(s) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();
  const char* c_str() const { return text_.c_str(); }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

/// The archive on disk. Opened once; read by pread(2) from any thread.
struct ArchiveFile {
  Fd fd;
  std::string name;  ///< for messages
  uint64_t size = 0;
  uint64_t device = 0, inode = 0;
  Time mtime, ctime;
  bool block_device = false;

  /// False once somebody wrote to the file: nothing that was learnt of it holds any more.
  bool unchanged() const;
};

/// What a Reader accepts. tar and zip_stream start in the middle of an archive, at an entry's own header.
enum class Formats { all, raw, tar, zip_stream };

/// One libarchive reader over an ArchiveFile: a position that moves forward. One thread at a time.
class Reader {
 public:
  struct Setup {
    const ArchiveFile* file = nullptr;
    Formats formats = Formats::all;
    uint64_t at = 0;  ///< where in the file the first header is
    std::string charset;
    const Secret* passphrase = nullptr;
    unsigned max_filters = 4;
  };
  /// Null: `why` says what libarchive had against it.
  static std::unique_ptr<Reader> open(const Setup& s, std::string& why);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// ARCHIVE_OK or _WARN with an entry (owned by the reader, until the next call), _EOF, or an error.
  int next(struct archive_entry*& entry);
  /// The next piece of the entry's data, owned by the reader. `offset` jumps over holes.
  int block(Bytes& data, uint64_t& offset);
  int skip();

  /// Decoded bytes in front of the reader; with no compression, the offset in the file (plus Setup::at).
  uint64_t position() const;
  /// Where the current entry's first header is, in the same measure.
  uint64_t header_position() const;
  uint64_t file_position() const { return offset_; }
  int format() const;
  std::string format_name() const;
  bool filtered() const;
  std::string filter_names() const;
  /// What libarchive said last, in one line.
  std::string reason() const;
  /// The archive itself could not be read: not the archive's fault, worth another try.
  bool io_failed() const { return io_failed_; }
  struct archive* raw() {
    return a_;
  }

 private:
  Reader() = default;
  static la_ssize_t on_read(struct archive*, void* self, const void** buffer);
  static la_int64_t on_skip(struct archive*, void* self, la_int64_t request);
  static la_int64_t on_seek(struct archive*, void* self, la_int64_t offset, int whence);

  struct archive* a_ = nullptr;
  const ArchiveFile* file_ = nullptr;
  uint64_t base_ = 0, offset_ = 0;  // offset_: in the file, of the next byte to read
  size_t step_ = 0;                 // bytes of the next read: small after a jump, growing when reading on
  std::vector<char> buffer_;
  bool io_failed_ = false;
};

}  // namespace isthmus::fs::archive
