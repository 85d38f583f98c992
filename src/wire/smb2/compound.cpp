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

void link_next(std::string& frame, size_t last) {
  frame.resize(round_up(frame.size(), 8));
  std::string next;
  append_le<uint32_t>(next, static_cast<uint32_t>(frame.size() - last));
  frame.replace(last + kNextCommandAt, next.size(), next);
}

}  // namespace isthmus::smb2
