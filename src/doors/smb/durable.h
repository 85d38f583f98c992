#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "doors/smb/open.h"
#include "doors/smb/oplock.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

/// What a CREATE asks for of opens that outlive their connection (MS-SMB2 sections 3.3.5.9.6, .7, .10 and .12).
struct DurableWish {
  bool wanted = false, v2 = false;
  smb2::Guid create_guid{};           ///< of v2
  uint32_t timeout = 0;               ///< ms, of v2; 0: as the server likes
  std::optional<smb2::Guid> app;      ///< of an application that moves from one client to another
  std::optional<smb2::FileId> again;  ///< an open that is to go on
};
/// An error: the contexts contradict one another, or cannot be read.
smb2::NtStatus read_durable(const Request& r, const std::vector<smb2::CreateContext>& contexts, DurableWish& wish);
/// What the same application has open from another client is closed (section 3.3.5.9.13).
void make_room(Request& r, const DurableWish& wish);
/// Whether an open that has its oplock or lease becomes durable; then the context of the answer is appended to `list`.
void make_durable(const Request& r, Open& open, const DurableWish& wish, std::string& list);

/// Opens whose client has gone, and may come back. Any thread; none of the mutexes of opens is held by the callers.
class DurableOpens {
 public:
  explicit DurableOpens(Server& server) : server_(server) {}
  ~DurableOpens() { stop(); }
  DurableOpens(const DurableOpens&) = delete;
  DurableOpens& operator=(const DurableOpens&) = delete;

  /// The session of an open has ended without a word. False: the open does not outlive it.
  bool keep(const std::shared_ptr<Open>& open);
  /// Somebody else's use is in the way of what such an open may cache: it is closed, on another thread.
  void give_up(const Open& open);
  /// The open goes on, with r's session. An error: there is none that r may have. Waits for up to a second if the
  /// client is faster than the news that its connection has ended.
  smb2::NtStatus take(Request& r, const DurableWish& wish, const CacheWish& cache, const std::vector<std::string>& path,
                      std::shared_ptr<Open>& open);
  /// It has been closed.
  void forget(const Open& open);
  /// All are closed.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    std::shared_ptr<Open> open;
    Clock::time_point until;
  };
  static constexpr size_t kMost = 4096;
  smb2::NtStatus take_kept(Request& r, const DurableWish& wish, const CacheWish& cache,
                           const std::vector<std::string>& path, std::shared_ptr<Open>& open);
  void run();

  Server& server_;
  std::mutex m_;  // taken before none
  std::condition_variable changed_;
  std::map<uint64_t, Kept> kept_;  // by persistent id
  bool stopping_ = false;
  std::thread thread_;  // made with the first
};

}  // namespace isthmus::smb
