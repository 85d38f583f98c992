#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

/// As much of DER (X.690) as the tokens of SPNEGO need: tags of one byte, lengths definite and in as few bytes as can
/// be.
namespace isthmus::spnego {

namespace der {
constexpr uint8_t kOctets = 0x04, kObject = 0x06, kEnumerated = 0x0a, kGeneralString = 0x1b, kSequence = 0x30,
                  kApplication0 = 0x60;
/// The constructed tag [n] of a context.
constexpr uint8_t context(uint8_t n) { return static_cast<uint8_t>(0xa0 | n); }
}  // namespace der

struct Element {
  uint8_t tag = 0;
  Bytes contents;
  Bytes whole;  ///< with tag and length
};

/// Reads elements that stand one behind the other. One that is malformed or not the one wanted is not passed.
class DerReader {
 public:
  explicit DerReader(Bytes from) : rest_(from) {}

  bool at_end() const { return rest_.empty(); }
  std::optional<Element> next();
  /// The next one, if it has that tag.
  std::optional<Element> next(uint8_t tag);

 private:
  std::optional<Element> peek() const;

  Bytes rest_;
};

/// The element with that tag, if it is all there is.
std::optional<Element> only(Bytes from, uint8_t tag);

std::string to_der(uint8_t tag, std::string_view contents);

}  // namespace isthmus::spnego
