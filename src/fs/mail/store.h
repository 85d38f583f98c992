#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "fs/mail/blob.h"
#include "fs/mail/mailbox.h"
#include "vfs/context.h"

namespace isthmus::fs::mail {

struct Owner {
  uint32_t uid = 0, gid = 0;
};

/// Gives heads of messages: what was asked for, and perhaps others that came along.
using HeadSink = std::function<void(const Message&, std::string_view head)>;

/// Where messages lie. Fills a Mailbox and keeps it as the place is. Operations come from any thread and may block, but
/// not without end: ETIMEDOUT, EHOSTDOWN or EIO come of a server that does not answer. EINTR: cancelled. ENOENT: the
/// message is gone (and the mailbox knows).
class Store {
 public:
  virtual ~Store() = default;

  /// Begins to watch. Called once, before the operations.
  virtual Status start() = 0;
  /// Called once, after them.
  virtual void stop() = 0;
  virtual bool read_only() const = 0;
  /// A message stays byte for byte what it was.
  virtual bool lasting() const { return true; }
  /// What others change is heard of soon, in all folders.
  virtual bool tells_changes() const { return true; }
  /// Of the files, as they are shown.
  virtual Owner owner() const = 0;

  /// What the mailbox says of the folder is as the place is now.
  virtual Status refresh(uint32_t folder, Cancel* cancel) = 0;
  /// The same the first time; later what was heard must do.
  virtual Status load(uint32_t folder, Cancel* cancel) = 0;
  /// At least the head of `wanted`, with or without what follows it; at most kMostHead bytes of it. `has` says which
  /// need not be fetched along with it.
  virtual Status heads(const Message& wanted, const std::function<bool(uint64_t serial)>& has, const HeadSink& sink,
                       Cancel* cancel) = 0;
  /// The whole message, byte for byte.
  virtual Result<std::shared_ptr<const Blob>> raw(const Message& m, Cancel* cancel) = 0;
  /// The same as the sender meant it: without what the place adds to keep messages apart (">From ").
  virtual Result<std::shared_ptr<const Blob>> parsable(const Message& m, Cancel* cancel) { return raw(m, cancel); }
  /// Its size in bytes.
  virtual Result<uint64_t> size(const Message& m, Cancel* cancel) = 0;
  virtual Status change_flags(const Message& m, FlagChange change, Cancel* cancel) = 0;
  /// To the folder for what was thrown away; out of that for good.
  virtual Status remove(const Message& m, Cancel* cancel) = 0;
};

}  // namespace isthmus::fs::mail
