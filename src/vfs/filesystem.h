#pragma once
#include <array>
#include <atomic>
#include <memory>

#include "vfs/call.h"
#include "vfs/capabilities.h"
#include "vfs/counters.h"
#include "vfs/upcalls.h"

namespace isthmus {

class FileSystem;

namespace detail {
/// What happens to an operation that the file system does not implement: emulation or ENOSYS (defaults.cpp).
template <class T>
void run_default(FileSystem& fs, Call<T> call);
}  // namespace detail

/// A file system as doors see it. Authors derive from Provider<D> (provider.h), not from this.
/// Life: constructed, start(), operations from any thread, stop(), destroyed. Doors have no operation pending at
/// stop().
class FileSystem {
 public:
  /// Runs an operation; `pending` is a Pending<T>*.
  using Thunk = void (*)(FileSystem&, void* pending);
  using Table = std::array<Thunk, kOpCount>;

  virtual ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  /// Called once before the first operation. `up` outlives stop().
  virtual Status start(Upcalls& up);
  /// Called once after the last operation has been answered: write everything out.
  virtual void stop() {}
  virtual Traits traits() const { return {}; }

  /// May shrink while running (drop()), never grow.
  virtual Capabilities capabilities() const { return Capabilities::from_bits(caps_.load(std::memory_order_relaxed)); }
  Blocking blocking() const { return blocking_; }
  const Counters& counters() const { return counters_; }

  /// Runs or begins `p`'s operation on this thread. `p` lives until its answered() has been called.
  template <class T>
  void submit(Pending<T>& p) {
    counters_.count(T::id);
    if (caps_.load(std::memory_order_relaxed) & Capabilities::bit(T::id))
      (*table_)[index_of(T::id)](*this, &p);
    else
      detail::run_default<T>(*this, Call<T>(p));
  }

 protected:
  FileSystem(const Table& table, Capabilities caps, Blocking blocking)
      : table_(&table), caps_(caps.bits()), blocking_(blocking) {}

  /// Never be asked `op` again; the default takes over. Any thread.
  void drop(Op op) { caps_.fetch_and(~Capabilities::bit(op), std::memory_order_relaxed); }
  /// The same for an operation in hand, which the default answers.
  template <class T>
  void drop_to_default(Call<T> call) {
    drop(T::id);
    detail::run_default<T>(*this, std::move(call));
  }
  /// Null before start().
  Upcalls* up() const { return up_; }

 private:
  const Table* table_;
  std::atomic<uint64_t> caps_;
  Upcalls* up_ = nullptr;
  Counters counters_;
  Blocking blocking_;
};

}  // namespace isthmus
