#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "wire/smb2/keys.h"
#include "wire/smb2/signing.h"
#include "wire/smb2/transform.h"
#include "wire/spnego/acceptor.h"

namespace isthmus::smb {

class Link;

/// A share that a session is connected to.
struct Tree {
  uint32_t id = 0;
  bool pipes = false;  ///< IPC$
};

/// A logon, and what came of it (MS-SMB2 section 3.3.1.8).
class Session {
 public:
  Session(uint64_t number, std::weak_ptr<Link> of) : id(number), link(std::move(of)) {}

  const uint64_t id;
  const std::weak_ptr<Link> link;  ///< the connection it was made on

  /// One SESSION_SETUP at a time. Taken before all others.
  std::mutex logon_m;
  /// Guards what follows. A leaf.
  mutable std::mutex m;
  enum class State : uint8_t { logging_on, valid, over } state = State::logging_on;
  std::unique_ptr<spnego::Acceptor> acceptor;  ///< of a logon under way
  smb2::PreauthHash preauth;
  std::string user;
  smb2::Key session_key;
  std::unordered_map<uint32_t, Tree> trees;
  uint32_t next_tree = 1;

  /// Set before the session is valid, not changed afterwards.
  bool signs = true;
  bool encrypts = false;  ///< all its messages have to be sealed
  smb2::SessionKeys keys;

  /// One thread at a time: those for what is sent under the link's send mutex, the others under this one.
  std::mutex read_m;
  std::optional<smb2::Signer> verifier, signer;
  std::optional<smb2::Opener> opener;
  std::optional<smb2::Sealer> sealer;

  bool valid() const {
    std::lock_guard lock(m);
    return state == State::valid;
  }
  bool has_keys() const {
    std::lock_guard lock(m);
    return state != State::logging_on;
  }
  std::optional<Tree> tree(uint32_t number) const {
    std::lock_guard lock(m);
    const auto it = trees.find(number);
    return it == trees.end() ? std::nullopt : std::optional(it->second);
  }
};

}  // namespace isthmus::smb
