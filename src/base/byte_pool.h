#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace isthmus {

/// Memory for large messages, which is used again: fresh memory costs a fault for each page, and is cleared first.
/// What it holds is not cleared between uses. Any thread; its mutex is a leaf.
class BytePool {
  struct Kept;

 public:
  /// Keeps up to `most` bytes that nobody uses.
  explicit BytePool(size_t most);

  /// Bytes that one has alone; goes back to the pool at its end, or to the system if that has gone or has enough.
  class Piece {
   public:
    Piece() = default;
    Piece(Piece&& o) noexcept
        : kept_(std::move(o.kept_)), at_(std::exchange(o.at_, nullptr)), size_(std::exchange(o.size_, 0)) {}
    Piece& operator=(Piece&& o) noexcept {
      if (this == &o) return *this;
      give_back();
      kept_ = std::move(o.kept_);
      at_ = std::exchange(o.at_, nullptr);
      size_ = std::exchange(o.size_, 0);
      return *this;
    }
    ~Piece() { give_back(); }

    std::byte* data() const { return at_; }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    MutableBytes bytes() const { return {at_, size_}; }

   private:
    friend class BytePool;
    void give_back() noexcept;

    std::weak_ptr<Kept> kept_;
    std::byte* at_ = nullptr;
    size_t size_ = 0;
  };

  /// Throws std::bad_alloc.
  Piece take(size_t size) const;
  /// Gives what nobody uses to the system.
  void trim();

 private:
  // Sizes are powers of two. Smaller pieces are the allocator's, which has them at hand; larger ones are rare.
  static constexpr unsigned kSmallest = 16, kLargest = 24;  // log2
  static unsigned order_of(size_t size);

  const std::shared_ptr<Kept> kept_;
};

}  // namespace isthmus
