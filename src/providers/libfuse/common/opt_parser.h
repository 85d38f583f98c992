#pragma once
#include <isthmus/fuse3/fuse_opt.h>

#include <optional>

namespace isthmus::libfuse {

/// One run of fuse_opt_parse(): goes through the arguments once, in order, and collects what is kept. What it does in
/// odd cases is what programs were written against; fuse_opt_test compares with the real library.
class OptParser {
 public:
  /// What happens to the string that a "%s" replaces: version 2 left it alone, and programs have literals there.
  enum class Replaced : unsigned char { freed, kept };

  OptParser(const fuse_args& args, void* data, const fuse_opt* table, fuse_opt_proc_t proc,
            Replaced replaced = Replaced::freed)
      : in_(args), data_(data), table_(table), proc_(proc), replaced_(replaced) {}
  ~OptParser();
  OptParser(const OptParser&) = delete;
  OptParser& operator=(const OptParser&) = delete;

  /// 0 or -1.
  int run();
  /// After success: gives the kept arguments away for the old ones.
  void swap_args(fuse_args& args);

 private:
  enum class From : unsigned char { argument, list };

  int take_argument(const char* arg);
  int take_list(const char* list);
  int take_option(const char* arg, From from);
  int apply(const fuse_opt& row, size_t sep, const char* arg, From from);
  int apply_with_next(const fuse_opt& row, size_t sep, const char* arg, From from);
  int ask(const char* arg, int key, From from);
  const char* next_argument(const char* arg);

  const fuse_args in_;
  void* const data_;
  const fuse_opt* const table_;
  const fuse_opt_proc_t proc_;
  const Replaced replaced_;
  int at_ = 0;
  fuse_args kept_{0, nullptr, 0};
  char* list_ = nullptr;  // parts kept of -o lists
  int separator_ = 0;     // arguments kept up to and with "--"; 0: not seen
};

/// The row from `row` on that matches, and the place of '=' or ' ' in its template where a parameter follows, else 0.
/// Null: none.
const fuse_opt* find_row(const fuse_opt* row, const char* arg, size_t& sep);

}  // namespace isthmus::libfuse
