#include "vfs/walk.h"

#include "vfs/then.h"

namespace isthmus {

void Walk::give_back() {
  if (counted_) forget(fs_, ctx, at_);
  counted_ = false;
}

void Walk::run() {
  for (;;) {
    if (got_) {
      Result<Entry> r = std::move(*got_);
      got_.reset();
      if (r && r->node == NodeId::none) r = err(ENOENT);
      give_back();
      if (!r || next_ == names_.size()) return Done(std::move(done_))(std::move(r));
      at_ = r->node;
      counted_ = true;
    }
    args.dir = at_;
    args.name = next_ == names_.size() ? std::string_view(".") : std::string_view(names_[next_++]);
    baton_.start();
    fs_.submit<op::Lookup>(*this);
    if (!baton_.answered_already()) return;  // *this may be gone
  }
}

void Walk::answered(Result<Entry>&& r) noexcept {
  got_.emplace(std::move(r));
  if (baton_.submitter_left()) run();
}

}  // namespace isthmus
