#include "run/packets.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace isthmus {

namespace {

constexpr int kWaitMs = 500;
constexpr int kPipeBytes = 1 << 20;

/// A pipe gets room for the largest packets, so that a packet is not handed over in pieces of 64 KiB, with a change of
/// threads for each. Other descriptors, and pipes that may not grow, stay as they are.
void widen(int fd) { fcntl(fd, F_SETPIPE_SZ, kPipeBytes); }

}  // namespace

PacketReader::PacketReader(int fd, int wake, LengthOf length_of) : fd_(fd), wake_(wake), length_of_(length_of) {
  widen(fd);
}

MutableBytes Room::of(size_t size, size_t keep) {
  if (size > size_) {
    const size_t grown = std::max(size, size_ * 2);
    auto memory = std::make_unique_for_overwrite<std::byte[]>(grown);
    if (keep > 0) memcpy(memory.get(), memory_.get(), keep);
    memory_ = std::move(memory);
    size_ = grown;
  }
  return {memory_.get(), size_};
}

Status PacketReader::wait() const {
  pollfd p[2] = {{fd_, POLLIN, 0}, {wake_, POLLIN, 0}};
  if (poll(p, wake_ >= 0 ? 2 : 1, -1) < 0) return last_errno();
  if (wake_ >= 0 && p[1].revents != 0) return err(ECANCELED);
  return Unit{};
}

Result<size_t> PacketReader::read_some(MutableBytes rest) {
  for (;;) {
    if (Status ready = wait(); !ready) return ready.error();
    const MutableBytes buffer = buffer_.of(kBuffer).first(kBuffer);
    const iovec to[2] = {{rest.data(), rest.size()}, {buffer.data(), buffer.size()}};
    const ssize_t n = readv(fd_, rest.empty() ? to + 1 : to, rest.empty() ? 1 : 2);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) continue;
    if (n < 0 && errno == EINTR) return err(EINTR);
    if (n <= 0) return have_ == 0 && (n == 0 || errno == ECONNRESET || errno == EIO) ? err(ENOTCONN) : err(EPROTO);
    const size_t got = static_cast<size_t>(n), direct = std::min(got, rest.size());
    begin_ = 0;
    end_ = got - direct;
    return direct;
  }
}

Result<Bytes> PacketReader::next(Room& room) {
  for (;;) {
    // What is in the buffer, up to the packet's end: as long as that is not known, all.
    const size_t wanted = length_ > 0 ? length_ - have_ : end_ - begin_;
    const size_t take = std::min(wanted, end_ - begin_);
    if (take > 0) {
      const MutableBytes to = room.of(have_ + take, have_);
      memcpy(to.data() + have_, buffer_.of(kBuffer).data() + begin_, take);
      have_ += take;
      begin_ += take;
    }
    if (length_ == 0 && have_ > 0) {
      const auto length = length_of_(Bytes(room.of(have_, have_)).first(have_));
      if (!length) return length.error();
      length_ = *length;
      if (length_ > 0 && have_ > length_) {
        begin_ -= have_ - length_;  // of the next packet
        have_ = length_;
      }
    }
    more_.store(begin_ < end_, std::memory_order_relaxed);
    if (length_ > 0 && have_ == length_) {
      length_ = 0;
      return Bytes(room.of(0)).first(std::exchange(have_, 0));
    }
    const MutableBytes rest = length_ > 0 ? room.of(length_, have_).subspan(have_, length_ - have_) : MutableBytes();
    const auto got = read_some(rest);
    if (!got) return got.error();
    have_ += *got;
  }
}

bool PacketReader::readable() const {
  if (more_.load(std::memory_order_relaxed)) return true;
  pollfd p{fd_, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

PacketWriter::PacketWriter(Fd fd) : fd_(std::move(fd)) {
  struct stat st {};
  socket_ = fstat(fd_.get(), &st) == 0 && S_ISSOCK(st.st_mode);
  if (socket_) return;
  widen(fd_.get());
  const std::string path = "/proc/self/fd/" + std::to_string(fd_.get());
  Fd own(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (own)
    fd_ = std::move(own);
  else
    fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

Result<size_t> PacketWriter::write_some(std::span<const iovec> parts, bool wait) const {
  for (;;) {
    ssize_t n = 0;
    if (socket_) {
      msghdr m{};
      m.msg_iov = const_cast<iovec*>(parts.data());
      m.msg_iovlen = parts.size();
      n = sendmsg(fd_.get(), &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      n = writev(fd_.get(), parts.data(), static_cast<int>(parts.size()));
    }
    if (n > 0) return static_cast<size_t>(n);
    if (n < 0 && errno == EINTR) return err(EINTR);
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return err(ENOTCONN);
    if (!wait) return err(EAGAIN);
    if (!wait_for_room()) return err(EINTR);
  }
}

bool PacketWriter::wait_for_room() const {
  pollfd p{fd_.get(), POLLOUT, 0};
  return poll(&p, 1, kWaitMs) > 0;
}

}  // namespace isthmus
