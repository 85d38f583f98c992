#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/ftp/times.h"

/// What FTP servers say about files: machine listings (MLSD and MLST, RFC 3659, 7) and what LIST gives, which nobody
/// has ever defined: Unix' `ls -l` and DOS' `dir`. Nothing of it is trusted.
namespace isthmus::wire::ftp {

/// link: `target` says where to, if it is not empty. unknown: something that can only be found out by trying.
enum class Kind : uint8_t { file, folder, link, unknown };

struct Facts {
  std::string name;
  std::string target;
  Kind kind = Kind::unknown;
  std::optional<uint64_t> size;
  std::optional<uint32_t> mode;  ///< permission bits, 07777
  std::optional<Time> modified;
  bool exact = false;  ///< `modified` is in UTC and has seconds; else whatever the server's clock shows
};

/// A component of a path that can be asked for: no '/', NUL, CR or LF, not "." or "..", 1 to 255 bytes.
bool is_name(std::string_view name);

enum class Line : uint8_t { entry, self, nothing, bad_name, bad };

/// One line, without its end. self: "." or "..", under whatever name. nothing: a heading. bad: not understood.
/// `now`: seconds since 1970, for dates without a year.
Line parse_mlsd(std::string_view line, Facts& out);
Line parse_list(std::string_view line, int64_t now, Facts& out);

enum class Format : uint8_t { mlsd, list };

/// A listing as it comes, in pieces of any size.
class ListingReader {
 public:
  static constexpr size_t kMostLine = 8192;  ///< longer ones are left out

  struct Counts {
    uint64_t bad_names = 0;  ///< that could not be asked for, or came twice
    uint64_t bad_lines = 0;  ///< not understood
    uint64_t too_many = 0;   ///< beyond `most`
    bool self = false;       ///< "." or ".." was among them
  };

  /// most: entries that are kept.
  ListingReader(Format format, int64_t now, size_t most) : format_(format), now_(now), most_(most) {}

  void feed(std::string_view bytes);
  /// The last line may lack its end. Sorted by name, each once.
  std::vector<Facts> finish();
  const Counts& counts() const { return counts_; }

 private:
  void take(std::string_view line);

  const Format format_;
  const int64_t now_;
  const size_t most_;
  std::string line_;  // the beginning of one
  bool skipping_ = false;
  std::vector<Facts> entries_;
  Counts counts_;
};

}  // namespace isthmus::wire::ftp
