#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// The head of a message (RFC 5322, 2.2), as fields and as files.
namespace isthmus::fs::mail {

/// What is looked at; the rest of a longer head shows in `raw` alone.
constexpr size_t kMostHead = size_t{1} << 20;

/// A field as it is in the message: `value` unfolded (without its line ends), else byte for byte.
struct Field {
  std::string_view name;
  std::string value;
};

/// Where the head ends, behind its empty line; none if there is no empty line in `text`.
std::optional<size_t> end_of_head(std::string_view text);
/// Lines that are no field are passed over. At most 2,000 fields; values are cut at 256 KiB.
std::vector<Field> split_head(std::string_view head);
/// Encoded words and bytes of other charsets as UTF-8, on one line (scrub_line()).
std::string decode_value(std::string_view value);

/// Names of headers have one number each for as long as the file system lives, as their files' nodes are made of it.
/// Any thread.
class HeaderNames {
 public:
  static constexpr uint32_t kMost = 1u << 20;
  /// None: there are too many.
  std::optional<uint32_t> number_of(const std::string& name);
  /// Of a name that has one.
  std::optional<uint32_t> find(std::string_view name) const;
  std::string name_of(uint32_t number) const;

 private:
  mutable std::mutex m_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<const std::string*> names_;
};

/// A head as files: fields of one name (in whatever case) are one file, a line each.
class HeaderFiles {
 public:
  struct File {
    uint32_t number;  ///< of HeaderNames
    std::string text;
  };
  static HeaderFiles of(std::string_view head, HeaderNames& names);
  /// By number.
  const std::vector<File>& files() const { return files_; }
  /// Null: there is none.
  const File* find(uint32_t number) const;
  /// Memory that it takes, about.
  size_t weight() const { return weight_; }

 private:
  std::vector<File> files_;
  size_t weight_ = 0;
};

}  // namespace isthmus::fs::mail
