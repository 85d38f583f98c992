#pragma once
#include <cstddef>
#include <cstdint>

#include "fs/mem/dirent.h"

namespace isthmus::fs::mem {

/// Finds a directory's names by their text. Extendible hashing: tables of at most kMax places, chosen by the first bits
/// of the hash; a full one splits in two. So growing and shrinking touch some hundred names at a time, however many
/// there are. Not thread-safe. Does not own the names.
class NameIndex {
 public:
  NameIndex() = default;
  ~NameIndex();
  NameIndex(const NameIndex&) = delete;
  NameIndex& operator=(const NameIndex&) = delete;

  Dirent* find(const HashedName& name) const;
  /// Makes room for one more name of this hash. Throws bad_alloc, changing nothing that can be seen.
  void reserve(uint64_t hash);
  /// After reserve().
  void add(Dirent& e, uint64_t hash) noexcept;
  void remove(const Dirent& e, uint64_t hash) noexcept;
  /// The name is at another address now.
  void moved(const Dirent& from, Dirent& to, uint64_t hash) noexcept;

 private:
  // Open addressing with linear probing, at most 3/4 full. Each place has a byte of the hash, so that other names are
  // rarely looked at.
  struct Table;
  static constexpr uint32_t kMin = 8, kMax = 1024;

  Table*& table_of(uint64_t hash) const { return top_[(hash >> 1) >> (63 - depth_)]; }
  static Table* make(uint32_t size, unsigned depth);
  static void insert(Table& t, Dirent& e, uint64_t hash) noexcept;
  static void insert_all(const Table& from, Table& to) noexcept;
  // Makes `now` (null: only forget) stand where `old` stood.
  void replace(const Table& old, uint64_t hash, Table* now) noexcept;
  void resize(uint64_t hash, uint32_t size);
  void split(uint64_t hash);
  void merge(uint64_t hash);
  void shrink_top() noexcept;

  Table* single_ = nullptr;  // top_ when depth_ is 0
  Table** top_ = &single_;   // 2^depth_ of them; a table of less depth stands in several neighbouring places
  unsigned depth_ = 0;
  uint32_t deepest_ = 0;  // tables whose depth is depth_, where that is not 0
};

}  // namespace isthmus::fs::mem
