#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/problem.h"
#include "vfs/context.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse_host {

/// Bytes of file data in one message, at most: what a kernel without a raised max_pages_limit sends.
constexpr size_t kMostData = size_t{1} << 20;
/// Behind the data: headers, structs and names.
constexpr size_t kMostMessage = kMostData + 8192;
/// Bytes of data that come in one message even of a daemon that splices: 16 pages of a pipe, less the one with the
/// header. What is longer comes in pieces, each a message.
constexpr size_t kWholeData = 15 * 4096;

/// The kernel's part of a FUSE connection: sends requests and hears answers and news. The socket (SOCK_SEQPACKET) is
/// what the daemon has for its device. Nothing of what comes is believed; what /dev/fuse would refuse with EINVAL is
/// counted and has no other effect, as nobody can be told.
class Connection {
 public:
  /// Waits for an answer, and gets it once: on the thread that hears answers, or on the one that asks, when asking
  /// fails. An answer's body lives until answered() returns.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void answered(Errno e, Bytes body) noexcept = 0;
  };
  struct Request {
    wire::fuse::Opcode opcode{};
    uint64_t node = 0;
    size_t least = 0, most = 0;  ///< bytes of a good answer's body; any other is EIO
    uint16_t extension = 0;      ///< the length of the extension records at the body's end, in units of 8 bytes
  };
  /// `code`: a wire::fuse::NotifyCode. On a thread of its own: it may wait. False: it cannot be news.
  using News = std::function<bool(int code, Bytes body)>;
  /// What INIT has settled.
  struct Agreed {
    uint32_t minor = wire::fuse::kMinor;
    bool resends = false;                          ///< the daemon may want requests again
    std::chrono::milliseconds request_timeout{0};  ///< the connection ends when one takes longer; 0: none
  };

  explicit Connection(Fd socket);
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The longest message the socket takes from us.
  size_t most_message() const { return most_message_; }

  /// One exchange before start(): the answer, and the process that gave it. ENOTCONN when the daemon has closed its
  /// end; EINTR when `stop` says so, which is asked from time to time.
  struct First {
    std::vector<std::byte> body;
    pid_t pid = 0;
  };
  Result<First> ask_first(wire::fuse::Opcode opcode, Bytes body, const std::function<bool()>& stop);

  /// Threads begin. `ended` is called once when the daemon has closed its end, and not after close().
  Status start(const Agreed& agreed, News news, std::function<void()> ended);
  /// Whoever still waits hears ENOTCONN; nothing more is heard. Not on the connection's threads.
  void close();
  /// For one whose daemon is not to be trusted any longer: as if it had closed its end. Any thread.
  void abort();

  /// Sends a request: `parts` (kMostParts at most) are its body. When ctx.cancel is requested, the daemon is told
  /// (FUSE_INTERRUPT), whose answer is waited for nonetheless; but EINTR if the request has not been sent.
  void ask(const Request& request, const Context& ctx, std::span<const Bytes> parts, std::unique_ptr<Waiter> waiter);
  static constexpr size_t kMostParts = 8;
  /// NOTIFY_REPLY, whose number the daemon has chosen.
  void reply_to_news(uint64_t unique, uint64_t node, std::span<const Bytes> parts);
  /// Gives lookups back, soon and many in one message.
  void forget(uint64_t node, uint64_t count);
  /// Sends what forget() has put aside, before anything else.
  void flush_forgets();
  /// Sends unanswered requests again, if that was agreed on.
  void resend();

  /// An answer has come in several messages.
  bool comes_in_pieces() const { return comes_in_pieces_.load(std::memory_order_relaxed); }
  /// How many requests of that kind have been sent.
  uint64_t requests(wire::fuse::Opcode opcode) const {
    const auto n = static_cast<size_t>(opcode);
    return n < requests_.size() ? requests_[n].load(std::memory_order_relaxed) : 0;
  }
  /// Messages that were refused.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    std::unique_ptr<Waiter> waiter;
    Cancel* cancel = nullptr;  ///< tells us; lives until the waiter is answered
    unsigned interrupts = 0;   ///< sent, or to be sent
    size_t least = 0, most = 0;
    Clock::time_point until = Clock::time_point::max();
    bool lends = false;                ///< what it is sent from is gone when it is answered
    std::vector<std::byte> message{};  ///< to be sent again
  };
  class Message;
  /// What a Cancel's function has of us: it may still run when we end.
  struct Line {
    explicit Line(Connection* c) : to(c) {}
    std::mutex m;
    Connection* to;  // null: closed
  };
  /// An answer of which pieces are missing.
  struct Pieces {
    uint64_t unique = 0;  // 0: none
    size_t length = 0;
    std::vector<uint64_t> room;  // aligned
    size_t have = 0;
  };

  // ---- sending: connection.cpp ----
  /// Never waits: while the daemon is slow, messages stand in line. With send_m_ held.
  Status send(const Message& message);
  Status send_message(std::span<const iovec> message);
  void send_what_waits();
  bool send_outbox();
  void send_interrupt(uint64_t unique);
  /// `first`: none has been wanted yet.
  void want_interrupt(uint64_t unique, bool first);
  void wake_sender();
  bool too_late() const;
  uint64_t next_unique();
  // ---- hearing: hearing.cpp ----
  void hear();
  void hear_one(Bytes message);
  void hear_answer(const wire::fuse::OutHeader& h, Bytes body);
  void answer_heard(Asked asked, Errno e, Bytes body);
  bool add_piece(Bytes message);
  void begin_pieces(const wire::fuse::OutHeader& h, Bytes message);
  void end_pieces(Errno e);
  void refuse(std::string_view why);
  void pass_news_on();
  Asked take(uint64_t unique);
  /// Whether it is waited for, and up to how many bytes.
  std::optional<size_t> most_of(uint64_t unique) const;
  static void answer(Asked asked, Errno e, Bytes body);
  void fail_all();

  const Fd socket_;
  const Fd wake_;  // an eventfd: of the sending thread
  const size_t most_message_;
  const uid_t user_ = geteuid();  // who asks where no door knows it
  const gid_t group_ = getegid();
  Agreed agreed_;
  News news_;
  std::function<void()> ended_;
  std::thread hearing_, passing_, sending_;
  std::atomic<bool> comes_in_pieces_{false};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> last_unique_;
  std::array<std::atomic<uint64_t>, 64> requests_{};  // by opcode
  Pieces pieces_;                                     // of the hearing thread

  mutable std::mutex m_;  // guards what follows; held for nothing else, and taken inside of send_m_
  bool over_ = false, outgoing_waits_ = false, deaf_to_interrupts_ = false;
  std::unordered_map<uint64_t, Asked> waiting_;
  std::vector<uint64_t> interrupts_;            // to be sent
  std::vector<wire::fuse::ForgetOne> forgets_;  // to be sent
  std::deque<std::vector<std::byte>> queue_;    // news
  std::condition_variable more_;
  const std::shared_ptr<Line> line_ = std::make_shared<Line>(this);

  /// Guards what follows. Held from before a request can be answered until it is sent or copied, and taken before the
  /// answer to one that lends its parts is passed on: whatever a daemon says and when, they are not gone while they are
  /// read.
  std::mutex send_m_;
  std::deque<std::vector<std::byte>> outbox_;  // in order
};

}  // namespace isthmus::fuse_host
