#pragma once
#include <sys/uio.h>

#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "vfs/buffer.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse {

/// Carries whole messages between the kernel and a session. A lane is a way in and out: an answer goes out on the lane
/// that its request came in by. Any thread, several at once, also on one lane.
/// dev_transport.h: read(2) and writev(2). Requests that come by io_uring queues (ring_lines.h) do not pass through
/// here, as their answers are no messages; all others, and notifications, do.
class Transport {
 public:
  virtual ~Transport() = default;
  /// By the thread that will receive on `lane`, once, before it does.
  virtual void open_lane(unsigned lane) = 0;
  /// Blocks until there is a request and reads all of it. EINTR, EAGAIN, ENOENT: try again. ENODEV: the connection is
  /// gone, unmounted. ECONNABORTED: the same, by force.
  virtual Result<size_t> receive(unsigned lane, MutableBytes into) = 0;
  /// Whether receive() would return at once.
  virtual bool readable() = 0;
  /// One message. ENOENT: nobody waits for this answer any more. EINVAL: the kernel refuses it as malformed.
  virtual Status send(unsigned lane, std::span<const iovec> message) = 0;
  /// `header`, whose len is right, and `range` behind it, without copying. False: nothing was sent, the range is
  /// shorter or cannot be sent so; send it as memory.
  virtual Result<bool> send_file(unsigned lane, const wire::fuse::OutHeader& header,
                                 const Buffer::FileRange& range) = 0;
  /// A notification. May block until the kernel has the locks it needs: never on a thread that answers requests.
  virtual Status notify(std::span<const iovec> message) = 0;
  /// Registers an open file for passthrough and answers its number, above 0 (backing.h). ENOTTY: this cannot.
  virtual Result<int32_t> backing_open(int /*fd*/) { return err(ENOTTY); }
  virtual void backing_close(int32_t /*id*/) {}
  /// The device, for what is neither message nor notification (io_uring commands); -1: it is no device.
  virtual int device() const { return -1; }
  /// Makes receivers return soon, where that is possible without a signal.
  virtual void hang_up() = 0;
};

}  // namespace isthmus::fuse
