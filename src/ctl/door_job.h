#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/problem.h"
#include "doors/common/loopback.h"

/// What command lines say of doors that listen, whichever they are.
namespace isthmus::ctl {

/// "127.0.0.1:8080", "8080", "[::1]:8080", "::1".
Expected<Endpoint> parse_endpoint(const std::string& text);
/// The first line of a file, so that no password stands in a list of processes; no file: a random one.
Expected<std::string> password_of(const std::string& file);
/// Names or numbers of users.
Expected<std::vector<uint32_t>> uids_of(const std::vector<std::string>& users);
/// No thread may run yet.
uint32_t own_umask();

}  // namespace isthmus::ctl
