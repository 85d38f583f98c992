#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "fs/mem/mem_fs.h"

namespace isthmus::bench {

/// One client's files and the operations that are measured, in an order in which each finds what it needs.
class Work {
 public:
  /// `files` names in `dir`, told apart from other clients' by `who`.
  Work(fs::mem::MemFs& fs, NodeId dir, unsigned who, size_t files);

  using Step = void (Work::*)();
  struct Named {
    std::string_view name;
    Step step;
  };
  /// Each does its operation once for every file.
  static const std::vector<Named>& steps();
  size_t files() const { return names_.size(); }

 private:
  void missing();
  void create();
  void lookup();
  void getattr();
  void setattr();
  void write_new();
  void write_over();
  void read();
  void list();
  void list_with_attributes();
  void rename();
  void release();
  void forget();
  void unlink();

  fs::mem::MemFs& fs_;
  NodeId dir_;
  std::vector<std::string> names_, others_;
  std::vector<NodeId> nodes_;
  std::vector<HandleId> handles_;
  std::vector<uint64_t> counted_;
  std::array<std::byte, 4096> page_{}, into_{};
};

}  // namespace isthmus::bench
