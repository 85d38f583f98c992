#include "fs/mail/options.h"

#include <fmt/format.h>

#include "base/text.h"

namespace isthmus::fs::mail {

bool set_mail_option(MailOptions& o, std::string_view key, std::string_view value, std::string& why) {
  const auto seconds = [&](uint32_t& to) {
    const auto n = parse_seconds(value);
    if (!n || *n < 100 || *n > 86'400'000) {
      why = fmt::format("{}: '{}' is no number of seconds from 0.1 to 86400", key, value);
      return false;
    }
    to = *n;
    return true;
  };
  if (key == "timeout") return seconds(o.timeout_ms);
  if (key == "poll") return seconds(o.poll_ms);
  if (key == "ro" && value.empty()) return o.read_only = true;
  if (key == "insecure" && value.empty()) return o.insecure = true;
  if (key == "tls" && (value == "require" || value == "off")) {
    o.tls = value == "require";
    return true;
  }
  if (key == "max_message") {
    const auto n = parse_bytes(value, uint64_t{1} << 40);
    if (n) o.max_message = *n;
    if (!n) why = fmt::format("max_message: '{}' is no number of bytes", value);
    return n.has_value();
  }
  for (auto& [name, to] : {std::pair{"trash", &o.trash}, {"password_file", &o.password_file}, {"cacert", &o.cacert}})
    if (key == name && !value.empty()) {
      *to = value;
      return true;
    }
  why = value.empty() ? fmt::format("no option '{}'", key) : fmt::format("no option '{}={}'", key, value);
  return false;
}

}  // namespace isthmus::fs::mail
