#include "doors/fuse/dir_fill.h"

#include <cstring>
#include <utility>

#include "base/log.h"
#include "doors/fuse/convert.h"

namespace isthmus::fuse {

using wire::fuse::Added;
using wire::fuse::Direntplus;
using wire::fuse::EntryOut;

namespace {
// What readdir(3) shows where a provider has no inode number: 0 would hide the name from some programs.
constexpr uint64_t kUnknownIno = 0xffffffff;
}  // namespace

void DirFill::begin(MutableBytes out, bool plus, const Policy& policy, NodeId dir, ListingAdvice* advice) {
  plus_ = plus;
  dir_ = dir;
  advice_ = advice;
  out_size_ = out.size();
  names_ = 0;
  policy_ = &policy;
  writer_ = wire::fuse::DirentWriter(out);
  give_back_.clear();
}

bool DirFill::add(const DirEntry& e) {
  bool dots = e.name == "." || e.name == "..";
  bool known = e.with && e.with->node != NodeId::none;
  bool bare = advice_ && known && !dots && names_ >= ListingAdvice::kBare;
  uint64_t ino = e.ino ? e.ino : known && e.with->attr.ino ? e.with->attr.ino : kUnknownIno;
  Added added;
  if (!plus_) {
    added = writer_.add(ino, e.cookie, e.type, e.name);
  } else {
    EntryOut entry{};
    if (known && !dots && !bare) entry = to_wire(*e.with, *policy_);
    added = writer_.add_plus(entry, ino, e.cookie, e.type, e.name);
  }
  if (added == Added::Full) return false;
  names_++;
  if (added == Added::BadName) log(LogLevel::warning, "read_dir: a name of {} bytes cannot be shown", e.name.size());
  if (bare && added == Added::Yes) std::exchange(advice_, nullptr)->withheld(dir_, e.name);
  if (known && (added == Added::BadName || dots || bare || !plus_)) give_back_.push_back(e.with->node);
  return true;
}

std::vector<NodeId> DirFill::counted() const {
  std::vector<NodeId> nodes;
  if (!plus_) return nodes;
  Bytes all = bytes();
  for (size_t at = 0; at + sizeof(Direntplus) <= all.size();) {
    Direntplus d;
    std::memcpy(&d, all.data() + at, sizeof(d));
    if (d.entry_out.nodeid != 0) nodes.push_back(NodeId{d.entry_out.nodeid});
    at += round_up(sizeof(Direntplus) + d.dirent.namelen, 8);
  }
  return nodes;
}

}  // namespace isthmus::fuse
