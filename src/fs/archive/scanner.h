#pragma once
#include "fs/archive/index_builder.h"
#include "fs/archive/scan.h"

namespace isthmus::fs::archive {

/// One pass over an archive's headers that fills its Index. Used once, by one thread.
class Scanner {
 public:
  Scanner(Archive& a, const ArchiveOptions& o, const ArchiveHooks& hooks, OpenError& error);
  /// False: the error is set.
  bool run();

 private:
  bool open(Formats formats, std::string& why);
  bool first_header(struct archive_entry*& e, int& result);
  bool entry(struct archive_entry* e);
  bool data(struct archive_entry* e, Node& n, bool size_known);
  bool run_through(uint64_t* size);
  Plan plan(struct archive_entry* e, Node& n);
  bool data_lies_at(uint64_t position);
  bool tick(bool now);
  bool refuse(Errno code, std::string text);
  std::string raw_name() const;
  void show_ids(Node& n) const;
  void log_oddities() const;

  Archive& a_;
  const ArchiveOptions& o_;
  const ArchiveHooks& hooks_;
  OpenError& error_;
  Node made_up_;
  IndexBuilder builder_;
  std::unique_ptr<Reader> reader_;
  uint64_t run_through_ = 0;  // decoded bytes that this pass had to produce
  unsigned quiet_ = 0;        // calls of tick() since the clock was last read
  int64_t next_report_ns_ = 0;
  uint64_t furthest_ = 0;  // byte of the file that was reported
};

}  // namespace isthmus::fs::archive
