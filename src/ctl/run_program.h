#pragma once
#include <string>
#include <vector>

#include "ctl/mounts.h"

namespace isthmus::ctl {

/// Where our libfuse libraries are: beside this program, in its build tree or where it is installed. Problem: nowhere.
Expected<std::string> libfuse_folder();

/// Runs a FUSE program (found in PATH) and its children on our libfuse, in place of this process. Returns only why not.
Failure run_on_libfuse(std::vector<std::string> command);

/// Whether the program can run on our libfuse: `report` says so in words, one line.
struct RunCheck {
  bool can = false;
  std::string report;
};
Expected<RunCheck> check_program(const std::string& program);

}  // namespace isthmus::ctl
