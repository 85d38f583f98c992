#pragma once
#include "wire/dcerpc/environment.h"

/// What the tests' server says of itself.
namespace isthmus::dcerpc::test {

/// S-1-5-21-1-2-3, S-1-5-21-1-2-3-1000 and S-1-1-0.
inline constexpr std::string_view kMachine("\1\4\0\0\0\0\0\5\x15\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0", 24);
inline constexpr std::string_view kUser("\1\5\0\0\0\0\0\5\x15\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\xe8\3\0\0", 28);
inline constexpr std::string_view kEveryone("\1\1\0\0\0\0\0\1\0\0\0\0", 12);

inline std::optional<SidName> name_of(Bytes sid) {
  if (as_text(sid) == kMachine) return SidName{"SERVER", "SERVER", SidType::domain};
  if (as_text(sid) == kUser) return SidName{"SERVER", "ann", SidType::user};
  if (as_text(sid) == kEveryone) return SidName{"", "Everyone", SidType::well_known_group};
  return std::nullopt;
}

inline Environment environment() {
  Environment e;
  e.server_name = "SERVER";
  e.comment = "isthmus";
  e.shares = {{"files", "Grüße", Environment::kDiskShare, 0x30},
              {"IPC$", "", Environment::kIpcShare | Environment::kSpecialShare, 0}};
  e.user = "ann";
  e.user_domain = "SERVER";
  e.machine_sid = kMachine;
  e.name_of = name_of;
  e.now = [] { return Time{1'700'000'000, 120'000'000}; };  // Tuesday 2023-11-14 22:13:20.12
  return e;
}

}  // namespace isthmus::dcerpc::test
