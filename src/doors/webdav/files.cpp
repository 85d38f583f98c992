#include "doors/webdav/files.h"

#include <dirent.h>
#include <sys/stat.h>

#include <condition_variable>
#include <mutex>

#include "vfs/then.h"

namespace isthmus::webdav {

void Found::reset() {
  if (Files* files = std::exchange(files_, nullptr)) give_back(files->port(), files->context(), r_);
}

Found& Found::operator=(Found&& o) noexcept {
  if (this != &o) {
    reset();
    files_ = std::exchange(o.files_, nullptr);
    r_ = std::move(o.r_);
  }
  return *this;
}

OpenFile& OpenFile::operator=(OpenFile&& o) noexcept {
  if (this != &o) {
    (void)close();
    files_ = std::exchange(o.files_, nullptr);
    node_ = o.node_;
    opened_ = o.opened_;
    directory_ = o.directory_;
  }
  return *this;
}

Status OpenFile::close() {
  Files* files = std::exchange(files_, nullptr);
  if (!files) return Unit{};
  if (directory_) return files->call(op::ReleaseDir{{}, node_, opened_.handle});
  Status flushed =
      opened_.flags & kOpenedNoFlush ? Status(Unit{}) : files->call(op::Flush{{}, node_, opened_.handle, 0});
  Status released = files->call(op::Release{{}, node_, opened_.handle});
  return flushed ? released : flushed;
}

std::string path_text(const Names& names) {
  std::string text;
  for (const std::string& name : names) {
    text += '/';
    text += name;
  }
  return text;
}

Result<Found> Files::find(const Names& names, bool follow_last) {
  struct Waiter {
    std::mutex m;
    std::condition_variable cv;
    std::optional<Result<Resolved>> result;
  } w;
  ResolveOptions options;
  options.follow_last = follow_last;
  const std::string path = path_text(names);
  resolve(port_, ctx_, path, options, [&w](Result<Resolved> r) {
    std::lock_guard lock(w.m);
    w.result.emplace(std::move(r));
    w.cv.notify_one();
  });
  std::unique_lock lock(w.m);
  w.cv.wait(lock, [&] { return w.result.has_value(); });
  if (!*w.result) return w.result->error();
  return Found(*this, std::move(**w.result));
}

Result<OpenFile> Files::open(NodeId node, uint32_t flags) {
  auto opened = call(op::Open{{}, node, flags});
  if (!opened) return opened.error();
  return OpenFile(*this, node, *opened, false);
}

Result<OpenFile> Files::open_dir(NodeId node) {
  auto opened = call(op::OpenDir{{}, node});
  if (!opened) return opened.error();
  return OpenFile(*this, node, *opened, true);
}

Status Files::write_all(const OpenFile& file, uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const Buffer buffer = Buffer::view(data);
    auto n = call(op::Write{{}, file.node(), file.handle(), offset, &buffer});
    if (!n) return n.error();
    if (*n == 0) return err(ENOSPC);
    offset += *n;
    data = data.subspan(std::min(*n, data.size()));
  }
  return Unit{};
}

Result<std::vector<Files::Item>> Files::list(NodeId dir) {
  auto opened = open_dir(dir);
  if (!opened) return opened.error();
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (full) return false;
      cookie = e.cookie;
      if (e.with) nodes.push_back(e.with->node);
      if (e.name != "." && e.name != "..") items.push_back({std::string(e.name), e.type});
      ++count;
      full = count % 1024 == 0;
      return true;
    }
    std::vector<Item> items;
    std::vector<NodeId> nodes;
    uint64_t cookie = 0;
    size_t count = 0;
    bool full = false;
  } sink;
  for (size_t before = SIZE_MAX; before != sink.count;) {
    before = sink.count;
    sink.full = false;
    auto done = call(op::ReadDir{{}, dir, opened->handle(), sink.cookie, false, {}, &sink});
    for (NodeId node : sink.nodes) forget(node);
    sink.nodes.clear();
    if (!done) return done.error();
  }
  return std::move(sink.items);
}

}  // namespace isthmus::webdav
