#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace isthmus::cli {

/// "[=====>    ] 47%  1,234 entries" on stderr, on one line, if stderr is a terminal; otherwise nothing.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  void show(uint64_t done_bytes, uint64_t total_bytes, uint64_t entries);
  /// Takes the line away.
  void clear();

 private:
  bool terminal_ = false, shown_ = false;
};

/// Asks on /dev/tty, without echo; no answer where there is no terminal or the line is empty.
std::optional<std::string> ask_secret(const std::string& prompt);

}  // namespace isthmus::cli
