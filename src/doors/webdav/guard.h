#pragma once
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "doors/webdav/answer.h"
#include "doors/webdav/webdav_door.h"
#include "wire/http/request.h"
#include "wire/http/uri.h"

namespace isthmus::webdav {

/// Says who may come in: by Host, by origin, by the secret in the path, by password. Any thread.
class Guard {
 public:
  Guard(const Options& options, const Endpoint& bound);

  /// The path below the export's root, or why not.
  std::variant<http::Path, Answer> check(const http::Request& request);
  /// The path that a URL of ours names (Destination, the tags of If): none for other servers, other secrets and broken
  /// ones.
  std::optional<http::Path> path_of(std::string_view url) const;
  /// "/SECRET", or "".
  const std::string& prefix() const { return prefix_; }
  bool is_our_host(std::string_view authority) const;

 private:
  std::optional<Answer> check_origin(const http::Request& request) const;
  std::optional<Answer> check_password(const http::Request& request);
  bool digest_ok(const http::Request& request, std::string_view value, bool& stale);
  std::optional<http::Path> without_secret(http::Path path) const;

  const Options& options_;
  std::string prefix_;
  std::vector<std::string> hosts_;
  std::array<uint8_t, 32> nonce_key_;
  /// Which counts of a nonce were used, so that no request is played again. Clients with several connections send them
  /// out of order, within a window; each counts once.
  struct Counts {
    static constexpr uint32_t kWindow = 64;
    bool take(uint32_t n);
    uint32_t last = 0;
    uint64_t taken = 0;  // bit i: last - i
  };
  std::mutex m_;  // leaf lock
  std::map<std::string, Counts> counts_;
};

}  // namespace isthmus::webdav
