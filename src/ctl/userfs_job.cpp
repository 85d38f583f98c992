#include "ctl/userfs_job.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"

namespace isthmus::ctl {

Expected<UserfsEnd> userfs_end(const UserfsJob& job) {
  const bool standard = job.at == "-";
  const size_t comma = job.at.find(',');
  const auto in = standard ? std::optional<uint64_t>(0) : parse_number(job.at.substr(0, comma), INT32_MAX);
  const auto out = standard                     ? std::optional<uint64_t>(1)
                   : comma == std::string::npos ? in
                                                : parse_number(job.at.substr(comma + 1), INT32_MAX);
  if (!in || !out)
    return Problem{err(EINVAL), fmt::format("--userfs {}: two descriptors are wanted", job.at),
                   "--userfs - for standard input and output, or --userfs 3,4"};
  UserfsEnd end;
  end.at = job.at;
  end.options.read_only = job.read_only;
  end.in = fcntl(static_cast<int>(*in), F_DUPFD_CLOEXEC, 3);
  end.out = fcntl(static_cast<int>(*out), F_DUPFD_CLOEXEC, 3);
  if (end.in < 0 || end.out < 0)
    return Problem{last_errno(), fmt::format("--userfs {}: {}", job.at, text_of(last_errno())), ""};
  if (standard && isatty(end.in) && isatty(end.out))
    return Problem{err(EINVAL),
                   fmt::format("--userfs {}: this is a terminal, whose user would have to answer packets", job.at),
                   "isthmus mount 'userfs:isthmus serve SOURCE --userfs -' MOUNTPOINT"};
  if (!standard) {
    for (auto fd : {*in, *out})
      if (fd > STDERR_FILENO) close(static_cast<int>(fd));
    return end;
  }
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    return Problem{last_errno(), "standard input and output: " + std::string(text_of(last_errno())), ""};
  return end;
}

}  // namespace isthmus::ctl
