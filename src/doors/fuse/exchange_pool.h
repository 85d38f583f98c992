#pragma once
#include <mutex>

#include "doors/fuse/exchange.h"
#include "doors/fuse/page_memory.h"

namespace isthmus::fuse {

/// An exchange for a message read from the device, with memory for the message.
class ReadExchange final : public Exchange {
 public:
  ReadExchange(Session& session, Origin& origin, size_t data_size);  ///< std::bad_alloc

  /// Where the message is read to: it lies before data() so that the data of a WRITE begins there, at a page.
  MutableBytes frame() { return {memory_.get() + kPage - kHead, kHead + data().size()}; }

  unsigned lane = 0;  ///< that the message came in by
  ReadExchange* next_free = nullptr;

 private:
  static constexpr size_t kHead = sizeof(wire::fuse::InHeader) + sizeof(wire::fuse::WriteIn);
  ReadExchange(Session& session, Origin& origin, PageMemory memory, size_t data_size);
  PageMemory memory_;
};

/// Exchanges for messages read by a transport; free ones are kept, the one used last first. Any thread.
class ExchangePool final : public Origin {
 public:
  /// `data_size`: bytes, in whole pages.
  ExchangePool(Session& session, Transport& transport, size_t data_size)
      : session_(session), transport_(transport), data_size_(data_size) {}
  ~ExchangePool();
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  /// With one reference. std::bad_alloc.
  ReadExchange* take();
  size_t data_size() const { return data_size_; }

  Status send(Exchange& x, const wire::fuse::OutHeader& header, Bytes a, Bytes b) override;
  Result<bool> send_file(Exchange& x, const wire::fuse::OutHeader& header, const Buffer::FileRange& range) override;
  void take_back(Exchange& x) override;

 private:
  static constexpr size_t kKept = 16;  // more are for bursts: their memory goes back
  Session& session_;
  Transport& transport_;
  const size_t data_size_;
  std::mutex m_;  // leaf
  ReadExchange* free_ = nullptr;
  size_t free_count_ = 0;
};

}  // namespace isthmus::fuse
