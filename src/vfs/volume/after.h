#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>

#include "base/clock.h"
#include "vfs/defaults.h"
#include "vfs/volume/core.h"

namespace isthmus::volume {

/// What the volume knows of an operation besides its arguments.
struct Extra {
  NodeId victim = NodeId::none;  ///< that unlink, rmdir and rename take the name from; none: unknown
  NodeId target = NodeId::none;  ///< that rename replaces, or exchanges with
  bool last_name = false;        ///< of what loses its name by unlink, rmdir or rename
  /// Attributes that take no lease: of streams (Context::of_stream), and those that clients of SMB set.
  bool apart = false;
  bool told_at_close = false;  ///< leases of the directory go when the open ends
  std::shared_ptr<void> keep;  ///< what the provider may use until it answers
};

/// From when on an answer may be cached (Cache's `since`): the asker's own change does not stand in the way.
struct Marks {
  ChangeClock::Stamp name = 0, node = 0;
};

/// What an operation's answer means for the volume's caches, the other doors and the watchers: one rule an operation.
/// Runs once for each answer of the provider, before the asker hears, on the thread that answers.
class Aftermath {
 public:
  Aftermath(Core& core, const Actor& who, ChangeClock::Stamp since) : core_(core), who_(who), marks{since, since} {}

  // Own caches.
  /// stays: what had the name still has as many.
  ChangeClock::Marked name(NodeId dir, std::string_view name, bool stays = false) {
    Forgets out;
    ChangeClock::Marked m{};
    NodeId was = core_.cache.invalidate_name(dir, name, out, &m);
    if (m.before <= marks.name) marks.name = m.at;
    core_.cache.invalidate_data(dir);
    if (was != NodeId::none) {
      if (stays)
        core_.cache.invalidate_data(was);  // time of change
      else
        core_.cache.invalidate_attributes(was);  // links, too
      core_.cache.leave(was, 1, out);
    }
    core_.give_back(std::move(out));
    return m;
  }
  void attributes(NodeId node) { mark(core_.cache.invalidate_attributes(node)); }
  void data(NodeId node) { mark(core_.cache.invalidate_data(node)); }

  // Other doors, watchers, and the caches.
  void made(NodeId dir, std::string_view n, NodeId node) {
    name(dir, n);
    tell_name(dir, n);
    core_.watches.name_event(dir, n, kWatchCreated, who_);
    core_.places.set(node, dir, n);
    tell_entries(dir);
  }
  void removed(NodeId dir, std::string_view n, const Extra& extra) {
    const NodeId node = extra.victim;
    name(dir, n);
    if (node == NodeId::none)
      tell_name(dir, n);
    else
      gone(dir, n, node);
    core_.watches.name_event(dir, n, kWatchRemoved, who_);
    lose_place(node, dir, n, extra);
    tell_entries(dir);
  }
  void renamed(const op::Rename& a, const Extra& extra) {
    bool swapped = a.flags & RENAME_EXCHANGE;
    const auto since = marks.name;
    const int64_t until = core_.cache.believed_until(a.dir, a.name, extra.victim, monotonic_ns());
    name(a.dir, a.name, true);
    const auto to = name(a.to_dir, a.to_name, swapped);
    for (NodeId n : {extra.victim, extra.target})
      if (n != NodeId::none) {
        core_.cache.invalidate_data(n);
        core_.hub.others(who_.port, [&](Upcalls& up) { up.invalidate_attr(n); });
      }
    // The name goes with the node.
    if (!swapped && extra.victim != NodeId::none && until != 0 && to.before <= since) {
      Forgets out;
      core_.cache.put_name(a.to_dir, a.to_name, extra.victim, until, to.at, out);
      core_.give_back(std::move(out));
    }
    tell_name(a.dir, a.name);
    if (extra.target != NodeId::none && !swapped)
      gone(a.to_dir, a.to_name, extra.target);
    else
      tell_name(a.to_dir, a.to_name);
    uint32_t cookie = core_.watches.next_cookie();
    core_.watches.renamed_from(a.dir, a.name, who_, cookie);
    core_.places.set(extra.victim, a.to_dir, a.to_name);
    core_.watches.renamed_to(a.to_dir, a.to_name, who_, cookie);
    tell_entries(a.dir);
    if (a.to_dir != a.dir) tell_entries(a.to_dir);
    if (!swapped) return lose_place(extra.target, a.to_dir, a.to_name, extra);
    cookie = core_.watches.next_cookie();
    core_.watches.renamed_from(a.to_dir, a.to_name, who_, cookie);
    core_.places.set(extra.target, a.dir, a.name);
    core_.watches.renamed_to(a.dir, a.name, who_, cookie);
  }
  void written(NodeId node, uint64_t offset, uint64_t length, bool told_at_close = false) {
    data(node);
    core_.hub.others(who_.port, [&](Upcalls& up) { up.invalidate_node(node, offset, length); });
    core_.watches.node_event(node, kWatchModified, who_);
    // Who has got a lease since the change was let through has cached what was there before.
    core_.opens.announce({.node = node, .use = Use::change, .who = who_});
    if (!told_at_close) core_.tell_directory(node, who_);
  }
  void described(NodeId node, uint32_t what, bool apart = false) {
    attributes(node);
    core_.hub.others(who_.port, [&](Upcalls& up) { up.invalidate_attr(node); });
    core_.watches.node_event(node, what, who_);
    if (!apart) core_.opens.announce({.node = node, .use = Use::attribute, .who = who_});
    core_.tell_directory(node, who_);
  }

