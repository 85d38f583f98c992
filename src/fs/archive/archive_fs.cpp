#include "fs/archive/archive_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "fs/archive/names.h"
#include "fs/archive/passphrase.h"

namespace isthmus::fs::archive {
namespace {
constexpr uint32_t kMostCutReads = 20;  // that are logged: a kernel asks again and again
}

std::unique_ptr<ArchiveFs> ArchiveFs::make(std::unique_ptr<Archive> a, const ArchiveOptions& o,
                                           const ArchiveHooks& hooks, OpenError& error) {
  if (!a) return nullptr;
  error = {};
  auto secret = find_passphrase(*a, o, hooks, error);
  if (error.code != Errno{}) return nullptr;
  return std::unique_ptr<ArchiveFs>(new ArchiveFs(std::move(a), std::move(secret), o));
}

std::unique_ptr<ArchiveFs> ArchiveFs::open(const std::string& path, const ArchiveOptions& o, const ArchiveHooks& hooks,
                                           OpenError& error) {
  return make(scan(path, o, hooks, error), o, hooks, error);
}
std::unique_ptr<ArchiveFs> ArchiveFs::open(Fd fd, const std::string& name, const ArchiveOptions& o,
                                           const ArchiveHooks& hooks, OpenError& error) {
  return make(scan(std::move(fd), name, o, hooks, error), o, hooks, error);
}

ArchiveFs::ArchiveFs(std::unique_ptr<Archive> a, std::unique_ptr<Secret> secret, const ArchiveOptions& o)
    : archive_(std::move(a)),
      secret_(std::move(secret)),
      spool_({o.cache_dir, o.cache_in_memory, o.cache_size, archive_->file.name}),
      decoder_(*archive_, spool_, secret_.get(), o.charset) {
  const ArchiveFile& f = archive_->file;
  identity_ = 0xcbf29ce484222325;
  for (uint64_t v : {f.device, f.inode, f.size, static_cast<uint64_t>(f.mtime.sec), uint64_t{f.mtime.nsec}})
    identity_ = (identity_ ^ v) * 0x9e3779b97f4a7c15 + (identity_ >> 29);
}

ArchiveFs::~ArchiveFs() = default;

Traits ArchiveFs::traits() const {
  Traits t;
  t.type = "archive";
  t.source = archive_->file.name;
  t.read_only = true;
  t.dir_attr = true;
  t.posix_acl = archive_->index.has_acl;
  t.export_stable = true;
  t.write_back = false;
  return t;
}

Result<const Node*> ArchiveFs::node(NodeId id, Op op) const {
  if (raw(id) - 1 < archive_->index.nodes.size()) return &archive_->index.nodes[raw(id) - 1];
  log(LogLevel::error, "{}: unknown node {:#x}; the caller gets EIO", name_of(op), raw(id));
  return err(EIO);
}

uint64_t ArchiveFs::data_blocks(const Node& n) const {
  uint64_t bytes = n.size;
  if (auto* map = archive_->index.sparse_map(n)) {
    bytes = 0;
    for (auto& e : *map) bytes += e.length;
  }
  return bytes / 512 + (bytes % 512 != 0);
}

Attr ArchiveFs::attr(uint32_t number) const {
  const Node& n = archive_->index.nodes[number];
  Attr a;
  a.ino = uint64_t{number} + 1;
  a.size = n.size;
  a.mode = n.mode;
  a.nlink = n.nlink;
  a.uid = n.uid;
  a.gid = n.gid;
  a.mtime = a.atime = a.ctime = {n.mtime_sec, n.mtime_nsec};
  if (S_ISREG(n.mode)) a.blocks = data_blocks(n);
  if (const Extra* x = archive_->index.extra(n)) {
    if (x->has_atime) a.atime = {x->atime_sec, x->atime_nsec};
    if (x->has_ctime) a.ctime = {x->ctime_sec, x->ctime_nsec};
    if (x->has_btime) a.btime = {x->btime_sec, x->btime_nsec};
    a.has_btime = x->has_btime;
    a.rdev = x->rdev;
  }
  return a;
}

Entry ArchiveFs::entry(uint32_t number) const {
  Entry e;
  e.node = NodeId{uint64_t{number} + 1};
  e.generation = identity_ >> 32;
  e.attr = attr(number);
  e.entry_ttl = e.attr_ttl = kForever;
  return e;
}

Result<Entry> ArchiveFs::lookup(const Context&, const op::Lookup& a) {
  auto dir = node(a.dir, Op::Lookup);
  if (!dir) return dir.error();
  auto number = static_cast<uint32_t>(raw(a.dir) - 1);
  if (a.name == ".") return entry(number);
  if (!S_ISDIR((*dir)->mode)) return err(ENOTDIR);
  if (a.name == "..") return entry((*dir)->parent);
  if (a.name.size() > 255) return err(ENAMETOOLONG);
  const Index& index = archive_->index;
  uint32_t at = index.find(number, a.name);
  if (at != kNone) return entry(index.names[at].node);
  Entry none;
  none.entry_ttl = kForever;
  return none;
}

Result<Attributes> ArchiveFs::getattr(const Context&, const op::Getattr& a) {
  auto n = node(a.node, Op::Getattr);
  if (!n) return n.error();
  return Attributes{attr(static_cast<uint32_t>(raw(a.node) - 1)), kForever};
}

Result<std::string> ArchiveFs::readlink(const Context&, const op::Readlink& a) {
  auto n = node(a.node, Op::Readlink);
  if (!n) return n.error();
  if (!S_ISLNK((*n)->mode)) return err(EINVAL);
  const Extra* x = archive_->index.extra(**n);
  return std::string(x ? x->target : std::string_view());
}

// Encrypted without a passphrase, or the archive is no longer what the index was made of.
Status ArchiveFs::usable(uint32_t number) {
  const Node& n = archive_->index.nodes[number];
  if (n.encrypted && !secret_) {
    if (!asked_for_secret_.exchange(true))
      log(LogLevel::warning, "{}: {} is encrypted and there is no passphrase (passphrase_file)", archive_->file.name,
          printable(archive_->index.path_of(number)));
    return err(EACCES);
  }
  if (n.plan != Plan::none && !archive_->file.unchanged()) {
    if (!changed_.exchange(true))
      log(LogLevel::error, "{}: was changed while in use; unmount it and mount it again", archive_->file.name);
    return err(EIO);
  }
  return Unit{};
}

Result<Opened> ArchiveFs::open(const Context&, const op::Open& a) {
  auto n = node(a.node, Op::Open);
  if (!n) return n.error();
  if (S_ISDIR((*n)->mode)) return err(EISDIR);
  if (S_ISLNK((*n)->mode)) return err(ELOOP);
  if ((a.flags & O_ACCMODE) != O_RDONLY || (a.flags & O_TRUNC)) return err(EROFS);
  if (auto s = usable(static_cast<uint32_t>(raw(a.node) - 1)); !s) return s.error();
  return Opened{HandleId::none, kOpenedKeepCache | kOpenedNoFlush, -1};
}

Result<Buffer> ArchiveFs::read(const Context& ctx, const op::Read& a) {
  auto found = node(a.node, Op::Read);
  if (!found) return found.error();
  const Node& n = **found;
  auto number = static_cast<uint32_t>(raw(a.node) - 1);
  if (S_ISDIR(n.mode)) return err(EISDIR);
  if (!S_ISREG(n.mode)) return err(EINVAL);
  if (a.offset >= n.size || a.size == 0) return Buffer();
  if (auto s = usable(number); !s) return s.error();
  if (n.plan != Plan::direct) return decoder_.read(ctx, number, a.offset, a.size);
  auto size = static_cast<size_t>(std::min<uint64_t>(a.size, n.size - a.offset));
  uint64_t file = archive_->file.size;
  if (n.where > file || a.offset > file - n.where || size > file - n.where - a.offset) {
    if (cut_reads_.fetch_add(1, std::memory_order_relaxed) < kMostCutReads)
      log(LogLevel::error, "{}: cannot read {}: the archive ends before its data does", archive_->file.name,
          printable(archive_->index.path_of(number)));
    return err(EIO);
  }
  return Buffer::file(archive_->file.fd.get(), n.where + a.offset, size);
}

Result<uint64_t> ArchiveFs::seek_hole(const Context&, const op::SeekHole& a) {
  auto n = node(a.node, Op::SeekHole);
  if (!n) return n.error();
  uint64_t size = (*n)->size;
  if (a.offset >= size) return err(ENXIO);
  auto* map = archive_->index.sparse_map(**n);
  if (a.whence == SEEK_DATA) {
    if (!map) return a.offset;
    for (auto& e : *map)
      if (a.offset < e.offset + e.length) return std::max(a.offset, e.offset);
    return err(ENXIO);
  }
  if (a.whence != SEEK_HOLE) return err(EINVAL);
  if (!map) return size;
  uint64_t at = a.offset;
  for (auto& e : *map) {
    if (at < e.offset) break;
    at = std::max(at, e.offset + e.length);
  }
  return std::min(at, size);
}

Result<Opened> ArchiveFs::open_dir(const Context&, const op::OpenDir& a) {
  auto n = node(a.node, Op::OpenDir);
  if (!n) return n.error();
  if (!S_ISDIR((*n)->mode)) return err(ENOTDIR);
  return Opened{HandleId::none, kOpenedKeepCache | kOpenedCacheDir, -1};
}

Result<Unit> ArchiveFs::read_dir(const Context&, const op::ReadDir& a) {
  auto found = node(a.node, Op::ReadDir);
  if (!found) return found.error();
  const Node& dir = **found;
  if (!S_ISDIR(dir.mode)) return err(ENOTDIR);
  const Index& index = archive_->index;
  // Cookies: 1 after ".", 2 after "..", then one a name, in the archive's order, which is the cheapest to read data in.
  for (uint64_t at = a.cookie; at < uint64_t{dir.name_count} + 2; at++) {
    DirEntry d;
    Entry with;
    d.cookie = at + 1;
    if (at < 2) {
      d.ino = at == 0 ? raw(a.node) : uint64_t{dir.parent} + 1;
      d.type = DT_DIR;
      d.name = at == 0 ? "." : "..";
    } else {
      const Name& name = index.names[dir.first_name + static_cast<uint32_t>(at - 2)];
      d.ino = uint64_t{name.node} + 1;
      d.type = IFTODT(index.nodes[name.node].mode);
      d.name = index.text(name);
      if (a.with_attr) {
        with = entry(name.node);
        d.with = &with;
      }
    }
    if (!a.sink->add(d)) break;
  }
  return Unit{};
}

Result<StatFs> ArchiveFs::statfs(const Context&, const op::Statfs&) {
  StatFs s;
  s.blocks = archive_->data_size / 4096 + (archive_->data_size % 4096 != 0);
  s.files = archive_->index.nodes.size();
  return s;
}

Result<std::string> ArchiveFs::get_xattr(const Context&, const op::GetXattr& a) {
  auto n = node(a.node, Op::GetXattr);
  if (!n) return n.error();
  const Extra* x = archive_->index.extra(**n);
  if (x && x->xattrs != kNone)
    for (auto& one : archive_->index.xattrs[x->xattrs])
      if (one.name == a.name) return one.value;
  return err(ENODATA);
}

Result<std::vector<std::string>> ArchiveFs::list_xattr(const Context&, const op::ListXattr& a) {
  auto n = node(a.node, Op::ListXattr);
  if (!n) return n.error();
  std::vector<std::string> names;
  const Extra* x = archive_->index.extra(**n);
  if (x && x->xattrs != kNone)
    for (auto& one : archive_->index.xattrs[x->xattrs]) names.push_back(one.name);
  return names;
}

Result<ExportHandle> ArchiveFs::node_to_export(const Context&, const op::NodeToExport& a) {
  auto n = node(a.node, Op::NodeToExport);
  if (!n) return n.error();
  ExportHandle h;
  uint64_t words[2] = {identity_, raw(a.node)};
  h.size = sizeof words;
  std::memcpy(h.bytes.data(), words, sizeof words);
  return h;
}

Result<Entry> ArchiveFs::export_to_node(const Context&, const op::ExportToNode& a) {
  uint64_t words[2];
  if (a.handle.size != sizeof words) return err(ESTALE);
  std::memcpy(words, a.handle.bytes.data(), sizeof words);
  const auto& nodes = archive_->index.nodes;
  if (words[0] != identity_ || words[1] - 1 >= nodes.size() || nodes[words[1] - 1].nlink == 0) return err(ESTALE);
  return entry(static_cast<uint32_t>(words[1] - 1));
}

}  // namespace isthmus::fs::archive
