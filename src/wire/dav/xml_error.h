#pragma once
#include <cstddef>
#include <string>
#include <variant>

namespace isthmus::dav {

/// Why a body was refused. The door answers 413 when `too_big` (a limit of ours), else 400.
struct XmlError {
  std::string what;
  bool too_big = false;
};

template <class T>
using Parsed = std::variant<T, XmlError>;

/// Limits of a request body. What is parsed never takes more memory than a small multiple of the body's limit.
inline constexpr size_t kMaxBody = 1 << 20;      ///< bytes
inline constexpr size_t kMaxDepth = 64;          ///< elements in each other
inline constexpr size_t kMaxElements = 20'000;   ///< of a body
inline constexpr size_t kMaxProperties = 1'000;  ///< named by a body
inline constexpr size_t kMaxAttributes = 256;    ///< of an element, namespace declarations not counted
inline constexpr size_t kMaxNamespaces = 256;    ///< declarations in force at a time
inline constexpr size_t kMaxName = 1'024;        ///< bytes of a namespace, and of a local name

}  // namespace isthmus::dav
