/// fuse_lowlevel_notify_*: news for the kernel.
#include "libfuse/common/notify.h"

#include <string>

#include "doors/fuse/news.h"
#include "libfuse/common/exports.h"
#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/common/no_throw.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

template <class F>
int tell(fuse_session* se, F f) {
  if (!se) return -EINVAL;
  return se->with_door([&](fuse::Door& door) { return -Status(f(door.news())).code(); });
}

struct Retrieving {
  fuse_session* se;
  void* cookie;
};

void retrieved(void* self, NodeId node, uint64_t offset, Bytes data) {
  std::unique_ptr<Retrieving> r(static_cast<Retrieving*>(self));
  // At the end of a session nothing is told, as in the original.
  if (r->se->current) r->se->program->retrieved(r->cookie, node, offset, data);
}

}  // namespace

ISTHMUS_EXPORT int fuse_lowlevel_notify_poll(fuse_pollhandle* ph) {
  if (!ph) return 0;
  return ph->session->with_door([&](fuse::Door& door) {
    door.upcalls().poll_ready(ph->node, ph->handle, 0);
    return 0;
  });
}

ISTHMUS_EXPORT void fuse_pollhandle_destroy(fuse_pollhandle* ph) { delete ph; }

int isthmus::libfuse::notify_inval_inode(fuse_session* se, fuse_ino_t ino, off_t off, off_t len) {
  return tell(se, [&](fuse::News& news) { return news.tell_node(NodeId{ino}, off, len); });
}

int isthmus::libfuse::notify_inval_entry(fuse_session* se, fuse_ino_t parent, std::string_view name, bool expire_only) {
  return tell(se, [&](fuse::News& news) { return news.tell_entry(NodeId{parent}, name, expire_only); });
}

int isthmus::libfuse::notify_delete(fuse_session* se, fuse_ino_t parent, fuse_ino_t child, std::string_view name) {
  return tell(se, [&](fuse::News& news) { return news.tell_deleted(NodeId{parent}, NodeId{child}, name); });
}

int isthmus::libfuse::notify_store(fuse_session* se, fuse_ino_t ino, off_t offset, fuse_bufvec& from) {
  return no_throw(-ENOMEM, [&]() -> int {
    std::string data(size_of(from), '\0');
    fuse_bufvec to = one_piece_list(data.data(), data.size());
    ssize_t n = libfuse::copy(to, from);
    if (n < 0) return static_cast<int>(n);
    Bytes bytes = std::as_bytes(std::span(data)).first(static_cast<size_t>(n));
    return tell(se,
                [&](fuse::News& news) { return news.tell_store(NodeId{ino}, static_cast<uint64_t>(offset), bytes); });
  });
}

int isthmus::libfuse::notify_retrieve(fuse_session* se, fuse_ino_t ino, size_t size, off_t offset, void* cookie) {
  if (!se) return -EINVAL;
  auto asked = std::make_unique<Retrieving>(Retrieving{se, cookie});
  int result = tell(se, [&](fuse::News& news) {
    return news.ask(NodeId{ino}, static_cast<uint64_t>(offset), size, retrieved, asked.get());
  });
  if (result == 0) asked.release();  // NOLINT(bugprone-unused-return-value): retrieved() frees it
  return result;
}
