#include "vfs/volume/resolve.h"

#include <sys/stat.h>

#include <optional>
#include <utility>
#include <vector>

#include "vfs/baton.h"
#include "vfs/then.h"

namespace isthmus {

namespace {

constexpr size_t kMostPath = size_t{64} << 10;
constexpr unsigned kMostLinks = 40;

/// A loop around a Baton: one lookup or readlink at a time, each of which may be answered at once or later.
class Resolver final : Pending<op::Lookup>, Pending<op::Readlink>, Pending<op::Getattr> {
 public:
  Resolver(VolumePort& port, const Context& ctx, std::string_view path, const ResolveOptions& o,
           std::function<void(Result<Resolved>)> done)
      : port_(port), ctx_(ctx), options_(o), rest_(path), name_max_(port.traits().name_max), done_(std::move(done)) {
    dirs_.push_back(o.root);
  }

  void run() {
    for (;;) {
      if (answer_) {
        Errno e = std::exchange(answer_, {}).value();
        if (e != Errno{}) return finish(e);
        if (auto s = take(); !s) return finish(s.error());
      }
      if (over_) return finish(Errno{});
      baton_.start();
      bool asked = false;
      if (auto s = ask(asked); !s) return finish(s.error());
      if (asked && !baton_.answered_already()) return;  // *this may be gone
    }
  }

 private:
  enum class Step : uint8_t { lookup, readlink, root };

  // Sends the next question, or says that all is done.
  Status ask(bool& asked) {
    if (reads_link_) {
      auto& p = static_cast<Pending<op::Readlink>&>(*this);
      p.ctx = ctx_;
      p.args.node = entry_.node;
      return send(Step::readlink, p, asked);
    }
    while (next_component()) {
      if (name_ == ".") continue;
      if (name_ == "..") {
        if (dirs_.size() > 1) pop();
        continue;
      }
      if (name_.size() > name_max_) return err(ENAMETOOLONG);
      if (name_.find('\0') != std::string::npos) return err(EINVAL);
      auto& p = static_cast<Pending<op::Lookup>&>(*this);
      p.ctx = ctx_;
      p.args.dir = dirs_.back();
      p.args.name = name_;
      return send(Step::lookup, p, asked);
    }
    // The path ended with a directory: the root, or where ".." or "." led.
    auto& p = static_cast<Pending<op::Getattr>&>(*this);
    p.ctx = ctx_;
    p.args.node = dirs_.back();
    return send(Step::root, p, asked);
  }
  template <class T>
  Status send(Step step, Pending<T>& p, bool& asked) {
    step_ = step;
    asked = true;
    port_.submit<T>(p);
    return Unit{};
  }

  // What the answer means.
  Status take() {
    switch (step_) {
      case Step::root:
        // Counted by the walk, but for the export's root; its name and parent are known if it was looked up.
        entry_.node = dirs_.back();
        if (dirs_.size() == 1)
          port_.hold(entry_.node);
        else
          dirs_.pop_back();
        result_.entry = entry_;
        if (dirs_.size() > 1 || entry_.node != options_.root) {
          result_.parent = dirs_.back();
          result_.name = names_.empty() ? std::string() : names_.back();
        }
        over_ = true;
        return Unit{};
      case Step::lookup:
        return looked_up();
      case Step::readlink:
        return followed();
    }
    return Unit{};
  }
  Status looked_up() {
    bool last = rest_.find_first_not_of('/', at_) == std::string::npos;
    bool slash = last && at_ < rest_.size();
    if (entry_.node == NodeId::none) {
      if (!last) return err(ENOENT);
      result_.must_be_directory = slash;
      return end();
    }
    if (S_ISLNK(entry_.attr.mode) && (!last || slash || options_.follow_last)) {
      if (++links_ > kMostLinks) return err(ELOOP);
      reads_link_ = true;
      return Unit{};
    }
    if (last && !slash) return end();
    if (!S_ISDIR(entry_.attr.mode)) return err(ENOTDIR);
    dirs_.push_back(std::exchange(entry_.node, NodeId::none));
    names_.push_back(name_);
    return Unit{};
  }
  Status followed() {
    reads_link_ = false;
    forget(port_, ctx_, std::exchange(entry_.node, NodeId::none));
    if (target_.empty()) return err(ENOENT);
    std::string rest = std::move(target_);
    rest.append(rest_, at_);
    if (rest.size() > kMostPath) return err(ENAMETOOLONG);
    rest_ = std::move(rest);
    at_ = 0;
    if (rest_[0] == '/')
      while (dirs_.size() > 1) pop();
    return Unit{};
  }
  Status end() {
    result_.parent = dirs_.back();
    result_.name = name_;
    result_.entry = entry_;
    entry_.node = NodeId::none;
    over_ = true;
    return Unit{};
  }

