#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "providers/fuse_host/fuse_host.h"

namespace isthmus::fuse_host {

/// What one who reads an open file from its beginning on asks for next, asked for meanwhile: the read-ahead of a page
/// cache, for doors that have none. Of one handle. As far as the file is known to go; given within a second of its
/// arrival, and not over a change that came through us or that the daemon told of.
class FuseHost::ReadAhead : public std::enable_shared_from_this<ReadAhead> {
 public:
  explicit ReadAhead(FuseHost& host) : host_(host) {}

  /// Reads of other sizes gain nothing: small ones are of those who jump, large ones take long enough by themselves.
  static bool is_for(const FuseHost& host, const Handle& handle, const op::Read& a, DoorKind door);

  /// From what is there, or under way, or from the daemon.
  void read(Call<op::Read> call);
  /// Takes the call if something is under way: a daemon releases nothing while it reads it. Nothing more is read ahead.
  bool end(Call<op::Release>& call, const Handle& handle);

 private:
  static constexpr size_t kLeast = size_t{32} << 10, kMost = size_t{512} << 10, kWindow = 4;
  static constexpr size_t kMostBytes = size_t{64} << 20;  // of all handles
  static constexpr int64_t kFresh = kNsPerSec;

  struct Chunk final : Pending<op::Read> {
    explicit Chunk(FuseHost& h) : host(h) {}
    ~Chunk() { host.read_ahead_bytes_.fetch_sub(args.size, std::memory_order_relaxed); }
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    void answered(Result<Buffer>&& r) noexcept override;

    FuseHost& host;
    std::shared_ptr<ReadAhead> of;  // until it is answered
    std::shared_ptr<Chunk> self;    // the same
    std::shared_ptr<std::byte[]> room;
    uint32_t changes = 0;           // of the node, when it was asked for
    int64_t came = 0;               // monotonic ns; 0: it is under way
    Result<size_t> got = err(EIO);  // bytes
    std::optional<Call<op::Read>> waiting;
  };

  bool gives(const Chunk& c, const op::Read& a, const Node& node) const;
  std::shared_ptr<Chunk> make_chunk(const op::Read& like, const Context& ctx, uint64_t offset, uint32_t changes);
  void arrived(Chunk& c);
  void give(Call<op::Read> call, const Chunk& c);

  FuseHost& host_;
  std::mutex m_;                                // guards what follows; a leaf
  uint64_t next_ = 0;                           // where a reader goes on
  std::vector<std::shared_ptr<Chunk>> chunks_;  // one behind the other
  size_t under_way_ = 0;
  std::optional<Call<op::Release>> ending_;
  Handle ended_;  // of ending_
};

}  // namespace isthmus::fuse_host
