#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "fs/curl/session.h"

/// Where the names and passwords of servers come from: ~/.netrc, or the first line of a file. Never a command line.
namespace isthmus::fs::curl {

struct Login {
  std::string user;
  Secret password;
};

/// The entry of a host in the text of a netrc (netrc(5): machine, default, login, password, account, macdef), the first
/// one for `user`, or for anybody where that is empty. default: only for a user that is not named.
std::optional<Login> find_login(std::string_view netrc, std::string_view host, std::string_view user);

/// The same in $NETRC, else ~/.netrc; none where there is no such file. One that others may read is used, too, with one
/// line in the log.
std::optional<Login> find_login(const std::string& host, const std::string& user);
/// Whether it names the host as a machine.
bool names_host(const std::string& host);

/// The first line of a file. The problem names the file and the next step.
Expected<Secret> read_secret(const std::string& path);

}  // namespace isthmus::fs::curl
