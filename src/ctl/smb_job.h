#pragma once
#include <string>
#include <vector>

#include "doors/smb/smb_door.h"

namespace isthmus::ctl {

/// What a command line says of an SMB door.
struct SmbJob {
  std::string at;  ///< "[ADDRESS:]PORT"; empty: a free port of 127.0.0.1
  std::string share, user, password_file, encrypt = "offered", signing = "required", uidmap;
  std::vector<std::string> allow_uids;  ///< names or numbers of users
  bool read_only = false, case_sensitive = false, show_dot_files = false;
};

/// Reads the password's file, or makes a password. No thread may run yet.
Expected<smb::Options> smb_options(const SmbJob& job);

/// What a user needs to know to mount it: the address, who to log on as, and the commands of each system, a line each.
/// `password`: to be told, as nobody else knows it.
std::string smb_instructions(const smb::SmbDoor& door, bool password);

}  // namespace isthmus::ctl
