#include "vfs/volume/hub.h"

#include <algorithm>

namespace isthmus::volume {

void Hub::join(uint32_t port, Upcalls& up) {
  std::lock_guard lock(m_);
  auto more = std::make_shared<Links>(*links_);
  more->push_back(std::make_shared<Link>(port, up));
  links_ = std::move(more);
}

void Hub::leave(uint32_t port) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(m_);
    auto at = std::find_if(links_->begin(), links_->end(), [&](auto& l) { return l->port == port; });
    if (at == links_->end()) return;
    link = *at;
    auto fewer = std::make_shared<Links>(*links_);
    std::erase(*fewer, link);
    links_ = std::move(fewer);
  }
  int64_t now = link->users.fetch_add(Link::kClosed, std::memory_order_acq_rel) + Link::kClosed;
  for (; now != Link::kClosed; now = link->users.load(std::memory_order_acquire)) link->users.wait(now);
}

}  // namespace isthmus::volume
