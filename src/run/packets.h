#pragma once
#include <sys/uio.h>

#include <atomic>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

/// Packets over streams of whatever kind: pipes, sockets, terminals.
namespace isthmus {

/// Memory that is not written before it is used.
class Room {
 public:
  /// At least `size` bytes; what was there before is lost unless `keep`.
  MutableBytes of(size_t size, size_t keep = 0);

 private:
  std::unique_ptr<std::byte[]> memory_;
  size_t size_ = 0;
};

/// Takes packets off a stream. One thread at a time.
class PacketReader {
 public:
  /// Bytes of the packet that begins with `have`; 0: more are needed to know. An error ends the stream.
  using LengthOf = Result<size_t> (*)(Bytes have);

  /// Reads `fd` when it is readable, so that it may be blocking or not. Once `wake` (-1: none) is readable, next()
  /// fails by ECANCELED. Both are borrowed.
  PacketReader(int fd, int wake, LengthOf length_of);

  /// Waits for a whole packet and puts it into `room`. ENOTCONN: the stream is at its end; EPROTO or what length_of
  /// says: it is in the middle of a packet, or in none; EINTR: by a signal, what has come is kept and the next call
  /// goes on with the same room.
  Result<Bytes> next(Room& room);
  /// Whether next() will find something at once. Any thread.
  bool readable() const;

 private:
  Status wait() const;
  Result<size_t> read_some(MutableBytes rest);

  static constexpr size_t kBuffer = size_t{64} << 10;
  const int fd_, wake_;
  const LengthOf length_of_;
  Room buffer_;
  size_t begin_ = 0, end_ = 0;     // of what is in buffer_
  size_t length_ = 0, have_ = 0;   // of the packet in the caller's room
  std::atomic<bool> more_{false};  // something is in buffer_
};

/// A descriptor to write to without waiting: a socket is told so each time; of anything else a second open file is made
/// where the system can, because others may share the first one and its flags.
class PacketWriter {
 public:
  explicit PacketWriter(Fd fd);
  int fd() const { return fd_.get(); }
  /// Bytes written, at least one; EAGAIN: none now; ENOTCONN: nobody reads. wait: EINTR instead of EAGAIN, after a
  /// signal or half a second, so that the caller can look at what else there is. SIGPIPE must not end the process.
  Result<size_t> write_some(std::span<const iovec> parts, bool wait) const;
  /// False: none came in half a second, or a signal did.
  bool wait_for_room() const;

 private:
  Fd fd_;
  bool socket_ = false;
};

}  // namespace isthmus
