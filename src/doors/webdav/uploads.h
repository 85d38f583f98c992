#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::http {
struct Request;
}

namespace isthmus::webdav {

class Exchange;
class Method;
struct Site;

/// Content that comes in several requests, after draft-ietf-httpbis-resumable-upload: what has come stands in a file
/// beside the name, and takes the name when it is complete (docs/webdav.md).
struct Upload {
  using Clock = std::chrono::steady_clock;

  std::vector<std::string> names;  ///< where it goes
  std::string temporary;           ///< name of its file, in the same directory
  uint64_t length = 0;             ///< bytes when it is complete

  /// Held while a part is written, so that an offset that was told stays true. Lock order: as Turns, of which none is
  /// taken with it.
  std::mutex m;
  uint64_t offset = 0;  ///< bytes that are there
  /// Number of the transfer that may write. Whoever asks for the offset or begins a transfer counts it up, which ends
  /// the one before: its connection may have broken without our knowing.
  uint64_t transfer = 0;
  Clock::time_point used = Clock::now();
};

/// All that are not complete. Any thread.
class Uploads {
 public:
  static constexpr size_t kMost = 1000;
  static constexpr std::chrono::hours kLife{24};  // since its last request

  /// The token that names it; empty: there are too many.
  std::string add(std::shared_ptr<Upload> upload);
  std::shared_ptr<Upload> find(std::string_view token);
  void remove(std::string_view token);
  /// Takes out those that nobody has touched for as long.
  std::vector<std::shared_ptr<Upload>> take_older(std::chrono::seconds than);

 private:
  std::mutex m_;  // before Upload::m
  std::map<std::string, std::shared_ptr<Upload>, std::less<>> all_;
};

/// Whether a PUT only begins an upload: Upload-Complete: ?0.
bool begins_upload(const http::Request& request);
std::unique_ptr<Method> make_upload_begin(Exchange& x);
/// HEAD, PATCH and DELETE of an upload, whose reserved URL has this value. Null: it names none.
std::unique_ptr<Method> make_upload_method(Exchange& x, std::string_view value);
/// Removes the files of all of them; no request is in hand any more.
void remove_uploads(Site& site);

}  // namespace isthmus::webdav
