#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace isthmus::ctl {

/// The first line of a script: execve(2).
struct ScriptLine {
  std::string interpreter;  ///< as the kernel opens it: a path
  std::string program;      ///< what does the work: the same, or the name that env(1) looks for on $PATH
};
/// None: it does not begin with "#!" and a name.
std::optional<ScriptLine> read_script_line(Bytes file);

/// python, python3, python3.11 in any folder.
bool is_python(const std::string& path);
/// Extension modules for `python` that are installed where Python looks: shared libraries, sorted.
std::vector<std::string> python_modules(const std::string& python);

}  // namespace isthmus::ctl
