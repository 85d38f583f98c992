#include "fs/compress/below.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

namespace isthmus::fs::compress {
namespace {

constexpr size_t kMostAtOnce = size_t{1} << 20;

uint64_t next_number() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Result<std::shared_ptr<OpenBelow>> OpenBelow::open(InnerRef node, uint32_t flags) {
  auto o = call_and_wait(node->fs, op::Open{{}, node->node, flags | O_NOATIME}, own());
  // Only an owner may look without being seen.
  if (!o && o.error() == err(EPERM)) o = call_and_wait(node->fs, op::Open{{}, node->node, flags}, own());
  if (!o) return o.error();
  return std::make_shared<OpenBelow>(std::move(node), o->handle);
}

OpenBelow::OpenBelow(InnerRef node, HandleId handle)
    : node_(std::move(node)), handle_(handle), number_(next_number()) {}

OpenBelow::~OpenBelow() {
  op::Release r;
  r.node = node_->node;
  r.handle = handle_;
  // Nobody waits for that: the thread may be one that answers come by. The node is held until then.
  call_then(node_->fs, own(), r, [node = node_](Status) {});
}

Result<size_t> OpenBelow::read_at(uint64_t offset, MutableBytes to) {
  size_t done = 0;
  while (done < to.size()) {
    op::Read r;
    r.node = node_->node;
    r.handle = handle_;
    r.offset = offset + done;
    r.size = std::min(to.size() - done, kMostAtOnce);
    r.into = to.subspan(done, r.size);
    r.flags = O_NOATIME;
    auto b = call_and_wait(node_->fs, r, own());
    if (!b) return b.error();
    auto n = b->copy_to(r.into, r.into);
    if (!n) return n.error();
    done += *n;
    if (*n < r.size) break;
  }
  return done;
}

Status OpenBelow::write_at(uint64_t offset, Bytes data) {
  while (!data.empty()) {
    const Buffer part = Buffer::view(data.first(std::min(data.size(), kMostAtOnce)));
    op::Write w;
    w.node = node_->node;
    w.handle = handle_;
    w.offset = offset;
    w.data = &part;
    auto n = call_and_wait(node_->fs, w, own());
    if (!n) return n.error();
    if (*n == 0) return err(EIO);
    offset += *n;
    data = data.subspan(*n);
  }
  return Unit{};
}

Status OpenBelow::copy_from(OpenBelow& from, uint64_t from_offset, uint64_t offset, uint64_t length) {
  while (length > 0) {
    op::CopyRange c;
    c.from = from.node_->node;
    c.from_handle = from.handle_;
    c.from_offset = from_offset;
    c.to = node_->node;
    c.to_handle = handle_;
    c.to_offset = offset;
    c.length = length;
    auto n = call_and_wait(node_->fs, c, own());
    if (!n && (n.error() == err(EXDEV) || n.error() == err(EINVAL) || is_unsupported(n.error()))) {
      // Across mounts below, for instance.
      std::vector<std::byte> piece(static_cast<size_t>(std::min<uint64_t>(length, kMostAtOnce)));
      n = from.read_at(from_offset, piece);
      if (n && *n > 0)
        if (auto s = write_at(offset, Bytes(piece).first(static_cast<size_t>(*n))); !s) return s;
    }
    if (!n) return n.error();
    if (*n == 0) return err(EIO);  // it is shorter than it was
    from_offset += *n;
    offset += *n;
    length -= *n;
  }
  return Unit{};
}

Status OpenBelow::truncate(uint64_t size) {
  op::Setattr s{{}, node_->node, handle_};
  s.set.mask = kSetSize;
  s.set.to.size = size;
  auto a = call_and_wait(node_->fs, s, own());
  return a ? Status(Unit{}) : Status(a.error());
}

Status OpenBelow::fsync() { return call_and_wait(node_->fs, op::Fsync{{}, node_->node, handle_}, own()); }

Result<Attr> OpenBelow::attr() {
  auto a = call_and_wait(node_->fs, op::Getattr{{}, node_->node, handle_}, own());
  if (!a) return a.error();
  return a->attr;
}

}  // namespace isthmus::fs::compress
