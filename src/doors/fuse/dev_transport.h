#pragma once
#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "doors/fuse/pipes.h"
#include "doors/fuse/transport.h"

namespace isthmus::fuse {

/// The classic transport: /dev/fuse, or a SOCK_SEQPACKET socket whose other end plays the kernel. Lanes beyond the
/// first get a descriptor of their own by FUSE_DEV_IOC_CLONE where that works: each has its own table of requests
/// under way in the kernel, which is why answers stay on their lane. All are open until the transport is destroyed.
class DevTransport final : public Transport {
 public:
  static constexpr unsigned kMaxLanes = 256;

  DevTransport(Fd device, bool clone, bool splice);
  ~DevTransport() override;
  /// Replaces the device; before any lane is opened.
  void attach(Fd device);

  void open_lane(unsigned lane) override;
  Result<size_t> receive(unsigned lane, MutableBytes into) override;
  bool readable() override;
  Status send(unsigned lane, std::span<const iovec> message) override;
  Result<bool> send_file(unsigned lane, const wire::fuse::OutHeader& header, const Buffer::FileRange& range) override;
  Status notify(std::span<const iovec> message) override { return write_message(device_.get(), message); }
  Result<int32_t> backing_open(int fd) override;
  void backing_close(int32_t id) override;
  int device() const override { return socket_ ? -1 : device_.get(); }
  void hang_up() override;

 private:
  int fd_of(unsigned lane) const {
    int fd = lanes_[lane].load(std::memory_order_acquire);
    return fd >= 0 ? fd : device_.get();
  }
  Status write_message(int fd, std::span<const iovec> message) const;

  Fd device_;
  bool socket_ = false;
  const bool clone_;
  const bool splice_;
  std::array<std::atomic<int>, kMaxLanes> lanes_;  // -1: the device itself
  Pipes pipes_;
};

}  // namespace isthmus::fuse
