#pragma once
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "doors/userfs/tables.h"
#include "vfs/upcalls.h"
#include "wire/userfs/packets.h"

namespace isthmus::userfs {

/// What the provider tells, for the peer, which asks for it: a request that is answered when there is something. Any
/// thread.
class News final : public Upcalls {
 public:
  /// Sends the answer to the peer's request for news, whose number it is.
  using Send = std::function<void(uint32_t sequence, const wire::userfs::NewsReply& reply)>;

  News(const NodeNumbers& nodes, const OpenNumbers& opens, Send send)
      : nodes_(nodes), opens_(opens), send_(std::move(send)) {}

  /// The peer asks, and has acted on what it heard before. False: it asks already.
  bool asked(uint32_t sequence, uint32_t most);
  /// The peer is gone: nothing is kept any more. The number of the request that will not be answered, or 0.
  uint32_t close();

  void invalidate_node(NodeId node, uint64_t offset, uint64_t length) override;
  void invalidate_attr(NodeId node) override;
  void invalidate_entry(NodeId dir, std::string_view name) override;
  void invalidate_all_names() override;
  void deleted(NodeId dir, NodeId child, std::string_view name) override;
  void when_heard(std::function<void()> done) override;
  void poll_ready(NodeId node, HandleId handle, uint32_t events) override;
  void changed(NodeId dir, std::string_view name, uint32_t what) override;
  void break_lease(NodeId node, HandleId handle, uint8_t bits) override;

 private:
  struct Item {
    wire::userfs::NewsItem item;
    std::string name;
  };
  using Kind = wire::userfs::NewsKind;
  static constexpr size_t kMostKept = 10'000;  // then it is told that anything may have changed

  static wire::userfs::NewsItem item(Kind kind, uint32_t handle);
  void add(wire::userfs::NewsItem item, std::string_view name = {});
  void send_some();

  const NodeNumbers& nodes_;
  const OpenNumbers& opens_;
  const Send send_;
  std::mutex m_;  // guards what follows; a leaf
  std::deque<Item> queue_;
  bool lost_ = false, closed_ = false, listens_ = false;
  uint32_t sequence_ = 0, most_ = 0;  // of the request that waits; 0: none
  uint64_t added_ = 0, sent_ = 0;     // items, ever
  struct Heard {
    uint64_t at;
    std::function<void()> done;
  };
  std::vector<Heard> heard_;
};

}  // namespace isthmus::userfs