 private:
  void mark(ChangeClock::Marked m) {
    if (m.before <= marks.node) marks.node = m.at;
  }
  /// Not before: whoever got a lease of the directory meanwhile may have listed what was there.
  void tell_entries(NodeId dir) { core_.opens.announce({.node = dir, .use = Use::entries, .who = who_}); }
  void lose_place(NodeId node, NodeId dir, std::string_view n, const Extra& extra) {
    core_.places.remove(node, dir, n, extra.last_name && core_.opens.is_open(node));
  }
  void tell_name(NodeId dir, std::string_view n) {
    core_.hub.others(who_.port, [&](Upcalls& up) {
      up.invalidate_entry(dir, n);
      up.invalidate_node(dir, 0, 0);
    });
  }
  void gone(NodeId dir, std::string_view n, NodeId node) {
    core_.cache.invalidate_attributes(node);
    core_.hub.others(who_.port, [&](Upcalls& up) {
      up.deleted(dir, node, n);
      up.invalidate_node(dir, 0, 0);
      up.invalidate_attr(node);
    });
  }

  Core& core_;
  const Actor& who_;

 public:
  Marks marks;
};

template <class T>
Marks after(Core& core, const Actor& who, const Extra& extra, const T& a, const Result<typename T::Reply>& r,
            ChangeClock::Stamp since) {
  Aftermath m(core, who, since);
  if (!r) {
    // A refusal says that what is cached is wrong, or something may have happened before the failure.
    if constexpr (kChanges.has(T::id)) {
      if constexpr (requires {
                      a.name;
                      a.dir;
                    })
        m.name(a.dir, a.name);
      if constexpr (requires { a.to_dir; }) m.name(a.to_dir, a.to_name);
      if constexpr (requires { a.node; }) m.attributes(a.node);
      if constexpr (requires { a.to; }) m.attributes(a.to);
    }
    return m.marks;
  }
  if constexpr (T::id == Op::Lookup) {
    if (a.name != "." && a.name != "..") core.places.set(r->node, a.dir, a.name);
  } else if constexpr (T::id == Op::Mknod || T::id == Op::Mkdir || T::id == Op::Symlink) {
    m.made(a.dir, a.name, r->node);
  } else if constexpr (T::id == Op::Create) {
    m.made(a.dir, a.name, r->entry.node);
    if (a.flags & O_TRUNC) m.written(r->entry.node, 0, 0);
  } else if constexpr (T::id == Op::Link) {
    m.made(a.to_dir, a.to_name, r->node);
    m.described(a.node, kWatchAttributes);
  } else if constexpr (T::id == Op::Unlink || T::id == Op::Rmdir) {
    m.removed(a.dir, a.name, extra);
  } else if constexpr (T::id == Op::Rename) {
    m.renamed(a, extra);
  } else if constexpr (T::id == Op::Open) {
    if (a.flags & O_TRUNC) m.written(a.node, 0, 0);
  } else if constexpr (T::id == Op::Write) {
    if (*r) m.written(a.node, a.append ? 0 : a.offset, a.append ? 0 : *r, extra.told_at_close);
    if (a.kill_suidgid) m.attributes(a.node);
  } else if constexpr (T::id == Op::CopyRange) {
    if (*r) m.written(a.to, a.to_offset, *r);
  } else if constexpr (T::id == Op::Fallocate) {
    m.written(a.node, a.offset, 0);
  } else if constexpr (T::id == Op::Setattr) {
    // The mode may go with the size.
    if (a.set.mask & kSetSize) m.written(a.node, a.set.to.size, 0);
    if (a.set.mask & ~uint32_t{kSetSize} || a.set.kill_suidgid) m.described(a.node, kWatchAttributes, extra.apart);
  } else if constexpr (T::id == Op::SetXattr || T::id == Op::RemoveXattr) {
    m.described(a.node, kWatchXattr, extra.apart);
  } else if constexpr (T::id == Op::SetAcl) {
    m.described(a.node, kWatchXattr | kWatchAttributes, extra.apart);
  } else if constexpr (T::id == Op::SetReparse) {
    m.described(a.node, kWatchAttributes);
  }
  return m.marks;
}

}  // namespace isthmus::volume
