#include <algorithm>
#include <string>
#include <vector>

#include "vfs/baton.h"
#include "vfs/defaults.h"
#include "vfs/then.h"

namespace isthmus {
namespace {

/// Collects a few names, looks each one up, and hands them on until the asker's sink is full or the directory ends.
class List final : DirSink {
 public:
  List(FileSystem& fs, Pending<op::ReadDir>& p) : fs_(fs), call_(p), cookie_(call_->cookie) {}

  void run() {
    for (;;) {
      // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete): step() runs this only where the loop below has returned
      if (ended_) return done();
      baton_.start();
      if (next_ < names_.size())
        look_up();
      else
        read_more();
      if (!baton_.answered_already()) return;  // *this may be gone
    }
  }

 private:
  // As many as fit into a page of a reply with attributes; more would be looked up for nothing.
  static constexpr size_t kNames = 24;
  struct Name {
    uint64_t ino, cookie;
    uint32_t type;
    std::string name;
  };

  bool add(const DirEntry& e) override {
    if (names_.size() >= kNames) return false;
    names_.push_back({e.ino, e.cookie, e.type, std::string(e.name)});
    return true;
  }
  void read_more() {
    names_.clear();
    next_ = 0;
    op::ReadDir read = *call_;
    read.cookie = cookie_;
    read.with_attr = false;
    read.sink = this;
    call_then(fs_, call_.context(), read, [this](Status s) {
      if (!s || names_.empty()) end(taken_ ? Status(Unit{}) : s);
      step();
    });
  }
  void look_up() {
    const Name& n = names_[next_];
    if (n.name == "." || n.name == "..") {
      give(nullptr);
      return step();
    }
    op::Lookup look{{}, call_->node, n.name};
    call_then(fs_, call_.context(), look, [this](Result<Entry> e) {
      bool found = e && e->node != NodeId::none;
      // A name that vanished or cannot be looked up is listed all the same, without attributes.
      if (!give(found ? &*e : nullptr) && found) forget(fs_, call_.context(), e->node);
      step();
    });
  }
  bool give(const Entry* with) {
    const Name& n = names_[next_];
    bool took = call_->sink->add({n.ino, n.cookie, n.type, n.name, with});
    if (!took) {
      end(Unit{});
      return false;
    }
    taken_ = true;
    cookie_ = n.cookie;
    next_++;
    return true;
  }
  void end(Status s) {
    ended_ = true;
    status_ = s;
  }
  void step() {
    if (baton_.submitter_left()) run();
  }
  void done() {
    Call<op::ReadDir> c = std::move(call_);
    Status s = status_;
    delete this;
    c.finish(s);
  }

  FileSystem& fs_;
  Call<op::ReadDir> call_;
  uint64_t cookie_;
  std::vector<Name> names_;
  size_t next_ = 0;
  bool taken_ = false, ended_ = false;
  Status status_ = Unit{};
  Baton baton_;
};

}  // namespace

void submit_read_dir_with_lookup(FileSystem& fs, Pending<op::ReadDir>& p) {
  if (!p.args.with_attr || !fs.capabilities().has(Op::Lookup)) return fs.submit(p);
  (new List(fs, p))->run();
}

}  // namespace isthmus
