#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "base/bytes.h"
#include "doors/fuse/dir_fill.h"
#include "vfs/filesystem.h"
#include "wire/fuse/reply.h"
#include "wire/fuse/request.h"

namespace isthmus::fuse {

class Session;

/// One request of the kernel and the memory for everything until it has been answered: the message as read, the waist's
/// Pending, the data of the answer. Comes from a pool and goes back there; a provider that answers at once costs no
/// allocation. Used by one thread at a time: the one that read it, then the one that answers.
class Exchange {
 public:
  /// Data begins at a page; the message before it, so that the data of a WRITE begins there too.
  static constexpr size_t kPage = 4096;
  static constexpr size_t kHead = sizeof(wire::fuse::InHeader) + sizeof(wire::fuse::WriteIn);

  Exchange(Session& session, size_t data_size);  ///< std::bad_alloc
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Where a message is read to.
  MutableBytes frame() { return {memory_ + kPage - kHead, kHead + data_size_}; }
  /// The data of an answer, over the message from its 80th byte on: only for requests that have nothing there.
  MutableBytes data() { return {memory_ + kPage, data_size_}; }

  /// Takes over what was read by `lane`.
  void begin(const wire::fuse::Request& request, unsigned lane);
  const wire::fuse::Request& in() const { return in_; }
  NodeId node() const { return NodeId{in_.header->nodeid}; }
  Session& session() const { return session_; }
  FileSystem& fs() const;

  /// Asks the waist; `Then`, a void(Exchange&, const T&, Result<Reply>&&), sends the answer by one of the functions
  /// below, on whichever thread has it. Afterwards the exchange is over.
  template <class T, auto Then>
  void submit(const T& args) {
    fs().template submit<T>(prepare<T, Then>(args));
  }
  /// The same, for the caller to submit.
  template <class T, auto Then>
  Pending<T>& prepare(const T& args);
  /// Answers without asking.
  void refuse(Errno e);
  /// Over, without an answer.
  void finish();

  // Each sends the one answer. False: nobody got it, what it handed out must be taken back.
  bool reply();
  template <class Struct>
  bool reply(const Struct& s) {
    return reply_bytes(std::as_bytes(std::span(&s, 1)));
  }
  bool reply_bytes(Bytes a, Bytes b = {});
  /// False: nothing was sent, send it as memory.
  bool reply_file(const Buffer::FileRange& range);
  void error(Errno e);

  // Arguments that outlive the handler.
  Buffer write_data;
  DirFill dir_fill;
  std::span<const op::Label> labels();
  Context context();
  Cancel& cancel() { return cancel_; }

 private:
  friend class ExchangePool;
  friend class Interrupts;
  template <class T, auto Then>
  struct Task;

  static constexpr size_t kTaskRoom = 64 + [] {
    size_t most = 0;
#define X(Type, method, R) most = sizeof(Pending<op::Type>) > most ? sizeof(Pending<op::Type>) : most;
#include "vfs/ops.def"
#undef X
    return most;
  }();
  static constexpr size_t kMaxLabels = 4;
  static constexpr size_t kMaxGroups = 32;

  void answer_begins();
  Status send(Bytes header, Bytes a, Bytes b);

  Session& session_;
  std::byte* memory_ = nullptr;
  size_t data_size_;
  wire::fuse::Request in_;
  unsigned lane_ = 0;
  Cancel cancel_;
  std::array<op::Label, kMaxLabels> labels_;
  std::array<uint32_t, kMaxGroups> groups_;
  alignas(std::max_align_t) std::byte task_[kTaskRoom];

  // Of Interrupts and the pool.
  std::atomic<uint32_t> refs_{0};
  Exchange* next_ = nullptr;
  bool listed_ = false;
};

/// Free exchanges, the one used last first. Any thread.
class ExchangePool {
 public:
  ExchangePool(Session& session, size_t data_size) : session_(session), data_size_(data_size) {}
  ~ExchangePool();
  /// With one reference. std::bad_alloc.
  Exchange* take();
  /// Drops a reference; the last one frees the exchange for the next request.
  void drop(Exchange* x);
  size_t data_size() const { return data_size_; }

 private:
  static constexpr size_t kKept = 16;  // more are for bursts: their memory goes back
  Session& session_;
  const size_t data_size_;
  std::mutex m_;  // leaf
  Exchange* free_ = nullptr;
  size_t free_count_ = 0;
};

template <class T, auto Then>
struct Exchange::Task final : Pending<T> {
  explicit Task(Exchange& x) : exchange(x) {}
  void answered(Result<typename T::Reply>&& r) noexcept override {
    Exchange& x = exchange;
    x.answer_begins();
    Then(x, this->args, std::move(r));
    this->~Task();
    x.finish();
  }
  Exchange& exchange;
};

template <class T, auto Then>
Pending<T>& Exchange::prepare(const T& args) {
  static_assert(sizeof(Task<T, Then>) <= kTaskRoom);
  auto* task = new (task_) Task<T, Then>(*this);
  task->ctx = context();
  task->args = args;
  return *task;
}

}  // namespace isthmus::fuse
