#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "vfs/filesystem.h"
#include "vfs/upcalls.h"

namespace isthmus {
class LineSource;
}

/// The kernel FUSE door: serves a FileSystem on an open /dev/fuse (or, for tests, on an AF_UNIX SOCK_SEQPACKET socket
/// whose other end plays the kernel). Mounting is separate (mount.h). docs/fuse.md.
namespace isthmus::fuse {

/// What carries requests. automatic: io_uring where the kernel allows it, else /dev/fuse.
enum class TransportChoice : uint8_t { automatic, uring, classic };

class News;
class Transport;

/// What a session is about to settle with its kernel, for file systems that have a word in that themselves.
struct Agreement {
  uint32_t minor = 0;    ///< of the kernel's protocol, 7.minor
  uint64_t offered = 0;  ///< kInit... of wire/fuse/flags.h: what the kernel can
  // May be changed.
  uint64_t flags = 0;                         ///< wanted; what is not offered is left out
  uint32_t max_write = 0, max_readahead = 0;  ///< bytes
  uint16_t max_background = 0, congestion_threshold = 0;
  uint32_t time_granularity_ns = 1;
  uint32_t max_stack_depth = 1;    ///< with kInitPassthrough: of stacked file systems, this one included; 1 or 2
  uint16_t request_timeout_s = 0;  ///< with kInitRequestTimeout
};

/// What a mount's options decide about the protocol. Zero or empty: the door chooses (policy.h has the table).
struct SessionOptions {
  bool default_permissions = true;        ///< the kernel checks modes, before the provider is asked
  bool only_root = false;                 ///< the kernel lets nobody in but processes all of whose ids are root's
  std::optional<bool> writeback_cache;    ///< the kernel may keep written data; needs Traits::write_back; empty: where
                                          ///< Traits::small_writes_dear
  std::optional<bool> remote_posix_lock;  ///< fcntl(2) locks come to the provider; empty: Traits::locks_shared
  std::optional<bool> remote_flock;       ///< flock(2) locks likewise
  std::optional<bool> stateless_open;     ///< false: every open and close is a request; empty: as the provider allows
  bool no_forget = false;                 ///< nodes are kept for good, so that NFS handles of theirs stay valid
  bool direct_io = false;                 ///< no page cache for any file
  bool passthrough = false;               ///< the kernel reads and writes plain files of a store by itself (backing.h)
  bool kernel_cache = false;              ///< keep the page cache over opens, whatever the provider says
  bool splice = true;       ///< long file ranges go to the kernel without being copied through this process
  bool clone_fd = true;     ///< each thread reads a descriptor of its own
  bool follow_core = true;  ///< a single reader stays on its client's CPU; false: threads that are not ours to move
  std::optional<bool> async_read;         ///< empty: yes
  std::optional<bool> readdirplus;        ///< empty: yes
  uint32_t max_write = 0;                 ///< bytes of one write or read; 0: 1 MiB. Never above what the kernel allows
  std::optional<uint32_t> max_readahead;  ///< bytes; never above what the kernel offers
  uint16_t max_background = 0;            ///< background requests (read-ahead, write-back, asynchronous I/O); 0: 64
  uint16_t congestion_threshold = 0;      ///< 0: three quarters of max_background
  TransportChoice transport = TransportChoice::automatic;
  unsigned threads = 0;      ///< upper limit; 0: one, by io_uring one a CPU, for a provider that never blocks, else 64
  unsigned uring_depth = 0;  ///< requests that the kernel hands over to each io_uring queue at a time; 0: 8
  std::optional<uint32_t> only_uid;                      ///< allow_root: everyone but this user and root gets EACCES
  std::optional<Ttl> entry_ttl, negative_ttl, attr_ttl;  ///< in place of the provider's
  /// Has the last word at INIT, on the thread that read it; with it the door adds no rules of its own to how long names
  /// are believed. An error is the kernel's answer, and the end.
  std::function<Status(Agreement&)> negotiate;
};

/// What Door::wait() tells.
enum class EndReason : uint8_t {
  unmounted,  ///< the kernel let the connection go: umount, or the last user of a lazy one left
  aborted,    ///< by abort(), or through fusectl
  failed,     ///< the device could not be read, or the kernel's protocol is too old
};

/// A snapshot of what a session has done.
struct SessionStats {
  uint64_t requests = 0;       ///< read from the kernel, of every kind
  uint64_t errors = 0;         ///< answered with an errno
  uint64_t interrupts = 0;     ///< that found their request
  uint64_t malformed = 0;      ///< refused before the provider saw them
  uint64_t notifications = 0;  ///< sent to the kernel
  unsigned threads = 0;        ///< started so far
  bool by_rings = false;       ///< requests come by io_uring
  uint32_t minor = 0;          ///< negotiated protocol 7.minor; 0: not yet
  /// What was settled with the kernel, for people: names and values (docs/fuse.md). Empty: not yet.
  std::vector<std::pair<std::string, std::string>> settled;
};

/// One mount. Life: constructed; fs.start(door.upcalls()) by the caller; start(); wait_ready() and wait(); fs.stop();
/// destroyed. Methods may be called from any thread, start() once. The threads of a door block all signals but one of
/// their own (run/line.h), so the caller's main thread handles SIGTERM and its like.
class Door {
 public:
  /// `device` may be empty and come later, by attach().
  Door(FileSystem& fs, Fd device, const SessionOptions& options);
  /// Over something else than a device. `transport` has been opened already.
  Door(FileSystem& fs, std::unique_ptr<Transport> transport, const SessionOptions& options);
  /// Ends as abort() and wait() do.
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  /// To be given to FileSystem::start(). Valid as long as the door; news before start() is dropped.
  Upcalls& upcalls();
  /// The device of a mount that was made after fs.start(), as it should be: a file system that is started before it is
  /// mounted cannot run into its own mount. Before start().
  void attach(Fd device);
  /// Starts the threads that serve. EAGAIN and the like when there can be none.
  Status start();
  // For programs with a loop of their own, instead of start(). Operations run on the threads that call.

  /// Requests, one after the other: wait() and run() by one thread or, each with a number of its own, by several.
  LineSource& source();
  /// Reads one message, for process(). Errors as Transport::receive(); at the end ENODEV or ECONNABORTED.
  Result<size_t> receive(MutableBytes into);
  /// Runs the request that is in `message`, at an 8-byte boundary. What follows a WRITE's header is not copied, and
  /// must stay until this returns, or, for providers that answer later, until they have.
  void process(Bytes message);
  /// News that is told at once, on the calling thread.
  News& news();

  /// Until the kernel's INIT has been answered: mount(2) has returned by then and the first operation will be heard.
  /// ETIMEDOUT, EPROTO (a kernel that speaks no protocol of ours), ENODEV (ended before).
  Status wait_ready(std::chrono::milliseconds timeout);
  /// Until the session is over and every operation has been answered. Later calls return the same at once.
  EndReason wait();
  /// Whether wait() would return at once.
  bool ended() const;
  /// Stops serving: readers leave, operations under way are cancelled, the device is closed once they have been
  /// answered. The mount then answers ENOTCONN until it is unmounted. Any thread but the door's own.
  void abort();
  SessionStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace isthmus::fuse
