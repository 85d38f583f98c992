#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "wire/smb2/keys.h"
#include "wire/smb2/signing.h"
#include "wire/smb2/transform.h"
#include "wire/spnego/acceptor.h"

namespace isthmus::smb {

class Link;
class Session;

/// A connection that a session is used on (MS-SMB2 section 3.3.1.14), or is about to be.
class Channel {
 public:
  Channel(std::shared_ptr<Session> of, std::weak_ptr<Link> on) : session(std::move(of)), link(std::move(on)) {}

  const std::shared_ptr<Session> session;
  const std::weak_ptr<Link> link;

  /// One SESSION_SETUP at a time. Taken before all others; guards the two.
  std::mutex logon_m;
  std::unique_ptr<spnego::Acceptor> acceptor;  ///< of a logon under way
  smb2::PreauthHash preauth;

  /// While a session is being bound to the connection its own key signs what the two say; the channel's comes with the
  /// last answer.
  bool set_signing(smb2::SigningAlgorithm algorithm, Bytes key);
  /// `number`: no two channels of a session have the same, as they seal by one key.
  bool set_sealing(smb2::Cipher cipher, const smb2::SessionKeys& keys, uint32_t number);
  /// It is one of the session's: its requests are heard.
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  void set_ready() { ready_.store(true, std::memory_order_release); }

  bool has_keys() const;
  bool verify(Bytes message);
  bool sign(MutableBytes header, std::span<const Bytes> rest);
  std::optional<MutableBytes> open(MutableBytes frame);
  bool seal(std::span<const MutableBytes> parts, MutableBytes header);

 private:
  std::atomic<bool> ready_{false};
  mutable std::mutex in_m_, out_m_;  // leaves: of what comes, and of what goes
  std::optional<smb2::Signer> verifier_, signer_;
  std::optional<smb2::Opener> opener_;
  std::optional<smb2::Sealer> sealer_;
};

/// A share that a session is connected to.
struct Tree {
  uint32_t id = 0;
  bool pipes = false;  ///< IPC$
};

/// A logon, and what came of it (MS-SMB2 section 3.3.1.8).
class Session {
 public:
  explicit Session(uint64_t number) : id(number) {}

  const uint64_t id;
  static constexpr size_t kMostChannels = 32;  ///< as Samba's and Windows'

  /// Guards what follows. Taken before a channel's own; a leaf otherwise.
  mutable std::mutex m;
  enum class State : uint8_t { logging_on, valid, over } state = State::logging_on;
  std::string user;
  smb2::Key session_key;
  std::unordered_map<uint32_t, Tree> trees;
  uint32_t next_tree = 1;
  std::vector<std::weak_ptr<Channel>> channels;  ///< that the session is used on; also the one it is made on
  uint32_t next_channel = 0;

  /// Set before the session is valid, not changed afterwards.
  bool signs = true;
  bool encrypts = false;  ///< all its messages have to be sealed
  smb2::SessionKeys keys;
  // What was agreed to on the connection that it was made on; others must have agreed to the same.
  smb2::Dialect dialect = smb2::Dialect::any;
  smb2::Guid client{};
  smb2::Cipher cipher = smb2::Cipher::none;
  smb2::SigningAlgorithm signing = smb2::SigningAlgorithm::hmac_sha256;

  std::atomic<size_t> opens{0};
  /// A client of Apple's, by the create context AAPL; one that wants more in listings.
  std::atomic<bool> apple{false}, apple_entries{false};

  bool valid() const {
    std::lock_guard lock(m);
    return state == State::valid;
  }
  bool is_over() const {
    std::lock_guard lock(m);
    return state == State::over;
  }
  std::optional<Tree> tree(uint32_t number) const {
    std::lock_guard lock(m);
    const auto it = trees.find(number);
    return it == trees.end() ? std::nullopt : std::optional(it->second);
  }
  /// One whose connection lives, that of `first` if it does. Null: there is none.
  std::shared_ptr<Channel> live_channel(const std::weak_ptr<Link>& first) const;
};

}  // namespace isthmus::smb
