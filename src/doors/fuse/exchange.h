#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <new>

#include "base/bytes.h"
#include "doors/fuse/dir_fill.h"
#include "doors/fuse/transport.h"
#include "vfs/filesystem.h"
#include "wire/fuse/reply.h"
#include "wire/fuse/request.h"

namespace isthmus::fuse {

class Session;
class Exchange;

/// What an exchange belongs to: carries its answer, and gets it back when everybody is through with it. The pool of a
/// session for requests read from the device, an entry of an io_uring queue for those that came by it (ring.h).
class Origin {
 public:
  /// The answer: header, whose len is right, then `a`, then `b`. Either may lie in the exchange's data().
  virtual Status send(Exchange& x, const wire::fuse::OutHeader& header, Bytes a, Bytes b) = 0;
  /// As Transport::send_file.
  virtual Result<bool> send_file(Exchange& x, const wire::fuse::OutHeader& header, const Buffer::FileRange& range) = 0;
  /// Nobody uses `x` any more. On whichever thread let go last.
  virtual void take_back(Exchange& x) = 0;

 protected:
  ~Origin() = default;
};

/// One request of the kernel and what it needs until it has been answered: the waist's Pending, the memory of the
/// answer. Belongs to its origin; a provider that answers at once costs no allocation. Used by one thread at a time:
/// the one that got the request, then the one that answers.
class Exchange {
 public:
  /// `data` is the memory of data(): it begins at a page, and is the origin's.
  Exchange(Session& session, Origin& origin, MutableBytes data) : session_(session), origin_(origin), data_(data) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Room for the data of an answer. What follows the request's fixed struct lies here too (of a WRITE from the first
  /// byte on): only for requests that have nothing there, or are through with it.
  MutableBytes data() { return data_; }

  /// Takes over a request.
  void begin(const wire::fuse::Request& request) {
    in_ = request;
    tried_again_ = false;
  }
  /// With one reference, for its origin.
  void renew() { refs_.store(1, std::memory_order_relaxed); }
  /// Drops a reference; the last one gives the exchange back.
  void drop();
  /// Keeps the memory of a request for as long as the file system's function runs, also when that has answered: FUSE
  /// programs go on using what they were given.
  class Held {
   public:
    explicit Held(Exchange& x) : x_(x) { x.refs_.fetch_add(1, std::memory_order_relaxed); }
    ~Held() { x_.drop(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    Exchange& x_;
  };
  const wire::fuse::Request& in() const { return in_; }
  Origin& origin() const { return origin_; }
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
  /// Whether what the file system lacked has been given back meanwhile; once for a request.
  bool worth_another_try(Errno e);
  Status send(const wire::fuse::OutHeader& header, Bytes a, Bytes b);

  Session& session_;
  Origin& origin_;
  MutableBytes data_;
  wire::fuse::Request in_;
  Cancel cancel_;
  std::array<op::Label, kMaxLabels> labels_;
  std::array<uint32_t, kMaxGroups> groups_;
  alignas(std::max_align_t) std::byte task_[kTaskRoom];

  std::atomic<uint32_t> refs_{0};
  bool tried_again_ = false;
  // Of Interrupts.
  Exchange* next_ = nullptr;
  bool listed_ = false;
};

template <class T, auto Then>
struct Exchange::Task final : Pending<T> {
  explicit Task(Exchange& x) : exchange(x) {}
  void answered(Result<typename T::Reply>&& r) noexcept override {
    Exchange& x = exchange;
    if (!r && x.worth_another_try(r.error())) return x.fs().template submit<T>(*this);
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
