#include "tests/bench/mem/work.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/bench/mem/ask.h"

namespace isthmus::bench {
namespace {

/// Takes what fits into a reply of 64 KiB or so, as a door does.
struct Sink final : DirSink {
  bool add(const DirEntry& e) override {
    if (taken == 512) return false;
    taken++;
    last = e.cookie;
    if (e.with) nodes.push_back(e.with->node);
    return true;
  }
  size_t taken = 0;
  uint64_t last = 0;
  std::vector<NodeId> nodes;
};

}  // namespace

Work::Work(fs::mem::MemFs& fs, NodeId dir, unsigned who, size_t files)
    : fs_(fs), dir_(dir), nodes_(files), handles_(files), counted_(files) {
  for (size_t i = 0; i < files; i++) {
    names_.push_back(fmt::format("f{}_{:06}", who, i));
    others_.push_back(fmt::format("g{}_{:06}", who, i));
  }
}

const std::vector<Work::Named>& Work::steps() {
  static const std::vector<Named> all{{"missing", &Work::missing},
                                      {"create", &Work::create},
                                      {"lookup", &Work::lookup},
                                      {"getattr", &Work::getattr},
                                      {"setattr", &Work::setattr},
                                      {"write4k new", &Work::write_new},
                                      {"write4k over", &Work::write_over},
                                      {"read4k", &Work::read},
                                      {"list", &Work::list},
                                      {"list + attr", &Work::list_with_attributes},
                                      {"rename", &Work::rename},
                                      {"release", &Work::release},
                                      {"forget", &Work::forget},
                                      {"unlink", &Work::unlink}};
  return all;
}

void Work::missing() {
  for (auto& n : others_) (void)ask(fs_, op::Lookup{{}, dir_, n});
}
void Work::create() {
  for (size_t i = 0; i < names_.size(); i++) {
    Created c = ask(fs_, op::Create{{}, dir_, names_[i], 0644, O_RDWR | O_CREAT, 7, false, {}});
    nodes_[i] = c.entry.node;
    handles_[i] = c.opened.handle;
    counted_[i]++;
  }
}
void Work::lookup() {
  for (size_t i = 0; i < names_.size(); i++) {
    (void)ask(fs_, op::Lookup{{}, dir_, names_[i]});
    counted_[i]++;
  }
}
void Work::getattr() {
  for (NodeId n : nodes_) (void)ask(fs_, op::Getattr{{}, n, {}});
}
void Work::setattr() {
  op::Setattr set{};
  set.set.mask = kSetMode;
  set.set.to.mode = 0600;
  for (NodeId n : nodes_) {
    set.node = n;
    (void)ask(fs_, set);
  }
}
void Work::write_new() {
  Buffer data = Buffer::view(page_);
  op::Write w;
  w.data = &data;
  for (size_t i = 0; i < nodes_.size(); i++) {
    w.node = nodes_[i];
    w.handle = handles_[i];
    (void)ask(fs_, w);
  }
}
void Work::write_over() { write_new(); }
void Work::read() {
  op::Read r;
  r.size = into_.size();
  r.into = into_;
  for (size_t i = 0; i < nodes_.size(); i++) {
    r.node = nodes_[i];
    r.handle = handles_[i];
    (void)ask(fs_, r);
  }
}
void Work::list() {
  for (uint64_t cookie = 0;;) {
    Sink sink;
    op::ReadDir r;
    r.node = dir_;
    r.cookie = cookie;
    r.sink = &sink;
    (void)ask(fs_, r);
    if (!sink.taken) break;
    cookie = sink.last;
  }
}
void Work::list_with_attributes() {
  Sink sink;
  for (uint64_t cookie = 0;;) {
    sink.taken = 0;
    sink.nodes.clear();
    op::ReadDir r;
    r.node = dir_;
    r.cookie = cookie;
    r.with_attr = true;
    r.sink = &sink;
    (void)ask(fs_, r);
    if (!sink.taken) break;
    cookie = sink.last;
    for (NodeId n : sink.nodes) (void)ask(fs_, op::Forget{{}, n, 1});
  }
}
void Work::rename() {
  for (size_t i = 0; i < names_.size(); i++) (void)ask(fs_, op::Rename{{}, dir_, names_[i], dir_, others_[i], 0});
  names_.swap(others_);
}
void Work::release() {
  for (size_t i = 0; i < nodes_.size(); i++)
    if (handles_[i] != HandleId::none) (void)ask(fs_, op::Release{{}, nodes_[i], handles_[i], 0, 0, false, false});
}
void Work::forget() {
  for (size_t i = 0; i < nodes_.size(); i++) (void)ask(fs_, op::Forget{{}, nodes_[i], std::exchange(counted_[i], 0)});
}
void Work::unlink() {
  for (auto& n : names_) (void)ask(fs_, op::Unlink{{}, dir_, n});
}

}  // namespace isthmus::bench
