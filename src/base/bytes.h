#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace isthmus {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }
inline std::string_view as_text(Bytes b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

/// `n` rounded up to a multiple of `align`, a power of two.
constexpr size_t round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

}  // namespace isthmus
