#include "ctl/lost.h"

#include <signal.h>
#include <unistd.h>

namespace isthmus::ctl {

void LostSource::watch(SourceHooks& hooks) {
  hooks.lost = [this](const Problem& p) {
    {
      std::lock_guard lock(m_);
      problem_ = p;
    }
    kill(getpid(), SIGTERM);
  };
}

std::optional<Problem> LostSource::take() {
  std::lock_guard lock(m_);
  return std::exchange(problem_, std::nullopt);
}

}  // namespace isthmus::ctl