  bool next_component() {
    at_ = rest_.find_first_not_of('/', at_);
    if (at_ == std::string::npos) {
      at_ = rest_.size();
      return false;
    }
    size_t to = std::min(rest_.find('/', at_), rest_.size());
    name_ = rest_.substr(at_, to - at_);
    at_ = to;
    return true;
  }
  void pop() {
    forget(port_, ctx_, dirs_.back());
    dirs_.pop_back();
    names_.pop_back();
  }

  void answered(Result<Entry>&& r) noexcept override {
    entry_ = {};
    if (r)
      entry_ = *r;
    else if (r.error() != err(ENOENT))
      return step(r.error());
    step({});
  }
  void answered(Result<std::string>&& r) noexcept override {
    if (r) target_ = std::move(*r);
    step(r ? Errno{} : r.error());
  }
  void answered(Result<Attributes>&& r) noexcept override {
    entry_ = {};
    if (r) {
      entry_.attr = r->attr;
      entry_.attr_ttl = r->ttl;
    }
    step(r ? Errno{} : r.error());
  }
  void step(Errno e) {
    answer_ = e;
    if (baton_.submitter_left()) run();
  }
  // Nodes of the way are given back, but for the parent and the entry of a good answer.
  void finish(Errno e) {
    bool good = e == Errno{};
    if (!good && entry_.node != NodeId::none) forget(port_, ctx_, entry_.node);
    if (good && result_.parent != NodeId::none) {
      if (dirs_.size() == 1)
        port_.hold(options_.root);
      else
        dirs_.pop_back();
    }
    while (dirs_.size() > 1) {
      forget(port_, ctx_, dirs_.back());
      dirs_.pop_back();
    }
    auto done = std::move(done_);
    Result<Resolved> r = good ? Result<Resolved>(std::move(result_)) : Result<Resolved>(e);
    delete this;
    done(std::move(r));
  }

  VolumePort& port_;
  const Context ctx_;
  const ResolveOptions options_;
  std::string rest_;  // of the path, with the targets of symlinks put in
  size_t at_ = 0;     // what of it has been walked
  const size_t name_max_;
  std::function<void(Result<Resolved>)> done_;

  std::vector<NodeId> dirs_;        // from the root down; all but the root counted
  std::vector<std::string> names_;  // of dirs_ below the root
  std::string name_, target_;
  Entry entry_;  // of name_; counted
  unsigned links_ = 0;
  bool reads_link_ = false, over_ = false;
  Step step_ = Step::lookup;
  std::optional<Errno> answer_;
  Resolved result_;
  Baton baton_;
};

}  // namespace

void resolve(VolumePort& port, const Context& ctx, std::string_view path, const ResolveOptions& options,
             std::function<void(Result<Resolved>)> done) {
  if (path.size() > kMostPath) return done(err(ENAMETOOLONG));
  (new Resolver(port, ctx, path, options, std::move(done)))->run();
}

void give_back(VolumePort& port, const Context& ctx, const Resolved& r) {
  if (r.parent != NodeId::none) forget(port, ctx, r.parent);
  if (r.entry.node != NodeId::none) forget(port, ctx, r.entry.node);
}

}  // namespace isthmus
