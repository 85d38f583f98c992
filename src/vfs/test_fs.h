#pragma once
// What the waist's own tests share: a sink that remembers log lines, a directory sink, a tiny file system.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "vfs/provider.h"
#include "vfs/sync.h"

namespace isthmus::testing {

/// Catches log lines for the life of the object.
class LogCatcher {
 public:
  LogCatcher() {
    lines().clear();
    set_log_sink([](LogLevel, std::string_view line) {
      std::lock_guard lock(mutex());
      lines().emplace_back(line);
    });
  }
  ~LogCatcher() { set_log_sink(nullptr); }
  bool has(std::string_view part) const { return count(part) > 0; }
  size_t count(std::string_view part) const {
    std::lock_guard lock(mutex());
    return static_cast<size_t>(
        std::count_if(lines().begin(), lines().end(), [&](auto& l) { return l.find(part) != std::string::npos; }));
  }

 private:
  static std::vector<std::string>& lines() {
    static std::vector<std::string> all;
    return all;
  }
  static std::mutex& mutex() {
    static std::mutex m;
    return m;
  }
};

/// Takes up to `room` names.
struct NameSink final : DirSink {
  explicit NameSink(size_t r = SIZE_MAX) : room(r) {}
  bool add(const DirEntry& e) override {
    if (names.size() >= room) return false;
    names.emplace_back(e.name);
    with.push_back(e.with ? e.with->node : NodeId::none);
    cookie = e.cookie;
    return true;
  }
  size_t room;
  std::vector<std::string> names;
  std::vector<NodeId> with;
  uint64_t cookie = 0;
};

inline Credentials who(uint32_t uid, uint32_t gid, std::span<const uint32_t> groups = {}) {
  return {.known = true, .uid = uid, .gid = gid, .groups = groups, .groups_known = true};
}

inline Attr file_attr(NodeId n, uint32_t mode = S_IFREG | 0644, uint64_t size = 0) {
  Attr a;
  a.ino = raw(n);
  a.mode = mode;
  a.size = size;
  return a;
}

inline Entry entry_of(NodeId n, uint32_t mode = S_IFREG | 0644) {
  Entry e;
  e.node = n;
  e.attr = file_attr(n, mode);
  return e;
}

/// Flat files by name, with only read, write, mknod, lookup, getattr and read_dir: the rest is the waist's.
struct FlatFs final : Provider<FlatFs> {
  struct File {
    std::string name, data;
    uint32_t mode = S_IFREG | 0644;
  };
  std::map<uint64_t, File> files;
  std::map<uint64_t, int64_t> lookups;
  Traits given;
  Traits traits() const override { return given; }

  uint64_t put(std::string name, std::string data = "", uint32_t mode = S_IFREG | 0644) {
    uint64_t id = 10 + files.size();
    files[id] = {std::move(name), std::move(data), mode};
    return id;
  }
  int64_t open_lookups() const {
    int64_t n = 0;
    for (auto& [id, count] : lookups) n += count;
    return n;
  }
  Result<Entry> lookup(const Context&, const op::Lookup& a) {
    for (auto& [id, f] : files)
      if (f.name == a.name) {
        lookups[id]++;
        return entry_of(NodeId{id}, f.mode);
      }
    return err(ENOENT);
  }
  Result<Unit> forget(const Context&, const op::Forget& a) {
    lookups[raw(a.node)] -= static_cast<int64_t>(a.count);
    return Unit{};
  }
  Result<Attributes> getattr(const Context&, const op::Getattr& a) {
    auto& f = files[raw(a.node)];
    return Attributes{file_attr(a.node, f.mode, f.data.size()), 0};
  }
  Result<Entry> mknod(const Context&, const op::Mknod& a) {
    for (auto& [id, f] : files)
      if (f.name == a.name) return err(EEXIST);
    uint64_t id = put(std::string(a.name), "", a.mode);
    lookups[id]++;
    return entry_of(NodeId{id}, a.mode);
  }
  Result<Buffer> read(const Context&, const op::Read& a) {
    auto& d = files[raw(a.node)].data;
    return Buffer::own(a.offset < d.size() ? d.substr(a.offset, a.size) : "");
  }
  Result<size_t> write(const Context&, const op::Write& a) {
    auto& d = files[raw(a.node)].data;
    std::string bytes(a.data->size(), '\0');
    auto n = a.data->copy_to(std::as_writable_bytes(std::span(bytes)));
    if (!n) return n.error();
    d.resize(std::max(d.size(), a.offset + *n));
    d.replace(a.offset, *n, bytes);
    return *n;
  }
  Result<Unit> read_dir(const Context&, const op::ReadDir& a) {
    for (auto& [id, f] : files)
      if (id > a.cookie && !a.sink->add({id, id, f.mode >> 12, f.name, nullptr})) break;
    return Unit{};
  }
};

}  // namespace isthmus::testing
