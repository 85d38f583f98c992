#pragma once
#include <isthmus/fuse3/fuse_lowlevel.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "providers/libfuse/common/no_throw.h"
#include "providers/libfuse/v3/dirents.h"
#include "vfs/call.h"
#include "vfs/filesystem.h"

namespace isthmus::libfuse {

/// How many: bytes written or copied, an offset, a block, poll bits.
struct Count {
  uint64_t n;
};
/// Whatever a fuse_reply_...() says.
using Answer = std::variant<Errno, Unit, Entry, Created, Attributes, Opened, Count, Buffer, StatFs, Lock, IoctlReply>;

class Requests;
struct Interruption;

}  // namespace isthmus::libfuse

/// A request that a callback got: made by LowLevelFs, gone with its answer. Used by the threads that the program uses
/// it on.
struct fuse_req {
  fuse_req(isthmus::libfuse::Requests& r, const isthmus::Context& c);
  virtual ~fuse_req() = default;
  fuse_req(const fuse_req&) = delete;
  fuse_req& operator=(const fuse_req&) = delete;

  /// Passes the answer to whoever asked.
  virtual void answer(isthmus::libfuse::Answer&& a) = 0;

  isthmus::libfuse::Requests& requests;
  fuse_ctx who;
  isthmus::Cancel* const cancel;  ///< null: cannot be
  const bool in_place;            ///< the asker is done with an answer's memory when answer() returns
  bool plus = false;              ///< a listing comes with entries, asked for or not
  std::shared_ptr<isthmus::libfuse::Interruption> interruption;
  // Of Requests.
  fuse_req *before = nullptr, *after = nullptr;
  size_t shard = 0;
  std::shared_ptr<isthmus::libfuse::Requests> abandoned_by;  // `requests`, kept for an answer that comes too late
};

namespace isthmus::libfuse {

/// Every request that has not been answered yet, so that a session can end although a program never answers some. Any
/// thread. Made by make_shared().
class Requests : public std::enable_shared_from_this<Requests> {
 public:
  explicit Requests(void* data, const void* callbacks = nullptr) : userdata(data), table(callbacks) {}
  void add(fuse_req& r);
  /// Answers and frees. One that was abandoned is only freed.
  void finish(fuse_req* r, Answer&& a);
  /// Answers all with ENOTCONN. The objects stay, for finish() to come; those that never are finished are lost.
  void abandon();
  /// Whether the asker wants it to stop, or is gone.
  bool interrupted(fuse_req& r);
  /// f(Cancel&) unless the request cannot be cancelled, or has been abandoned. f must not answer.
  template <class F>
  void with_cancel(fuse_req& r, F f) {
    std::lock_guard lock(shards_[r.shard].m);
    if (r.cancel && !r.abandoned_by) f(*r.cancel);
  }

  void* const userdata;
  const void* const table;        ///< what the callbacks of another version look for
  std::atomic<bool> deaf{false};  ///< interrupts are not told
  std::atomic<int> device{-1};    ///< for passthrough

 private:
  struct alignas(64) Shard {
    std::mutex m;  // a leaf
    fuse_req* first = nullptr;
  };
  bool remove(fuse_req& r);
  std::mutex abandoning_;  // before a shard's
  std::array<Shard, 16> shards_;
};

/// What fuse_req_interrupt_func() asked for. It outlives the request where it is running at this moment.
struct Interruption {
  std::recursive_mutex m;  // held while func runs, which may answer the request
  fuse_req* request = nullptr;
  fuse_interrupt_func_t func = nullptr;
  void* data = nullptr;
  std::atomic<std::thread::id> setter{};  // who is at set_interrupt_function()
  bool came_meanwhile = false;            // of the setter

  /// Calls func, unless by the setter, who does that later.
  void come();
};
void set_interrupt_function(fuse_req& r, fuse_interrupt_func_t func, void* data);

/// EIO and a message: a callback answered with what its operation does not have.
Errno wrong_answer(Op op);
/// Turns what a program says into a reply, or says why not.
template <class T>
Result<typename T::Reply> reply_from(FileSystem& fs, const Pending<T>& asked, const fuse_req& req, Answer&& a);

/// The request of an operation.
template <class T>
struct Request final : fuse_req {
  Request(Requests& r, FileSystem& f, Pending<T>& p) : fuse_req(r, p.ctx), fs(f), pending(&p), call(p) {}
  void answer(Answer&& a) override {
    using R = Result<typename T::Reply>;
    call.finish(no_throw<R>(err(ENOMEM), [&] { return reply_from<T>(fs, *pending, *this, std::move(a)); }));
  }
  FileSystem& fs;
  Pending<T>* pending;  // that of `call`
  Call<T> call;
};

/// One that nobody waits for: retrieve_reply().
struct SilentRequest final : fuse_req {
  using fuse_req::fuse_req;
  void answer(Answer&&) override {}
};

}  // namespace isthmus::libfuse
