#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Names that differ only in case are one for clients of Windows and macOS.
namespace isthmus::windows {

/// The upper case of a character, as file systems of Windows have it: one for one, whatever the language.
uint32_t upper_case(uint32_t character);
/// Code points of a name. A byte that is not part of UTF-8 is 0x110000 + the byte, which equals only itself.
std::vector<uint32_t> characters_of(std::string_view name);
/// A key that two names share if they differ in case alone.
std::string fold_case(std::string_view name);
bool same_but_case(std::string_view a, std::string_view b);

}  // namespace isthmus::windows
