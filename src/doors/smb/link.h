#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_pool.h"
#include "doors/smb/backlogs.h"
#include "doors/smb/close_order.h"
#include "doors/smb/credits.h"
#include "doors/smb/frames.h"
#include "doors/smb/session.h"
#include "vfs/buffer.h"
#include "vfs/context.h"
#include "wire/smb2/header.h"
#include "wire/smb2/negotiate.h"

namespace isthmus::smb {

/// What an answer, or a notification, is made of. `data` follows `body`, or what a file has.
struct Outgoing {
  std::string head;  ///< the header's bytes
  std::string body;
  BytePool::Piece data;
  size_t data_size = 0;
  Buffer::FileRange file{};          ///< neither signed nor sealed; not of news
  std::string padding;               ///< zeros behind it
  std::shared_ptr<Channel> sign_by;  ///< null: is not signed

  size_t size() const { return head.size() + body.size() + data_size + file.length + padding.size(); }
};

/// What both sides agreed to in NEGOTIATE. Set once, by the first message.
struct Agreed {
  smb2::Dialect dialect = smb2::Dialect::any;  ///< any: nothing yet
  smb2::NegotiateRequest asked;
  smb2::Cipher cipher = smb2::Cipher::none;
  smb2::SigningAlgorithm signing = smb2::SigningAlgorithm::hmac_sha256;
  smb2::PreauthHash preauth;
  bool posix = false;
  uint32_t capabilities = 0;

  constexpr bool done() const { return dialect != smb2::Dialect::any; }
  constexpr bool large() const { return done() && dialect != smb2::Dialect::smb202; }
};

/// One client's connection, for as long as anything answers it: the socket may have gone already. Any thread.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(int socket, std::optional<uint32_t> peer, FramePool& pool) : uid(peer), frames(pool), socket_(socket) {}

  const std::optional<uint32_t> uid;  ///< of the peer, if it is of this machine
  std::string here;                   ///< the address that the peer has reached, numeric; set before others see it
  Agreed agreed;
  Backlogs* backlogs = nullptr;  ///< set before others see it

  /// Sends one frame: messages in a row (a compound), each signed by its channel's key, or all sealed by `seal_by`'s.
  /// What cannot be sent in a minute ends the connection.
  void send(std::vector<Outgoing>& messages, Channel* seal_by);
  /// Sends what other clients, doors and file systems bring on their threads, which never wait for this client: what it
  /// does not take now goes with the next frame.
  void send_news(Outgoing message, std::shared_ptr<Channel> seal_by);
  /// Sends news that the client has not taken yet, if it takes them now.
  void flush_news();
  bool has_backlog();
  /// The peer gets no more answers, and hears that the connection ends.
  void end();
  /// The socket is about to be closed.
  void detach();
  bool ended() const { return ended_.load(std::memory_order_relaxed); }

  bool spend(uint64_t first, uint32_t charge) {
    std::lock_guard lock(credits_m_);
    return credits_.spend(first, charge);
  }
  uint16_t grant(uint32_t asked) {
    std::lock_guard lock(credits_m_);
    return credits_.grant(asked);
  }

  /// Requests under way, for CANCEL: by message id, and by async id once they have one.
  void add_pending(uint64_t message_id, std::shared_ptr<Cancel> cancel);
  uint64_t make_async(uint64_t message_id, const std::shared_ptr<Cancel>& cancel);
  void remove_pending(uint64_t message_id);
  void cancel(bool by_async_id, uint64_t id);
  /// One that goes on when the connection has ended, for the session's others (Creations).
  void outlive(uint64_t message_id);
  void cancel_all(bool those_that_outlive);

  /// Somebody has logged on here.
  std::atomic<bool> known{false};
  Frames frames;
  CloseOrder order;

  // Sessions that are used here, by id; also some that have ended, for signed answers that say so.
  std::mutex channels_m;  // taken before a session's
  std::map<uint64_t, std::shared_ptr<Channel>> channels;
  unsigned bad_logons = 0;  ///< under channels_m
  std::atomic<size_t> opens{0};

  bool has_session() {
    std::lock_guard lock(channels_m);
    return std::any_of(channels.begin(), channels.end(),
                       [](const auto& c) { return c.second->ready() && c.second->session->valid(); });
  }
  std::shared_ptr<Channel> channel(uint64_t session_id) {
    std::lock_guard lock(channels_m);
    const auto it = channels.find(session_id);
    return it == channels.end() ? nullptr : it->second;
  }

 private:
  struct Frame;
  struct News {
    Outgoing message;
    std::shared_ptr<Channel> seal_by;
  };
  bool assemble(std::vector<Outgoing>& messages, Channel* seal_by, Frame& frame);
  bool write(std::vector<Bytes>& parts, bool wait, bool more = false);
  bool write(Frame& frame);
  bool send_file(const Buffer::FileRange& range);
  bool wait_for_room(std::chrono::steady_clock::time_point deadline);
  /// With send_m_ held.
  void try_later();

  std::mutex send_m_;    // the order of frames; taken before a session's mutexes
  std::string backlog_;  // under send_m_: the rest of a frame that found no room
  std::mutex news_m_;    // a leaf
  std::deque<News> news_;
  std::mutex socket_m_;  // a leaf; socket_ changes with this and send_m_ held
  int socket_;
  std::atomic<bool> ended_{false};
  std::mutex credits_m_;  // a leaf
  Credits credits_;
  struct Waiting {
    std::shared_ptr<Cancel> cancel;
    uint64_t async_id = 0;
    bool outlives = false;
  };
  std::mutex pending_m_;  // a leaf; nothing is cancelled with it held
  std::map<uint64_t, Waiting> pending_;
  uint64_t next_async_ = 1;
};

}  // namespace isthmus::smb
