#include "doors/fuse/exchange_pool.h"

#include <array>
#include <utility>

namespace isthmus::fuse {

using namespace wire::fuse;

ReadExchange::ReadExchange(Session& session, Origin& origin, size_t data_size)
    : ReadExchange(session, origin, PageMemory(kPage + data_size), data_size) {}

ReadExchange::ReadExchange(Session& session, Origin& origin, PageMemory memory, size_t data_size)
    : Exchange(session, origin, {memory.get() + kPage, data_size}), memory_(std::move(memory)) {}

ExchangePool::~ExchangePool() {
  while (free_) delete std::exchange(free_, free_->next_free);
}

ReadExchange* ExchangePool::take() {
  ReadExchange* x = nullptr;
  {
    std::lock_guard lock(m_);
    if (free_) {
      x = std::exchange(free_, free_->next_free);
      free_count_--;
    }
  }
  if (!x) x = new ReadExchange(session_, *this, data_size_);
  x->renew();
  return x;
}

void ExchangePool::take_back(Exchange& exchange) {
  auto* x = static_cast<ReadExchange*>(&exchange);
  {
    std::lock_guard lock(m_);
    if (free_count_ < kKept) {
      x->next_free = std::exchange(free_, x);
      free_count_++;
      return;
    }
  }
  delete x;
}

Status ExchangePool::send(Exchange& x, const OutHeader& header, Bytes a, Bytes b) {
  auto part = [](Bytes bytes) { return iovec{const_cast<std::byte*>(bytes.data()), bytes.size()}; };
  std::array<iovec, 3> parts{part(std::as_bytes(std::span(&header, 1)))};
  size_t n = 1;
  if (!a.empty()) parts[n++] = part(a);
  if (!b.empty()) parts[n++] = part(b);
  return transport_.send(static_cast<ReadExchange&>(x).lane, std::span(parts).first(n));
}

Result<bool> ExchangePool::send_file(Exchange& x, const OutHeader& header, const Buffer::FileRange& range) {
  return transport_.send_file(static_cast<ReadExchange&>(x).lane, header, range);
}

}  // namespace isthmus::fuse
