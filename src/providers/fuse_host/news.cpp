/// What a daemon tells unasked.
#include <poll.h>

#include "providers/fuse_host/ask.h"
#include "wire/fuse/reply.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kMostPruned = 1 << 16;

/// A struct that is the whole of a body but for `behind` bytes.
template <class T>
std::optional<T> whole(Bytes body, size_t behind = 0) {
  if (body.size() < sizeof(T) || body.size() - sizeof(T) != behind) return {};
  return take_as<T>(body);
}

/// A name with its NUL behind a struct; empty: it is none.
template <class T>
std::string_view name_behind(Bytes body, const T& t) {
  if (body.size() != sizeof t + t.namelen + size_t{1} || body.back() != std::byte{0}) return {};
  const std::string_view name = as_text(body.subspan(sizeof t, t.namelen));
  return valid_out_name(name) ? name : std::string_view{};
}

}  // namespace

// News of a node that nobody has is right, and of no interest (the kernel says ENOENT).
bool FuseHost::on_news(int code, Bytes body) {
  Upcalls& up = *this->up();
  switch (static_cast<NotifyCode>(code)) {
    case NotifyCode::Poll: {
      const auto n = whole<NotifyPollWakeupOut>(body);
      if (!n) return false;
      poll_ready(n->kh);
      return true;
    }
    case NotifyCode::InvalInode: {
      const auto n = whole<NotifyInvalInodeOut>(body);
      if (!n) return false;
      const auto node = nodes_.of_daemon(n->ino);
      if (!node) return true;
      if (n->off < 0) return up.invalidate_attr(*node), true;
      data_changes(*node);
      up.invalidate_node(*node, static_cast<uint64_t>(n->off), static_cast<uint64_t>(std::max<int64_t>(n->len, 0)));
      return true;
    }
    case NotifyCode::InvalEntry: {
      if (body.size() < sizeof(NotifyInvalEntryOut)) return false;
      const auto n = take_as<NotifyInvalEntryOut>(body);
      const std::string_view name = name_behind(body, n);
      if (name.empty()) return false;
      if (const auto dir = nodes_.of_daemon(n.parent)) {
        up.invalidate_entry(*dir, name);
        up.invalidate_attr(*dir);
      }
      return true;
    }
    case NotifyCode::Delete: {
      if (body.size() < sizeof(NotifyDeleteOut)) return false;
      const auto n = take_as<NotifyDeleteOut>(body);
      const std::string_view name = name_behind(body, n);
      if (name.empty()) return false;
      const auto dir = nodes_.of_daemon(n.parent);
      if (!dir) return true;
      if (const auto child = nodes_.of_daemon(n.child))
        up.deleted(*dir, *child, name);
      else
        up.invalidate_entry(*dir, name);
      up.invalidate_attr(*dir);
      return true;
    }
    case NotifyCode::Store: {
      if (body.size() < sizeof(NotifyStoreOut)) return false;
      const auto n = take_as<NotifyStoreOut>(body);
      const Bytes data = body.subspan(sizeof n);
      if (data.size() != n.size || n.offset > INT64_MAX - data.size()) return false;
      if (const auto node = nodes_.of_daemon(n.nodeid)) {
        data_changes(*node);
        up.invalidate_attr(*node);  // the file may be longer by it
        up.store(*node, n.offset, Buffer::view(data));
      }
      return true;
    }
    case NotifyCode::Retrieve:
      return on_retrieve(body);
    case NotifyCode::Resend:
      if (!body.empty()) return false;
      connection_.resend();
      return true;
    case NotifyCode::IncEpoch:
      if (!body.empty()) return false;
      up.invalidate_all_names();
      return true;
    case NotifyCode::Prune:
      return on_prune(body);
  }
  return false;
}

void FuseHost::arm_poll(HandleId handle, NodeId node) {
  std::lock_guard lock(polls_m_);
  polls_[handle] = node;
}

void FuseHost::disarm_poll(HandleId handle) {
  std::lock_guard lock(polls_m_);
  polls_.erase(handle);
}

void FuseHost::poll_ready(uint64_t kh) {
  const HandleId handle{kh};
  NodeId node;
  {
    std::lock_guard lock(polls_m_);
    auto at = polls_.find(handle);
    if (at == polls_.end()) return;
    node = at->second;
    polls_.erase(at);
  }
  up()->poll_ready(node, handle, POLLIN | POLLOUT);
}

/// What the doors have in their caches, in a NOTIFY_REPLY; without a cache that is nothing.
bool FuseHost::on_retrieve(Bytes body) {
  struct Asked {
    Connection& connection;
    NotifyRetrieveOut wanted;
    static void taken(void* self, isthmus::NodeId, uint64_t offset, Bytes data) {
      const std::unique_ptr<Asked> asked(static_cast<Asked*>(self));
      asked->reply(offset, data);
    }
    void reply(uint64_t offset, Bytes data) const {
      data = data.first(std::min<size_t>(data.size(), wanted.size));
      NotifyRetrieveIn in{};
      in.offset = offset;
      in.size = static_cast<uint32_t>(data.size());
      const Bytes parts[] = {bytes_of(in), data};
      connection.reply_to_news(wanted.notify_unique, wanted.nodeid, parts);
    }
  };
  auto n = whole<NotifyRetrieveOut>(body);
  if (!n) return false;
  const auto node = nodes_.of_daemon(n->nodeid);
  if (!node) return true;
  n->size = static_cast<uint32_t>(std::min<size_t>(n->size, most_write_));
  auto asked = std::make_unique<Asked>(Asked{connection_, *n});
  if (up()->retrieve(*node, n->offset, n->size, Asked::taken, asked.get()))
    static_cast<void>(asked.release());
  else
    asked->reply(n->offset, {});
  return true;
}

/// Nodes that the daemon would like to forget: what holds one that nobody uses is its name in a cache.
bool FuseHost::on_prune(Bytes body) {
  if (body.size() < sizeof(NotifyPruneOut)) return false;
  const auto n = take_as<NotifyPruneOut>(body);
  Bytes list = body.subspan(sizeof n);
  if (n.count > kMostPruned || list.size() != n.count * sizeof(uint64_t)) return false;
  bool some_have_more = false;
  for (; !list.empty(); list = list.subspan(sizeof(uint64_t))) {
    const auto id = take_as<uint64_t>(list);
    if (!nodes_.of_daemon(id)) continue;
    const auto name = nodes_.name_of(id);
    const auto dir = name ? nodes_.of_daemon(name->dir) : std::nullopt;
    if (dir && name->only)
      up()->invalidate_entry(*dir, name->name);
    else
      some_have_more = true;
  }
  if (some_have_more) up()->invalidate_all_names();
  return true;
}

}  // namespace isthmus::fuse_host
