#include "ctl/background.h"

#include <fcntl.h>
#include <unistd.h>

#include "ctl/logging.h"

namespace isthmus::ctl {
namespace {

Failure as_failure(const fuse::ServeOutcome& o) { return {exit_code_of(o), o.problem, o.reported}; }

Background go_to_background(unsigned answer_seconds) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return {{}, Failure{kExitFailure, {last_errno(), "pipe", ""}}};
  Fd hear(ends[0]), say(ends[1]);
  const pid_t child = fork();
  if (child < 0) return {{}, Failure{kExitFailure, {last_errno(), "cannot go to the background", ""}}};
  if (child == 0) return {fuse::Announcer(std::move(say)), std::nullopt};
  say.reset();
  return {{}, as_failure(fuse::wait_for_server(child, std::move(hear), answer_seconds))};
}

}  // namespace

Background begin_server(const std::string& log_file, bool foreground, unsigned answer_seconds) {
  if (!log_file.empty())
    if (auto opened = log_to_file(log_file); !opened) return {{}, Failure{kExitFailure, opened.problem()}};
  return foreground ? Background{} : go_to_background(answer_seconds);
}

Failure tell_outcome(fuse::Announcer& announcer, fuse::ServeOutcome outcome, bool foreground) {
  if (outcome.stage != fuse::ServeStage::done) {
    outcome.reported |= announcer.failed(outcome);
    if (!outcome.reported && !foreground) log(LogLevel::error, "{}", outcome.problem.text());
  }
  return as_failure(outcome);
}

}  // namespace isthmus::ctl
