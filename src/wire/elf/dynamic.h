#pragma once
#include <optional>

#include "wire/elf/view.h"

namespace isthmus::wire::elf {

/// The dynamic section: tags and where they lead.
class Dynamic {
 public:
  /// `section`: its bytes, up to DT_NULL.
  Dynamic(const View& view, Bytes section);

  std::optional<uint64_t> find(Elf64_Sxword tag) const;
  std::string_view string(uint64_t offset) const;
  /// Empty without the tag.
  std::string_view string_of(Elf64_Sxword tag) const;
  std::vector<std::string_view> strings_of(Elf64_Sxword tag) const;
  bool has_symbols() const { return symbols_.has_value(); }
  Elf64_Sym symbol(uint64_t index) const;
  /// Index into the versions, hidden bit included; VER_NDX_GLOBAL without versions.
  uint16_t version_of(uint64_t index) const;
  const View& view() const { return view_; }

 private:
  const View& view_;
  std::vector<Elf64_Dyn> entries_;
  Bytes strings_;
  std::optional<uint64_t> symbols_, versions_;
};

/// Names of versions by their index; of needed ones also whose they are.
struct Version {
  std::string_view name, library;
  bool weak = false;
};
struct Versions {
  std::vector<Version> by_index;  ///< name empty: no such index
  std::vector<std::string_view> defined;
  const Version& at(uint16_t versym) const;
};
Versions read_versions(const Dynamic& dynamic);

/// Indices of the symbols that relocations name, sorted.
std::vector<uint32_t> relocated_symbols(const Dynamic& dynamic);
/// Indices of the symbols that the hash table leads to.
std::vector<uint32_t> hashed_symbols(const Dynamic& dynamic);

}  // namespace isthmus::wire::elf
