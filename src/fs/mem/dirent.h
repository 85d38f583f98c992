#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace isthmus::fs::mem {

struct Inode;

/// A name to look for or to make, hashed once. Borrows its bytes; at most 255 of them.
class HashedName {
 public:
  static constexpr size_t kShort = 15;
  HashedName(std::string_view name);  // NOLINT(google-explicit-constructor)
  template <std::convertible_to<std::string_view> S>
  HashedName(const S& name) : HashedName(std::string_view(name)) {}  // NOLINT(google-explicit-constructor)

  std::string_view text() const { return text_; }
  uint64_t hash() const { return hash_; }

 private:
  friend struct Dirent;
  std::string_view text_;
  std::array<char, 16> image_{};  // as in Dirent; of a long name only the length
  uint64_t hash_;
};

/// One name. A rename over it or an exchange changes `node` and keeps the cookie. Moves when a directory that lost many
/// names is packed: a Dirent* is good until the next remove().
struct Dirent {
  Inode* node;  // null: removed
  uint64_t cookie;
  /// The length, then up to kShort characters and zeros; longer ones are allocated, with their address in the last 8.
  std::array<char, 16> image;

  size_t length() const { return static_cast<unsigned char>(image[0]); }
  std::string_view name() const { return {length() > HashedName::kShort ? allocated() : image.data() + 1, length()}; }
  bool is(const HashedName& n) const {
    if (n.text_.size() <= HashedName::kShort) return std::memcmp(image.data(), n.image_.data(), sizeof image) == 0;
    return length() == n.text_.size() && std::memcmp(allocated(), n.text_.data(), length()) == 0;
  }
  /// Throws bad_alloc.
  void set_name(const HashedName& n);
  void free_name() noexcept;

 private:
  char* allocated() const {
    char* p = nullptr;
    std::memcpy(&p, image.data() + 8, sizeof p);
    return p;
  }
};
static_assert(sizeof(Dirent) == 32);

}  // namespace isthmus::fs::mem
