#pragma once
#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"

namespace isthmus::wire::elf {

/// Why a file is refused, from the depth of its tables to read_image(): ends with "it" as the subject left out.
struct Malformed {
  std::string what;
};

/// A file by offsets, and by the addresses that its segments are loaded at. Whatever lies outside throws Malformed.
class View {
 public:
  explicit View(Bytes file) : file_(file) {}

  /// Offsets and counts are those of the file, unchecked; `what` names them in the message.
  Bytes at_offset(uint64_t offset, uint64_t size, const char* what) const {
    if (offset > file_.size() || size > file_.size() - offset)
      throw Malformed{std::string("is cut off or damaged: its ") + what + " lie beyond its end"};
    return file_.subspan(offset, size);
  }
  void add_segment(const Elf64_Phdr& p) {
    static_cast<void>(at_offset(p.p_offset, p.p_filesz, "segments"));
    segments_.push_back(p);
  }
  /// From `address` to the end of its segment's part of the file.
  Bytes from(uint64_t address, const char* what) const {
    for (auto& s : segments_)
      if (address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
        return file_.subspan(s.p_offset, s.p_filesz).subspan(address - s.p_vaddr);
    throw Malformed{std::string("is damaged: its ") + what + " lie outside of what is loaded"};
  }
  Bytes at(uint64_t address, uint64_t size, const char* what) const {
    Bytes rest = from(address, what);
    if (size > rest.size()) throw Malformed{std::string("is damaged: its ") + what + " end outside of what is loaded"};
    return rest.first(size);
  }
  size_t size() const { return file_.size(); }

 private:
  Bytes file_;
  std::vector<Elf64_Phdr> segments_;
};

/// Tables of a file need not be aligned.
template <class T>
T load(Bytes b, size_t index = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  T t;
  memcpy(&t, b.subspan(index * sizeof(T)).first(sizeof(T)).data(), sizeof(T));
  return t;
}
template <class T>
T load_at(const View& v, uint64_t address, const char* what) {
  return load<T>(v.at(address, sizeof(T), what));
}

}  // namespace isthmus::wire::elf
