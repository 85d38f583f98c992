#include "wire/smb2/set_info.h"

namespace isthmus::smb2 {
namespace {

constexpr uint64_t kFreeze = ~0ull, kThaw = ~0ull - 1, kBiggestSize = INT64_MAX;

bool is_time_change(uint64_t time) { return time <= INT64_MAX || time >= kThaw; }

}  // namespace

size_t minimum_set_size(FileInfoClass what) {
  switch (what) {
    case FileInfoClass::disposition:
      return 1;
    case FileInfoClass::mode:
    case FileInfoClass::disposition_ex:
    case FileInfoClass::case_sensitive:
    case FileInfoClass::short_name:
      return 4;
    case FileInfoClass::position:
    case FileInfoClass::allocation:
    case FileInfoClass::end_of_file:
    case FileInfoClass::valid_data_length:
    case FileInfoClass::full_ea:
      return 8;
    case FileInfoClass::rename:
    case FileInfoClass::rename_ex:
    case FileInfoClass::link:
    case FileInfoClass::link_ex:
      return 20;
    case FileInfoClass::basic:
      return 40;
    default:
      return 0;
  }
}

std::optional<BasicChange> read_basic_change(Bytes data) {
  const auto m = read_data<BasicChange>(data);
  if (!m || !is_time_change(m->times.creation) || !is_time_change(m->times.access) || !is_time_change(m->times.write) ||
      !is_time_change(m->times.change))
    return std::nullopt;
  return m;
}

TimeChange time_change(uint64_t time) {
  if (time == 0) return TimeChange::keep;
  if (time == kFreeze) return TimeChange::freeze;
  return time == kThaw ? TimeChange::thaw : TimeChange::set;
}

std::optional<NameChange> read_name_change(Bytes data, bool ex) {
  const auto flags = load_le<uint32_t>(data, 0), length = load_le<uint32_t>(data, 16);
  const size_t name_at = minimum_set_size(FileInfoClass::rename);
  if (!length || *length == 0 || *length % 2 != 0 || *length > data.size() - name_at) return std::nullopt;
  NameChange m;
  m.flags = ex ? *flags : (*flags & 0xFF) != 0 ? NameChange::kReplace : 0;
  m.root = *load_le<uint64_t>(data, 8);
  m.name = data.subspan(name_at, *length);
  return m;
}

std::optional<DispositionChange> read_disposition_change(Bytes data, bool ex) {
  DispositionChange m;
  if (ex) {
    const auto flags = load_le<uint32_t>(data, 0);
    if (!flags) return std::nullopt;
    m.flags = *flags;
  } else {
    if (data.empty()) return std::nullopt;
    m.flags = data[0] != std::byte{0} ? DispositionChange::kDelete : 0;
  }
  return m;
}

std::optional<uint64_t> read_size_change(Bytes data) {
  const auto size = load_le<uint64_t>(data, 0);
  return size && *size <= kBiggestSize ? size : std::nullopt;
}

std::optional<uint32_t> read_flags_change(Bytes data) { return load_le<uint32_t>(data, 0); }

std::optional<Bytes> read_short_name_change(Bytes data) {
  const auto length = load_le<uint32_t>(data, 0);
  if (!length || *length % 2 != 0 || *length > data.size() - 4) return std::nullopt;
  return data.subspan(4, *length);
}

}  // namespace isthmus::smb2
