#include "ctl/doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/doctor_checks.h"
#include "ctl/ways.h"

namespace isthmus::ctl {

std::string_view answer_name(Answer a) {
  switch (a) {
    case Answer::yes:
      return "yes";
    case Answer::no:
      return "no";
    case Answer::info:
      return "info";
  }
  return "";
}

std::vector<Finding> examine() {
  std::vector<Finding> all;
  check_mounting(all);
  check_ways(all);
  check_kernel(all);
  check_clients(all);
  return all;
}

std::string doctor_text(const std::vector<Finding>& findings) {
  std::string text;
  for (auto& f : findings) {
    text += fmt::format("{:<5} {:<44} {}\n", answer_name(f.answer), f.title, f.detail);
    if (f.answer != Answer::no) continue;
    if (!f.needed_for.empty()) text += fmt::format("        needed for: {}\n", f.needed_for);
    if (!f.fix.empty()) text += fmt::format("        to change it: {}\n", f.fix);
  }
  text += can_mount(findings) ? "\nThis user can mount file systems here.\n"
                              : "\nThis user cannot mount file systems here until the above is changed.\n";
  return text;
}

bool can_mount(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(), [](auto& f) { return f.essential && f.answer == Answer::no; });
}

}  // namespace isthmus::ctl
