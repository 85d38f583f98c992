/// fuse_reply_*, fuse_add_dirent and fuse_req_ctx where they are not the same in version 3.
#include <sys/statvfs.h>

#include <cstring>

#include "libfuse/v2/exports.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/v2/file_info.h"
#include "providers/libfuse/v3/convert.h"
#include "providers/libfuse/v3/dirents.h"
#include "providers/libfuse/v3/request.h"

namespace isthmus::libfuse::v2 {
namespace {

int finish(fuse_req_t req, Answer&& a) {
  auto* r = reinterpret_cast<::fuse_req*>(req);
  r->requests.finish(r, std::move(a));
  return 0;
}

}  // namespace

ISTHMUS_FUNCTION_2(int, fuse_reply_open, fuse_req_t req, const fuse_file_info* fi) {
  return finish(req, to_opened(from_v2(*fi)));
}

ISTHMUS_FUNCTION_2(int, fuse_reply_open_compat, fuse_req_t req, const fuse_file_info_compat* fi) {
  ::fuse_file_info own{};
  own.fh = fi->fh;
  own.direct_io = fi->direct_io;
  own.keep_cache = fi->keep_cache;
  return finish(req, to_opened(own));
}
ISTHMUS_OLD_VERSION(fuse_reply_open, fuse_reply_open_compat, "FUSE_2.4")

ISTHMUS_FUNCTION_2(int, fuse_reply_create, fuse_req_t req, const fuse_entry_param* e, const fuse_file_info* fi) {
  return finish(req, Created{to_entry(*reinterpret_cast<const ::fuse_entry_param*>(e)), to_opened(from_v2(*fi))});
}

ISTHMUS_FUNCTION_2(int, fuse_reply_statfs_compat, fuse_req_t req, const struct statfs* s) {
  struct statvfs to {};
  to.f_bsize = to.f_frsize = static_cast<unsigned long>(s->f_bsize);
  to.f_blocks = s->f_blocks;
  to.f_bfree = s->f_bfree;
  to.f_bavail = s->f_bavail;
  to.f_files = s->f_files;
  to.f_ffree = s->f_ffree;
  to.f_namemax = static_cast<unsigned long>(s->f_namelen);
  return finish(req, to_statfs(to));
}
ISTHMUS_OLD_VERSION(fuse_reply_statfs, fuse_reply_statfs_compat, "FUSE_2.4")

ISTHMUS_FUNCTION_2(size_t, fuse_dirent_size, size_t namelen) {
  // The length of the name is all that counts.
  std::string name(namelen, 'x');
  return add_name(nullptr, 0, name.c_str(), nullptr, 0);
}

ISTHMUS_FUNCTION_2(char*, fuse_add_dirent, char* buf, const char* name, const struct stat* stbuf, off_t off) {
  return buf + add_name(buf, SIZE_MAX, name, stbuf, off);
}

/// Without umask, which is at the end.
ISTHMUS_FUNCTION_2_OLD(const void*, fuse_req_ctx_compat24, fuse_req_t req) {
  return &reinterpret_cast<::fuse_req*>(req)->who;
}
ISTHMUS_OLD_VERSION(fuse_req_ctx, fuse_req_ctx_compat24, "FUSE_2.4")

/// The same as today.
ISTHMUS_FUNCTION_2_OLD(int, fuse_opt_insert_arg_compat, fuse_args* args, int pos, const char* arg) {
  return insert_arg(*args, pos, arg);
}
ISTHMUS_OLD_VERSION(fuse_opt_insert_arg, fuse_opt_insert_arg_compat, "FUSE_2.5")

}  // namespace isthmus::libfuse::v2
