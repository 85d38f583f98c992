#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/byte_pool.h"
#include "doors/smb/link.h"
#include "doors/smb/server.h"
#include "run/streams.h"

namespace isthmus::smb {

class Chain;

/// Reads the frames of one client. What they ask is done when the next thread may read on; large ones that are sealed
/// are opened then, too.
class Connection final : public Stream {
 public:
  Connection(Server& server, int socket, std::optional<uint32_t> uid);
  ~Connection() override;

  Next ready() override;
  std::function<void()> take_work() override;
  std::chrono::milliseconds patience() const override;
  bool idle() const override { return !link_->known.load(std::memory_order_relaxed); }

 private:
  enum class Got : uint8_t { frame, nothing, over };
  Got read_frame(BytePool::Piece& frame);
  size_t longest() const;

  Server& server_;
  const int socket_;
  const std::shared_ptr<Link> link_;
  DoorMetrics::Connected connected_;
  bool leaves_ = false;  // the thread that has read work_, before it does that
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::string in_;  // bytes of the peer, have_ of them
  size_t have_ = 0;
  BytePool::Piece frame_;  // one that is longer than in_, got_ of it there
  size_t got_ = 0;
  std::shared_ptr<Chain> work_;
  uint64_t unknown_ = 0;                     // CloseOrder's number of sealed_
  std::shared_ptr<BytePool::Piece> sealed_;  // a large frame that is opened by the thread that leaves, instead of work_
};

}  // namespace isthmus::smb
