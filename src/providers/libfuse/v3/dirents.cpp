#include "providers/libfuse/v3/dirents.h"

#include <algorithm>
#include <cstring>

#include "providers/libfuse/v3/convert.h"
#include "wire/fuse/device_number.h"
#include "wire/fuse/structs.h"

namespace isthmus::libfuse {

using wire::fuse::Dirent;
using wire::fuse::Direntplus;
using wire::fuse::EntryOut;
using wire::fuse::from_wire_rdev;
using wire::fuse::to_wire_rdev;

namespace {

constexpr size_t kNameMax = 1024;  // of the kernel's, in bytes

template <class Head>
size_t size_with(size_t length) {
  return round_up(sizeof(Head) + length, 8);
}

/// Head, name and padding.
template <class Head>
size_t put(char* buf, const Head& head, const char* name, size_t length) {
  size_t whole = size_with<Head>(length);
  memcpy(buf, &head, sizeof head);
  memcpy(buf + sizeof head, name, length);
  memset(buf + sizeof head + length, 0, whole - sizeof head - length);
  return whole;
}

Dirent dirent_of(const struct stat& st, off_t off, size_t length) {
  return {st.st_ino, static_cast<uint64_t>(off), static_cast<uint32_t>(length), (st.st_mode & S_IFMT) >> 12};
}

void put_seconds(double seconds, uint64_t& sec, uint32_t& nsec) {
  Ttl ttl = to_ttl(seconds);
  sec = ttl / 1000;
  nsec = ttl % 1000 * 1'000'000;
}

Ttl seconds(uint64_t sec, uint32_t nsec) { return to_ttl(static_cast<double>(sec) + nsec / 1e9); }

EntryOut entry_out(const fuse_entry_param& e) {
  EntryOut w{};
  w.nodeid = e.ino;
  w.generation = e.generation;
  put_seconds(e.entry_timeout, w.entry_valid, w.entry_valid_nsec);
  put_seconds(e.attr_timeout, w.attr_valid, w.attr_valid_nsec);
  const struct stat& st = e.attr;
  w.attr.ino = st.st_ino;
  w.attr.size = static_cast<uint64_t>(st.st_size);
  w.attr.blocks = static_cast<uint64_t>(st.st_blocks);
  w.attr.atime = static_cast<uint64_t>(st.st_atim.tv_sec);
  w.attr.mtime = static_cast<uint64_t>(st.st_mtim.tv_sec);
  w.attr.ctime = static_cast<uint64_t>(st.st_ctim.tv_sec);
  w.attr.atimensec = static_cast<uint32_t>(st.st_atim.tv_nsec);
  w.attr.mtimensec = static_cast<uint32_t>(st.st_mtim.tv_nsec);
  w.attr.ctimensec = static_cast<uint32_t>(st.st_ctim.tv_nsec);
  w.attr.mode = st.st_mode;
  w.attr.nlink = static_cast<uint32_t>(st.st_nlink);
  w.attr.uid = st.st_uid;
  w.attr.gid = st.st_gid;
  w.attr.rdev = to_wire_rdev(st.st_rdev);
  w.attr.blksize = static_cast<uint32_t>(st.st_blksize);
  return w;
}

Entry entry_of(const EntryOut& w) {
  Entry e;
  e.node = NodeId{w.nodeid};
  e.generation = w.generation;
  e.entry_ttl = seconds(w.entry_valid, w.entry_valid_nsec);
  e.attr_ttl = seconds(w.attr_valid, w.attr_valid_nsec);
  Attr& a = e.attr;
  a.ino = w.attr.ino;
  a.size = w.attr.size;
  a.blocks = w.attr.blocks;
  a.atime = {static_cast<int64_t>(w.attr.atime), w.attr.atimensec};
  a.mtime = {static_cast<int64_t>(w.attr.mtime), w.attr.mtimensec};
  a.ctime = {static_cast<int64_t>(w.attr.ctime), w.attr.ctimensec};
  a.mode = w.attr.mode;
  a.nlink = w.attr.nlink;
  a.uid = w.attr.uid;
  a.gid = w.attr.gid;
  a.rdev = from_wire_rdev(w.attr.rdev);
  a.block_size = w.attr.blksize;
  return e;
}

}  // namespace

size_t add_name(char* buf, size_t size, const char* name, const struct stat* st, off_t off) {
  size_t length = strlen(name), whole = size_with<Dirent>(length);
  if (!buf || whole > size) return whole;
  return put(buf, dirent_of(*st, off, length), name, length);
}

size_t add_name_plus(char* buf, size_t size, const char* name, const fuse_entry_param* e, off_t off) {
  size_t length = strlen(name), whole = size_with<Direntplus>(length);
  if (!buf || whole > size) return whole;
  return put(buf, Direntplus{entry_out(*e), dirent_of(e->attr, off, length)}, name, length);
}

Status pass_names_on(Bytes listing, bool plus, bool with_attr, DirSink& sink, std::vector<NodeId>& dropped) {
  size_t head = plus ? sizeof(Direntplus) : sizeof(Dirent);
  bool full = false;
  for (size_t at = 0; listing.size() - at >= head;) {
    Direntplus d{};
    if (plus)
      memcpy(&d, listing.data() + at, sizeof d);
    else
      memcpy(&d.dirent, listing.data() + at, sizeof d.dirent);
    size_t length = d.dirent.namelen;
    if (length == 0 || length > kNameMax) return err(EIO);
    if (length > listing.size() - at - head) break;
    std::string_view name(reinterpret_cast<const char*>(listing.data() + at + head), length);
    Entry entry;
    // The kernel counts no lookups for these two, whatever the program says.
    bool dots = name == "." || name == "..";
    bool known = plus && d.entry_out.nodeid != 0 && !dots;
    if (known) entry = entry_of(d.entry_out);
    DirEntry e{d.dirent.ino, d.dirent.off, d.dirent.type, name, known && with_attr ? &entry : nullptr};
    if (!full) full = !sink.add(e);
    if (known && (full || !with_attr)) dropped.push_back(entry.node);
    at = std::min(at + round_up(head + length, 8), listing.size());
  }
  return Unit{};
}

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find('\0', at), list.size());
    names.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

}  // namespace isthmus::libfuse
