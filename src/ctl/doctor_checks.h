#pragma once
#include <string>
#include <vector>

#include "ctl/doctor.h"

namespace isthmus::ctl {

// Each appends its findings. Reads files of /proc, /sys and /etc; opens /dev/fuse and closes it again.
void check_mounting(std::vector<Finding>& to);  ///< /dev/fuse, fusermount3, /etc/fuse.conf
void check_kernel(std::vector<Finding>& to);    ///< protocol, io_uring, passthrough, limits, namespaces
void check_clients(std::vector<Finding>& to);   ///< network file system clients and other programs

/// First line of a file, without the newline; empty if it cannot be read.
std::string first_line(const std::string& path);
/// Full path of a program in the usual places, or empty.
std::string find_program(const std::string& name);
/// Whether a module of the kernel is loaded, built in, or there to be loaded.
bool has_module(const std::string& name);

}  // namespace isthmus::ctl
