#include <dirent.h>
#include <sys/syscall.h>

#include <cstring>

#include "fs/pass/open_dir.h"
#include "fs/pass/pass.h"

// An export handle is [version][device u64][type s32, length u8, bytes] of the file and the same of a directory that it
// was seen in (for a directory: nothing). It comes back from clients, who may forge it; so what it opens must be shown
// to lie in the folder before it becomes a node: a directory by walking up, another file by being found in its
// directory. Like subtree_check of exports(5), a handle from before a restart ends when the file has moved elsewhere
// meanwhile; that of a file that is known needs no proof.
namespace isthmus::fs::pass {

namespace {

constexpr uint8_t kVersion = 1;

template <class T>
void put(ExportHandle& h, T v) {
  std::memcpy(h.bytes.data() + h.size, &v, sizeof v);
  h.size = static_cast<uint8_t>(h.size + sizeof v);
}

bool put_handle(ExportHandle& h, const KernelHandle& k) {
  if (h.size + 5 + k.bytes.size() > ExportHandle::kMostOfProvider) return false;
  put(h, static_cast<int32_t>(k.type));
  put(h, static_cast<uint8_t>(k.bytes.size()));
  std::memcpy(h.bytes.data() + h.size, k.bytes.data(), k.bytes.size());
  h.size = static_cast<uint8_t>(h.size + k.bytes.size());
  return true;
}

struct Reader {
  Bytes left;
  template <class T>
  bool get(T& v) {
    if (left.size() < sizeof v) return false;
    std::memcpy(&v, left.data(), sizeof v);
    left = left.subspan(sizeof v);
    return true;
  }
  bool get(KernelHandle& k) {
    int32_t type = 0;
    uint8_t size = 0;
    if (!get(type) || !get(size) || left.size() < size) return false;
    k.type = type;
    k.bytes.assign(as_text(left.first(size)));
    left = left.subspan(size);
    return true;
  }
};

/// Does `dir` (opened for reading) list a name with this inode number? Its name goes to `name`.
bool lists(int dir, uint64_t ino, std::string& name) {
  alignas(8) char block[16384];
  for (;;) {
    auto n = no_eintr([&] { return ::syscall(SYS_getdents64, dir, block, sizeof block); });
    if (n <= 0) return false;
    for (long at = 0; at < n;) {
      uint64_t here = 0;
      uint16_t length = 0;
      std::memcpy(&here, block + at, 8);
      std::memcpy(&length, block + at + 16, 2);
      std::string_view text(block + at + 19);
      if (here == ino && text != "." && text != "..") {
        name = text;
        return true;
      }
      at += length;
    }
  }
}

}  // namespace

Result<ExportHandle> PassFs::node_to_export(const Context&, const op::NodeToExport& a) {
  Node* n = nodes_.find(a.node);
  if (!n) return err(ESTALE);
  if (!n->by_handle()) return err(EOPNOTSUPP);
  ExportHandle h;
  put(h, kVersion);
  put(h, n->mount == nodes_.mounts().root() ? uint64_t{0} : n->mount->dev);
  KernelHandle parent;
  if (n->type != S_IFDIR) {
    Node* p = nodes_.find(nodes_.parent_of(*n));
    if (p && p->mount == n->mount) parent = p->handle;
  }
  if (!put_handle(h, n->handle)) return err(EOVERFLOW);
  if (!put_handle(h, parent) && !put_handle(h, {})) return err(EOVERFLOW);
  return h;
}

Result<Entry> PassFs::export_to_node(const Context&, const op::ExportToNode& a) {
  Reader in{a.handle.size <= a.handle.bytes.size() ? a.handle.view() : Bytes{}};
  uint8_t version = 0;
  uint64_t dev = 0;
  KernelHandle self, parent;
  if (!in.get(version) || version != kVersion || !in.get(dev) || !in.get(self) || !in.get(parent) || self.empty())
    return err(ESTALE);
  auto mount = nodes_.mounts().by_dev(dev);
  if (!mount || !mount->fd) return err(ESTALE);
  auto open = [&](const KernelHandle& k, int flags) {
    auto fd = nodes_.fds().make([&] {
      auto r = open_handle(mount->fd->get(), k, flags);
      return r ? *r : (errno = r.code(), -1);
    });
    return fd || fd.error() == err(EMFILE) ? fd : Result<SharedFd>(err(ESTALE));
  };
  auto fd = open(self, O_PATH | O_NOFOLLOW);
  if (!fd) return fd.error();
  auto look = look_at((*fd)->get(), "", true);
  if (!look) return look.error();
  auto st = look->st;
  auto known = nodes_.find_file(*look);
  if (!known.get()) {
    if (auto in_folder = contained(*fd, look->st, [&] { return open(parent, O_RDONLY | O_DIRECTORY); }); !in_folder)
      return in_folder.error();
  }
  return entry(nullptr, nodes_.enter_open(*fd, std::move(*look)), st);
}

Status PassFs::contained(const SharedFd& fd, const struct ::statx& st,
                         const std::function<Result<SharedFd>()>& open_parent) const {
  SharedFd dir = fd;
  if (!S_ISDIR(st.stx_mode)) {
    auto parent = open_parent();
    if (!parent) return err(ESTALE);
    std::string name;
    if (!lists((*parent)->get(), st.stx_ino, name)) return err(ESTALE);
    auto there = stat_at((*parent)->get(), name.c_str());
    if (!there || dev_of(*there) != dev_of(st) || there->stx_ino != st.stx_ino) return err(ESTALE);
    dir = std::move(*parent);
  }
  auto below = below_root(dir->get());
  if (!below || !*below) return err(ESTALE);
  return Unit{};
}

}  // namespace isthmus::fs::pass
