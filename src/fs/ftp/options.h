#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fs/curl/session.h"

namespace isthmus::fs::ftp {

/// A server as people name it: "host", "user@host", "user@host:port"; a literal IPv6 address in brackets.
struct Place {
  std::string user;
  std::string host;
  uint16_t port = 0;  ///< 0: the protocol's own
};
/// None for what cannot be one.
std::optional<Place> parse_place(std::string_view text);

/// What `ftp:...?key=value&...` can say. Times are in milliseconds, in text in seconds; sizes in bytes.
struct FtpOptions {
  std::optional<curl::Terms::Tls> tls;  ///< none: `try` where there is a password, else `off`
  std::string ca_file;                  ///< cacert=
  bool insecure = false;
  std::string password_file;
  bool active = false;             ///< the server connects to us for data
  uint32_t cache_ms = 10'000;      ///< how long what is known of a folder is believed
  uint32_t connect_ms = 10'000;    ///< until a server must have answered a connection
  uint32_t timeout_ms = 20'000;    ///< until it must have said something, or moved a byte
  uint32_t idle_ms = 60'000;       ///< after which connections are closed
  uint32_t retry_ms = 15'000;      ///< for how long a broken upload is tried again
  uint32_t connections = 4;        ///< to one server
  uint32_t most_hosts = 64;        ///< of `ftp:` at a time
  std::vector<std::string> hosts;  ///< `ftp:` knows no others; empty: any
  bool in_place = false;           ///< upload=direct: without a file beside, which the server must be able to rename
  uint32_t read_ahead = 2 << 20;
  std::string spool;                 ///< folder of files that are being written; empty: $TMPDIR, else /var/tmp
  uint32_t max_entries = 1'000'000;  ///< names of a folder
  bool read_only = false;
  uid_t uid;  ///< owner that is shown
  gid_t gid;

  FtpOptions();
};

/// Sets one option. False: `why` says what is wrong with it.
bool set_ftp_option(FtpOptions& o, std::string_view key, std::string_view value, std::string& why);

/// Whether a name may be connected to because somebody looks it up in `ftp:`. Desktops, shells and version control look
/// for names of their own in every folder, and none of these may reach the network: no name that begins with a dot, no
/// file's name ("autorun.inf", "desktop.ini"), and no single word, unless /etc/hosts, ~/.netrc or the option `hosts`
/// has it, or it comes with a user or a port. With `hosts` only what it has.
bool may_connect(const Place& place, const FtpOptions& o);

}  // namespace isthmus::fs::ftp
