#include "doors/smb/backlogs.h"

#include <algorithm>
#include <chrono>

#include "doors/smb/link.h"

namespace isthmus::smb {

void Backlogs::add(std::weak_ptr<Link> link) {
  std::lock_guard lock(m_);
  if (stopping_) return;
  const auto same = [&](const std::weak_ptr<Link>& l) { return !l.owner_before(link) && !link.owner_before(l); };
  if (std::none_of(links_.begin(), links_.end(), same)) links_.push_back(std::move(link));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

void Backlogs::stop() {
  {
    std::lock_guard lock(m_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Backlogs::run() {
  constexpr std::chrono::milliseconds kPause{10};
  std::unique_lock lock(m_);
  while (!stopping_) {
    if (links_.empty()) {
      changed_.wait(lock);
      continue;
    }
    std::vector<std::weak_ptr<Link>> all;
    all.swap(links_);
    lock.unlock();
    std::this_thread::sleep_for(kPause);
    std::erase_if(all, [](const std::weak_ptr<Link>& w) {
      const auto link = w.lock();
      if (!link) return true;
      link->flush_news();
      return !link->has_backlog();
    });
    for (auto& w : all) add(std::move(w));
    lock.lock();
  }
}

}  // namespace isthmus::smb
