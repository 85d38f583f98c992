#pragma once
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "vfs/context.h"
#include "vfs/ops.h"

namespace isthmus::volume {

/// A copy of `b` that stays good when what it borrows does not: kept pieces are shared, others are read and copied.
Result<Buffer> kept_copy(const Buffer& b);

/// A sink that may go before the provider has ended: after close() entries are refused. The mutex comes before the
/// cache's: entries are entered with it held.
class ClosableSink final : public DirSink {
 public:
  explicit ClosableSink(DirSink& to) : to_(&to) {}
  bool add(const DirEntry& e) override {
    std::lock_guard lock(m_);
    return to_ && to_->add(e);
  }
  size_t room() const override {
    std::lock_guard lock(m_);
    return to_ ? to_->room() : 0;
  }
  void close() {
    std::lock_guard lock(m_);
    to_ = nullptr;
  }

 private:
  mutable std::mutex m_;
  DirSink* to_;
};

/// What a request borrows from its door, copied for a provider that may still use it when the door has been told that
/// it took too long.
template <class T>
class Kept {
 public:
  /// Has `args` and `ctx` refer to the copies. ENOMEM, or what reading a borrowed file says.
  Status keep(T& a, Context& ctx) {
    groups_.assign(ctx.cred.groups.begin(), ctx.cred.groups.end());
    ctx.cred.groups = groups_;
    if constexpr (requires { a.name; }) text(name_, a.name);
    if constexpr (requires { a.to_name; }) text(other_, a.to_name);
    if constexpr (requires { a.target; }) text(other_, a.target);
    if constexpr (requires { a.pattern; }) text(name_, a.pattern);
    if constexpr (requires { a.predicate; }) text(name_, a.predicate);
    if constexpr (requires { a.value; }) bytes(a.value);
    if constexpr (requires { a.acl; }) bytes(a.acl);
    if constexpr (requires { a.in; }) bytes(a.in);
    if constexpr (requires { a.point; }) bytes(a.point.data);
    if constexpr (requires { a.labels; }) {
      labels_.reserve(a.labels.size());
      for (auto& l : a.labels) labels_.emplace_back(std::string(l.name), std::string(as_text(l.value)));
      for (auto& [name, value] : labels_) views_.push_back({name, as_bytes(value)});
      a.labels = views_;
    }
    if constexpr (T::id == Op::Read) a.into = {};
    if constexpr (T::id == Op::Write) {
      auto copy = kept_copy(*a.data);
      if (!copy) return copy.error();
      data_ = std::move(*copy);
      a.data = &data_;
    }
    return Unit{};
  }

 private:
  static void text(std::string& room, std::string_view& view) {
    room = view;
    view = room;
  }
  void bytes(Bytes& view) {
    bytes_ = as_text(view);
    view = as_bytes(bytes_);
  }

  std::vector<uint32_t> groups_;
  std::string name_, other_, bytes_;
  std::vector<std::pair<std::string, std::string>> labels_;
  std::vector<op::Label> views_;
  Buffer data_;
};

}  // namespace isthmus::volume
