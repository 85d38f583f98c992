#pragma once
#include <memory>
#include <string>

#include "fs/compress/below.h"

namespace isthmus::fs::compress {

/// A hidden file of the tree below that is being written; loses its name at its end, unless that was taken() by a
/// rename. Its owner guards it.
class Temporary {
 public:
  /// In `directory`, for reading and writing, of mode 0600 and ours.
  static Result<std::unique_ptr<Temporary>> make(InnerRef directory);
  Temporary(InnerRef directory, std::string name, std::shared_ptr<OpenBelow> file)
      : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  /// Behind all that was written. Where it lies, or the error.
  Result<uint64_t> append(Bytes data);
  OpenBelow& file() { return *file_; }
  const std::shared_ptr<OpenBelow>& shared() const { return file_; }
  const InnerRef& directory() const { return directory_; }
  const std::string& name() const { return name_; }
  void taken() { name_.clear(); }
  /// Gives it another name in its directory, for its end too.
  Status rename(std::string to);

  uint64_t end = 0;      ///< of what counts
  uint64_t written = 0;  ///< of what was ever written

 private:
  const InnerRef directory_;
  std::string name_;
  const std::shared_ptr<OpenBelow> file_;
};

}  // namespace isthmus::fs::compress
