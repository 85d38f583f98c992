#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace isthmus::windows {

/// Names that a client of Windows looks for (MS-FSA section 2.1.4.4):
///   *  any characters          ?  one character
///   <  any characters up to the last dot of the name, or with it
///   >  one character, or none in front of a dot and at the end; at the pattern's end also a dot that ends the name
///   "  a dot, or nothing at the end
/// Patterns are hostile: a match costs at most the product of the two lengths.
class Wildcards {
 public:
  explicit Wildcards(std::string_view pattern, bool ignore_case = true);
  bool matches(std::string_view name) const;
  /// The pattern is a name: no character of it stands for others.
  bool is_name() const { return is_name_; }
  /// Every name matches.
  bool is_all() const { return pattern_.size() == 1 && pattern_[0] == '*'; }

 private:
  std::vector<uint32_t> pattern_;
  bool ignore_case_, is_name_;
};

}  // namespace isthmus::windows
