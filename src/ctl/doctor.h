#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace isthmus::ctl {

/// info: neither good nor bad, or not needed by this version.
enum class Answer : uint8_t { yes, no, info };
std::string_view answer_name(Answer a);

/// One thing that this machine can or cannot do.
struct Finding {
  std::string id = {};     ///< stable, for programs: "dev_fuse"
  std::string title = {};  ///< "/dev/fuse can be opened"
  Answer answer = Answer::info;
  std::string detail = {};      ///< what was seen
  std::string needed_for = {};  ///< empty: nothing here depends on it
  std::string fix = {};         ///< the command that turns a no into a yes; empty where there is none
  bool essential = false;       ///< without it this user cannot mount
};

/// Looks at this machine, as this user. Changes nothing, mounts nothing.
std::vector<Finding> examine();

/// For people, one finding a line, fixes below; ends with a newline.
std::string doctor_text(const std::vector<Finding>& findings);
/// Whether this user can mount: no essential `no`.
bool can_mount(const std::vector<Finding>& findings);

}  // namespace isthmus::ctl
