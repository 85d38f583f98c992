#include "providers/libfuse/v2/low_level_program.h"

#include <algorithm>
#include <cstring>

#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v2/file_info.h"
#include "providers/libfuse/v2/layer.h"

namespace isthmus::libfuse::v2 {
namespace {

using Own = ::fuse_lowlevel_ops;
using V2 = fuse_lowlevel_ops;

/// What `Own`'s callback is given, as that of version 2 wants it.
template <class To, class From>
decltype(auto) convert(From argument, bool old_info) {
  if constexpr (std::is_same_v<To, fuse_file_info*>)
    return FileInfo(argument, old_info);
  else if constexpr (std::is_pointer_v<To> && !std::is_same_v<To, From>)
    return reinterpret_cast<To>(argument);
  else
    return static_cast<To>(argument);
}

template <auto theirs, class, class>
struct Run;
template <auto theirs, class... P, class... Q>
struct Run<theirs, void (*Own::*)(::fuse_req_t, P...), void (*V2::*)(fuse_req_t, Q...)> {
  static void run(::fuse_req_t req, P... arguments) {
    auto& t = *static_cast<const NodeCallbacks*>(req->requests.table);
    // A copy: the answer may be the end of the session.
    bool old_info = t.old_info;
    (t.op.*theirs)(reinterpret_cast<fuse_req_t>(req), convert<Q>(arguments, old_info)...);
  }
};

template <auto ours, auto theirs>
void offer(Own& to, const V2& op) {
  to.*ours = op.*theirs ? Run<theirs, decltype(ours), decltype(theirs)>::run : nullptr;
}

void on_rename(::fuse_req_t req, ::fuse_ino_t dir, const char* name, ::fuse_ino_t to_dir, const char* to_name,
               unsigned flags) {
  if (flags) return req->requests.finish(req, err(EINVAL));
  auto& t = *static_cast<const NodeCallbacks*>(req->requests.table);
  t.op.rename(reinterpret_cast<fuse_req_t>(req), dir, name, to_dir, to_name);
}

Own own_form(const V2& op) {
  Own to{};
  offer<&Own::lookup, &V2::lookup>(to, op);
  offer<&Own::forget, &V2::forget>(to, op);
  offer<&Own::getattr, &V2::getattr>(to, op);
  offer<&Own::setattr, &V2::setattr>(to, op);
  offer<&Own::readlink, &V2::readlink>(to, op);
  offer<&Own::mknod, &V2::mknod>(to, op);
  offer<&Own::mkdir, &V2::mkdir>(to, op);
  offer<&Own::unlink, &V2::unlink>(to, op);
  offer<&Own::rmdir, &V2::rmdir>(to, op);
  offer<&Own::symlink, &V2::symlink>(to, op);
  offer<&Own::link, &V2::link>(to, op);
  offer<&Own::open, &V2::open>(to, op);
  offer<&Own::read, &V2::read>(to, op);
  offer<&Own::write, &V2::write>(to, op);
  offer<&Own::flush, &V2::flush>(to, op);
  offer<&Own::release, &V2::release>(to, op);
  offer<&Own::fsync, &V2::fsync>(to, op);
  offer<&Own::opendir, &V2::opendir>(to, op);
  offer<&Own::readdir, &V2::readdir>(to, op);
  offer<&Own::releasedir, &V2::releasedir>(to, op);
  offer<&Own::fsyncdir, &V2::fsyncdir>(to, op);
  offer<&Own::statfs, &V2::statfs>(to, op);
  offer<&Own::setxattr, &V2::setxattr>(to, op);
  offer<&Own::getxattr, &V2::getxattr>(to, op);
  offer<&Own::listxattr, &V2::listxattr>(to, op);
  offer<&Own::removexattr, &V2::removexattr>(to, op);
  offer<&Own::access, &V2::access>(to, op);
  offer<&Own::create, &V2::create>(to, op);
  offer<&Own::getlk, &V2::getlk>(to, op);
  offer<&Own::setlk, &V2::setlk>(to, op);
  offer<&Own::bmap, &V2::bmap>(to, op);
  offer<&Own::ioctl, &V2::ioctl>(to, op);
  offer<&Own::poll, &V2::poll>(to, op);
  offer<&Own::write_buf, &V2::write_buf>(to, op);
  offer<&Own::retrieve_reply, &V2::retrieve_reply>(to, op);
  offer<&Own::forget_multi, &V2::forget_multi>(to, op);
  offer<&Own::flock, &V2::flock>(to, op);
  offer<&Own::fallocate, &V2::fallocate>(to, op);
  if (op.rename) to.rename = on_rename;
  to.destroy = op.destroy;
  return to;
}

/// The table before the file system that is made with it.
struct TheCallbacks {
  const NodeCallbacks callbacks;
};

class NodeProgram final : private TheCallbacks, public LowLevelFs {
 public:
  NodeProgram(const NodeCallbacks& c, void* userdata)
      : TheCallbacks{c}, LowLevelFs(own_form(c.op), userdata, &callbacks) {}

  void init(::fuse_conn_info& conn) override {
    if (!callbacks.op.init) return;
    // Before 2.6 it does not take the second argument, and ignores it.
    fuse_conn_info theirs = to_v2(conn);
    callbacks.op.init(userdata(), &theirs);
    take_answer(theirs, conn);
  }
};

template <class From>
NodeCallbacks start_of_table(const From* ops, size_t size, bool old_info) {
  NodeCallbacks c;
  c.old_info = old_info;
  if (size > sizeof c.op)
    message(FUSE_LOG_ERR,
            "fuse: warning: the program knows more operations than this library; they will not be used\n");
  memcpy(static_cast<void*>(&c.op), ops, std::min({size, sizeof c.op, sizeof(From)}));
  return c;
}

}  // namespace

NodeCallbacks callbacks_of(const fuse_lowlevel_ops* ops, size_t size) { return start_of_table(ops, size, false); }
NodeCallbacks callbacks_of(const fuse_lowlevel_ops_compat25* ops, size_t size) {
  return start_of_table(ops, size, false);
}
NodeCallbacks callbacks_of(const fuse_lowlevel_ops_compat* ops, size_t size) { return start_of_table(ops, size, true); }

std::unique_ptr<LowLevelFs> make_low_level(const NodeCallbacks& c, void* userdata) {
  return std::make_unique<NodeProgram>(c, userdata);
}

}  // namespace isthmus::libfuse::v2
