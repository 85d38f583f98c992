/// fuse_reply_*, fuse_add_direntry*, fuse_buf_*: what does not depend on fuse_file_info.
#include <cstring>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/bufvec.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/dirents.h"
#include "providers/libfuse/v3/request.h"

using namespace isthmus;
using namespace isthmus::libfuse;

namespace {

int finish(fuse_req_t req, Answer&& a) {
  req->requests.finish(req, std::move(a));
  // If nobody got it, the door has given back what it handed out.
  return 0;
}

/// With an answer that takes memory to make.
template <class F>
int finish_made(fuse_req_t req, F make) {
  return finish(req, no_throw<Answer>(err(ENOMEM), make));
}

Buffer view(const void* mem, size_t size) { return Buffer::view({static_cast<const std::byte*>(mem), size}); }

}  // namespace

ISTHMUS_EXPORT int fuse_reply_err(fuse_req_t req, int error) {
  if (error == 0) return finish(req, Unit{});
  if (error < 0 || error >= 1000) {
    message(FUSE_LOG_ERR, "fuse: bad error value: %i\n", error);
    error = ERANGE;
  }
  return finish(req, err(error));
}

ISTHMUS_EXPORT void fuse_reply_none(fuse_req_t req) { finish(req, Unit{}); }

ISTHMUS_EXPORT int fuse_reply_entry(fuse_req_t req, const fuse_entry_param* e) { return finish(req, to_entry(*e)); }

ISTHMUS_EXPORT int fuse_reply_attr(fuse_req_t req, const struct stat* attr, double attr_timeout) {
  return finish(req, to_attributes(*attr, attr_timeout));
}

ISTHMUS_EXPORT int fuse_reply_readlink(fuse_req_t req, const char* link) {
  return finish(req, view(link, strlen(link)));
}

ISTHMUS_EXPORT int fuse_reply_write(fuse_req_t req, size_t count) { return finish(req, Count{count}); }
ISTHMUS_EXPORT int fuse_reply_lseek(fuse_req_t req, off_t off) {
  return finish(req, Count{static_cast<uint64_t>(off)});
}
ISTHMUS_EXPORT int fuse_reply_bmap(fuse_req_t req, uint64_t idx) { return finish(req, Count{idx}); }
ISTHMUS_EXPORT int fuse_reply_poll(fuse_req_t req, unsigned revents) { return finish(req, Count{revents}); }

ISTHMUS_EXPORT int fuse_reply_buf(fuse_req_t req, const char* buf, size_t size) { return finish(req, view(buf, size)); }

ISTHMUS_EXPORT int fuse_reply_iov(fuse_req_t req, const iovec* iov, int count) {
  return finish_made(req, [&] {
    Buffer all;
    for (int i = 0; i < count; i++)
      if (iov[i].iov_len > 0)
        all.append(Buffer::Owned{nullptr, {static_cast<std::byte*>(iov[i].iov_base), iov[i].iov_len}});
    return all;
  });
}

ISTHMUS_EXPORT int fuse_reply_data(fuse_req_t req, fuse_bufvec* bufv, fuse_buf_copy_flags) {
  return finish_made(req, [&]() -> Answer {
    Buffer all;
    if (borrow(*bufv, all)) return all;
    std::string copy(size_of(*bufv), '\0');
    fuse_bufvec to = one_piece_list(copy.data(), copy.size());
    ssize_t n = libfuse::copy(to, *bufv);
    if (n < 0) return err(static_cast<int>(-n));
    copy.resize(static_cast<size_t>(n));
    return Buffer::own(std::move(copy));
  });
}

ISTHMUS_EXPORT int fuse_reply_statfs(fuse_req_t req, const struct statvfs* stbuf) {
  return finish(req, to_statfs(*stbuf));
}

/// Values are asked for with the most room there can be: one that is longer is too long for everybody.
ISTHMUS_EXPORT int fuse_reply_xattr(fuse_req_t req, size_t count) {
  if (count == 0) return finish(req, Buffer());
  return finish(req, err(E2BIG));
}

ISTHMUS_EXPORT int fuse_reply_lock(fuse_req_t req, const struct flock* lock) { return finish(req, to_lock(*lock, 0)); }

ISTHMUS_EXPORT int fuse_reply_ioctl(fuse_req_t req, int result, const void* buf, size_t size) {
  return finish_made(req, [&] {
    IoctlReply r;
    r.result = result;
    if (size > 0) r.out.assign(static_cast<const char*>(buf), size);
    return r;
  });
}

ISTHMUS_EXPORT int fuse_reply_ioctl_iov(fuse_req_t req, int result, const iovec* iov, int count) {
  return finish_made(req, [&] {
    IoctlReply r;
    r.result = result;
    for (int i = 0; i < count; i++) r.out.append(static_cast<const char*>(iov[i].iov_base), iov[i].iov_len);
    return r;
  });
}

ISTHMUS_EXPORT int fuse_reply_ioctl_retry(fuse_req_t req, const iovec* in_iov, size_t in_count, const iovec* out_iov,
                                          size_t out_count) {
  auto list = [](const iovec* iov, size_t count) {
    std::vector<UserRange> ranges;
    for (size_t i = 0; i < count; i++) ranges.push_back({reinterpret_cast<uintptr_t>(iov[i].iov_base), iov[i].iov_len});
    return ranges;
  };
  return finish_made(req, [&] {
    IoctlReply r;
    r.retry = true;
    r.retry_in = list(in_iov, in_count);
    r.retry_out = list(out_iov, out_count);
    return r;
  });
}

ISTHMUS_EXPORT size_t fuse_add_direntry(fuse_req_t, char* buf, size_t bufsize, const char* name,
                                        const struct stat* stbuf, off_t off) {
  return add_name(buf, bufsize, name, stbuf, off);
}

ISTHMUS_EXPORT size_t fuse_add_direntry_plus(fuse_req_t, char* buf, size_t bufsize, const char* name,
                                             const fuse_entry_param* e, off_t off) {
  return add_name_plus(buf, bufsize, name, e, off);
}

ISTHMUS_EXPORT size_t fuse_buf_size(const fuse_bufvec* bufv) { return size_of(*bufv); }
ISTHMUS_EXPORT ssize_t fuse_buf_copy(fuse_bufvec* dst, fuse_bufvec* src, fuse_buf_copy_flags) {
  return libfuse::copy(*dst, *src);
}
