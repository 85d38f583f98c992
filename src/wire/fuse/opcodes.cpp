#include "wire/fuse/opcodes.h"

#include <algorithm>

namespace isthmus::wire::fuse {
namespace {

// Numbers are dense but for CUSE_INIT: one load finds a request.
constexpr uint32_t kDense = 64;
constexpr std::array<uint8_t, kDense> make_index() {
  std::array<uint8_t, kDense> index{};
  for (size_t i = 0; i < kOpcodes.size(); ++i) {
    const auto number = static_cast<uint32_t>(kOpcodes[i].opcode);
    if (number < kDense) index[number] = static_cast<uint8_t>(i + 1);
  }
  return index;
}
constexpr auto kIndex = make_index();

static_assert(std::is_sorted(kOpcodes.begin(), kOpcodes.end(),
                             [](const OpcodeInfo& a, const OpcodeInfo& b) { return a.opcode < b.opcode; }));
static_assert(kOpcodes.size() < 256);

}  // namespace

const OpcodeInfo* find_opcode(uint32_t number) {
  if (number < kDense) return kIndex[number] == 0 ? nullptr : &kOpcodes[kIndex[number] - 1u];
  for (auto it = kOpcodes.rbegin(); it != kOpcodes.rend() && static_cast<uint32_t>(it->opcode) >= kDense; ++it) {
    if (static_cast<uint32_t>(it->opcode) == number) return &*it;
  }
  return nullptr;
}

std::string_view to_string(Opcode op) {
  const OpcodeInfo* info = find_opcode(static_cast<uint32_t>(op));
  return info == nullptr ? "?" : info->name;
}

std::string_view to_string(NotifyCode code) {
  switch (code) {
    case NotifyCode::Poll:
      return "POLL";
    case NotifyCode::InvalInode:
      return "INVAL_INODE";
    case NotifyCode::InvalEntry:
      return "INVAL_ENTRY";
    case NotifyCode::Store:
      return "STORE";
    case NotifyCode::Retrieve:
      return "RETRIEVE";
    case NotifyCode::Delete:
      return "DELETE";
    case NotifyCode::Resend:
      return "RESEND";
    case NotifyCode::IncEpoch:
      return "INC_EPOCH";
    case NotifyCode::Prune:
      return "PRUNE";
  }
  return "?";
}

}  // namespace isthmus::wire::fuse
