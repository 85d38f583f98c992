#include "wire/smb2/ea.h"

#include "wire/smb2/entry_list.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kEaHead = 8, kEaNameHead = 5;  // bytes

/// The name of `length` bytes at `at`, which a zero byte follows. None: not there whole, empty, or with zeros.
std::optional<std::string_view> read_ea_name(Bytes entry, size_t at, size_t length) {
  if (length == 0 || entry.size() < at || entry.size() - at < length + 1) return std::nullopt;
  const std::string_view name = as_text(entry.subspan(at, length + 1));
  if (name.find('\0') != length) return std::nullopt;
  return name.substr(0, length);
}

/// Goes from the entry of `size` bytes, at the beginning of `list`, to the next; none behind the last. False: the way
/// leads back, or out of the list.
bool next_ea(Bytes& list, size_t size) {
  const size_t next = *load_le<uint32_t>(list, 0);
  if (next == 0) {
    list = {};
    return true;
  }
  if (next < size || next >= list.size()) return false;
  list = list.subspan(next);
  return true;
}

bool can_write(const Ea& ea) { return !ea.name.empty() && ea.name.size() <= 0xFF && ea.value.size() <= 0xFFFF; }
size_t unpadded(const Ea& ea) { return kEaHead + ea.name.size() + 1 + ea.value.size(); }

}  // namespace

std::optional<std::vector<Ea>> read_ea_list(Bytes list, size_t most) {
  std::vector<Ea> found;
  while (!list.empty()) {
    if (found.size() == most || list.size() < kEaHead) return std::nullopt;
    const size_t name_length = *load_le<uint8_t>(list, 5), value_length = *load_le<uint16_t>(list, 6);
    const auto name = read_ea_name(list, kEaHead, name_length);
    const size_t value_at = kEaHead + name_length + 1;
    if (!name || value_length > list.size() - value_at) return std::nullopt;
    found.push_back(
        {*load_le<uint8_t>(list, 4), std::string(*name), std::string(as_text(list.subspan(value_at, value_length)))});
    if (!next_ea(list, value_at + value_length)) return std::nullopt;
  }
  return found;
}

std::string write_ea_list(const std::vector<Ea>& list) {
  std::string out;
  size_t last = 0;
  for (const Ea& ea : list) {
    if (!can_write(ea) || !begin_entry(out, last, 4, unpadded(ea))) continue;
    append_le<uint32_t>(out, 0);
    append_le<uint8_t>(out, ea.flags);
    append_le<uint8_t>(out, static_cast<uint8_t>(ea.name.size()));
    append_le<uint16_t>(out, static_cast<uint16_t>(ea.value.size()));
    out += ea.name;
    out += '\0';
    out += ea.value;
  }
  return out;
}

size_t ea_size(const Ea& ea) { return can_write(ea) ? round_up(unpadded(ea), 4) : 0; }

std::optional<std::vector<std::string_view>> read_ea_names(Bytes list, size_t most) {
  std::vector<std::string_view> found;
  while (!list.empty()) {
    if (found.size() == most || list.size() < kEaNameHead) return std::nullopt;
    const size_t length = *load_le<uint8_t>(list, 4);
    const auto name = read_ea_name(list, kEaNameHead, length);
    if (!name) return std::nullopt;
    found.push_back(*name);
    if (!next_ea(list, kEaNameHead + length + 1)) return std::nullopt;
  }
  return found;
}

}  // namespace isthmus::smb2
