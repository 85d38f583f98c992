#pragma once
#include <string>
#include <vector>

#include "doors/webdav/webdav_door.h"

namespace isthmus::ctl {

/// What a command line says of a WebDAV door.
struct WebdavJob {
  std::string at;  ///< "[ADDRESS:]PORT"; empty: a free port of 127.0.0.1
  std::string auth = "none", user, password_file;
  std::vector<std::string> hosts;
  std::vector<std::string> allow_uids;  ///< names or numbers of users
  std::string tls;                      ///< "CERT,KEY": PEM files; empty: plain HTTP
  bool no_secret = false, read_only = false;
};

/// Reads the password's file, or makes a password, which is told to standard output. No thread may run yet.
Expected<webdav::Options> webdav_options(const WebdavJob& job);

}  // namespace isthmus::ctl
