#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace isthmus::fs::mail {

/// What `mail:PLACE?key=value&...` can say.
struct MailOptions {
  bool read_only = false;     ///< change nothing
  std::string trash;          ///< the folder for what is removed, as it is shown from the top ("Trash"); empty: found
  std::string password_file;  ///< its first line is the password
  std::string netrc;          ///< a file in the form of ~/.netrc; empty: that
  std::string cacert;         ///< certificates (PEM) that the server's is checked against; empty: the system's
  bool tls = true;            ///< imap://: STARTTLS or nothing
  bool insecure = false;      ///< any certificate will do
  uint32_t timeout_ms = 30'000;              ///< for an answer, and for a connection
  uint32_t poll_ms = 60'000;                 ///< between questions for news where the server does not tell
  uint64_t max_message = uint64_t{1} << 30;  ///< bytes of one message that is fetched
};

/// False: `why` has a sentence for the user.
bool set_mail_option(MailOptions& o, std::string_view key, std::string_view value, std::string& why);

/// What opening may want of whoever started it; each may be empty.
struct MailHooks {
  std::function<std::optional<std::string>(int attempt)> password;
  std::function<bool()> cancelled;
};

}  // namespace isthmus::fs::mail
