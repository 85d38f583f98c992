#pragma once
#include <memory>
#include <utility>

#include "vfs/filesystem.h"

namespace isthmus {

/// A file system around another one, through one template over the operation list. Derive as `class Trace final :
/// public Decorator<Trace>` and write, as a public method,
///   template <class T> void around(Pending<T>& p);
/// which runs instead of every operation. It passes `p` on with inner().submit(p), or with watch(p, after) to see or
/// change the answer, or answers itself with Call<T>(p). Capabilities, traits and upcalls are the inner one's.
template <class D>
class Decorator : public FileSystem {
 public:
  Status start(Upcalls& up) override {
    if (auto s = FileSystem::start(up); !s) return s;
    return inner_->start(up);
  }
  void stop() override { inner_->stop(); }
  Traits traits() const override { return inner_->traits(); }
  Capabilities capabilities() const override { return inner_->capabilities(); }

 protected:
  explicit Decorator(std::unique_ptr<FileSystem> inner)
      : Decorator(std::move(inner), [](const FileSystem& i) { return i.blocking(); }) {}
  /// Around a file system of somebody else, which must live longer.
  explicit Decorator(FileSystem& inner)
      : FileSystem(kTable, Capabilities::from_bits(~uint64_t{0}), inner.blocking()), inner_(&inner) {}
  /// For decorators that sleep themselves: blocking(inner) says what this one promises.
  template <class B>
  Decorator(std::unique_ptr<FileSystem> inner, B blocking)
      : FileSystem(kTable, Capabilities::from_bits(~uint64_t{0}), blocking(*inner)),
        inner_(inner.get()),
        owned_(std::move(inner)) {}
  FileSystem& inner() { return *inner_; }

  /// Passes `p` on; after(const T&, const Context&, Result<Reply>&) runs before the asker hears the answer. Must not
  /// throw.
  template <class T, class F>
  void watch(Pending<T>& p, F after) {
    struct Watched final : Pending<T> {
      Watched(Pending<T>& o, F f) : outer(o), after(std::move(f)) {
        this->ctx = o.ctx;
        this->args = o.args;
      }
      void answered(Result<typename T::Reply>&& r) noexcept override {
        after(this->args, this->ctx, r);
        Pending<T>& to = outer;
        delete this;
        to.answered(std::move(r));
      }
      Pending<T>& outer;
      F after;
    };
    inner_->submit(*static_cast<Pending<T>*>(new Watched(p, std::move(after))));
  }

 private:
  static constexpr Table make_table() {
    Table t{};
#define X(T, m, R)                                                               \
  t[index_of(Op::T)] = [](FileSystem& f, void* p) {                              \
    static_cast<D&>(f).template around<op::T>(*static_cast<Pending<op::T>*>(p)); \
  };
#include "vfs/ops.def"
#undef X
    return t;
  }
  static inline const Table kTable = make_table();
  FileSystem* const inner_;
  const std::unique_ptr<FileSystem> owned_;  // null: somebody else's
};

}  // namespace isthmus
