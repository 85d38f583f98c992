#include "wire/smb2/compound.h"

#include "base/endian.h"

namespace isthmus::smb2 {

std::optional<std::vector<Pdu>> split_compound(Bytes frame, size_t most) {
  std::vector<Pdu> found;
  while (true) {
    const auto header = read_header(frame);
    if (!header || found.size() == most) return std::nullopt;
    const size_t next = header->next_command;
    if (next == 0) {
      found.push_back({*header, frame});
      return found;
    }
    if (next % 8 != 0 || next < kHeader || next >= frame.size()) return std::nullopt;
    found.push_back({*header, frame.first(next)});
    frame = frame.subspan(next);
  }
}

namespace {

/// Bytes of the body before the id.
std::optional<size_t> place_of_file(const Pdu& pdu) {
  switch (pdu.header.command) {
    case Command::close:
    case Command::flush:
    case Command::lock:
    case Command::ioctl:
    case Command::query_directory:
    case Command::change_notify:
      return 8;
    case Command::oplock_break:  // another size: of a lease
      return load_le<uint16_t>(pdu.bytes, kHeader) == 24 ? std::optional<size_t>(8) : std::nullopt;
    case Command::read:
    case Command::write:
    case Command::set_info:
      return 16;
    case Command::query_info:
      return 24;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<FileId> named_file(const Pdu& pdu) {
  const auto at = place_of_file(pdu);
  if (!at) return std::nullopt;
  const auto persistent = load_le<uint64_t>(pdu.bytes, kHeader + *at);
  const auto temporary = load_le<uint64_t>(pdu.bytes, kHeader + *at + 8);
  if (!persistent || !temporary) return std::nullopt;
  return FileId{*persistent, *temporary};
}

void link_next(std::string& frame, size_t last) {
  frame.resize(round_up(frame.size(), 8));
  std::string next;
  append_le<uint32_t>(next, static_cast<uint32_t>(frame.size() - last));
  frame.replace(last + kNextCommandAt, next.size(), next);
}

}  // namespace isthmus::smb2
