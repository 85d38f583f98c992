#include <sys/xattr.h>
#include <unistd.h>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

namespace isthmus::fs::pass {

namespace {

/// The names of Linux's own limit of a list or value (XATTR_SIZE_MAX, XATTR_LIST_MAX).
constexpr size_t kMost = 65536;
constexpr size_t kFirst = 256;

/// Calls get(buffer, size), with more room when the value has grown.
template <class F>
Result<std::string> whole(F get) {
  std::string v(kFirst, '\0');
  for (;;) {
    ssize_t n = get(v.data(), v.size());
    if (n >= 0) {
      v.resize(static_cast<size_t>(n));
      return v;
    }
    if (errno != ERANGE || v.size() >= kMost) return last_errno();
    v.resize(kMost);
  }
}

bool is_acl(std::string_view name) { return name == "system.posix_acl_access"; }

/// What kernels ask for before the first write after each time they have learned a file's attributes.
bool is_capability(std::string_view name) { return name == "security.capability"; }
bool is_users(std::string_view name) { return name.starts_with("user."); }

}  // namespace

// Through /proc/self/fd an O_PATH descriptor stands for the file itself, also for a symbolic link.

Result<std::string> PassFs::get_xattr(const Context& ctx, const op::GetXattr& a) {
  auto n = nodes_.get(a.node, Op::GetXattr);
  if (!n) return n.error();
  // Only who may read a file hears what attributes of users it has.
  const bool remembered = heard(**n) && (is_capability(a.name) || (is_users(a.name) && acts_as_server(ctx)));
  const Node::Marks marks = (*n)->marks();
  if (remembered && Node::lacks(marks, xattr_names_.bit(a.name))) return err(ENODATA);
  std::string name(a.name);
  auto value = [&]() -> Result<std::string> {
    // By number where it is open for more than its path: a quarter of the time.
    auto fd = nodes_.fds().get((*n)->id, Use::read);
    bool by_number = fd != nullptr;
    if (!fd) {
      auto path = nodes_.path(**n);
      if (!path) return path.error();
      fd = std::move(*path);
    }
    ProcPath p(fd->get());
    AsCaller as(*ids_, ctx, AsCaller::Why::check);
    if (!as) return as.error();
    return whole([&](char* to, size_t size) {
      return by_number ? ::fgetxattr(fd->get(), name.c_str(), to, size) : ::getxattr(p.c_str(), name.c_str(), to, size);
    });
  }();
  if (remembered && !value && value.error() == err(ENODATA)) (*n)->set_lacks(marks, xattr_names_.add(a.name));
  return value;
}

Status PassFs::set_xattr(const Context& ctx, const op::SetXattr& a) {
  if (auto s = writable(); !s) return s;
  auto n = nodes_.get(a.node, Op::SetXattr);
  if (!n) return n.error();
  auto fd = nodes_.path(**n);
  if (!fd) return fd.error();
  ProcPath p((*fd)->get());
  std::string name(a.name);
  AsCaller as(*ids_, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  int rc = ::setxattr(p.c_str(), name.c_str(), a.value.data(), a.value.size(), a.flags);
  int error = errno;
  (*n)->changed();
  if (rc < 0) return err(error);
  if (!a.kill_sgid || !is_acl(a.name)) return Unit{};
  auto st = stat_at((*fd)->get(), "");
  if (!st) return st.error();
  if (!(st->stx_mode & S_ISGID)) return Unit{};
  return change_mode((*fd)->get(), st->stx_mode & ~static_cast<uint32_t>(S_ISGID));
}

Result<std::vector<std::string>> PassFs::list_xattr(const Context& ctx, const op::ListXattr& a) {
  auto fd = any_fd(a.node, HandleId::none, Op::ListXattr);
  if (!fd) return fd.error();
  ProcPath p((*fd)->get());
  AsCaller as(*ids_, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  auto all = whole([&](char* to, size_t n) { return ::listxattr(p.c_str(), to, n); });
  if (!all) return all.error();
  std::vector<std::string> names;
  for (std::string_view rest = *all; !rest.empty();) {
    auto end = std::min(rest.find('\0'), rest.size());
    if (end > 0) names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return names;
}

Status PassFs::remove_xattr(const Context& ctx, const op::RemoveXattr& a) {
  if (auto s = writable(); !s) return s;
  auto fd = any_fd(a.node, HandleId::none, Op::RemoveXattr);
  if (!fd) return fd.error();
  ProcPath p((*fd)->get());
  std::string name(a.name);
  AsCaller as(*ids_, ctx, AsCaller::Why::check);
  if (!as) return as.error();
  return check(::removexattr(p.c_str(), name.c_str()));
}

}  // namespace isthmus::fs::pass
