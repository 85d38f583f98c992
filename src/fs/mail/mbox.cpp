#include "fs/mail/mbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "base/pread_all.h"
#include "fs/mail/headers.h"
#include "fs/mail/mbox_split.h"

namespace isthmus::fs::mail {
namespace {

constexpr int kMostTries = 8;  // with a file that is being written to
constexpr int kLockTries = 100, kLockMs = 20;
constexpr size_t kCopied = size_t{128} << 10;

ReadAt reader(int fd) {
  return [fd](uint64_t offset, MutableBytes to) { return pread_all(fd, to, offset); };
}

}  // namespace

Mbox::Mbox(std::string path, Owner owner, Mailbox& mailbox)
    : path_(std::move(path)), owner_(owner), mailbox_(mailbox), watcher_([this](uint32_t) {
        if (Status done = refresh(kRootFolder, nullptr); !done)
          log(LogLevel::warning, "{}: {}", path_, text_of(done.error()));
      }) {}

Expected<std::unique_ptr<Store>> Mbox::open(const std::string& path, const MailOptions&, Mailbox& mailbox) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) < 0)
    return Problem{last_errno(), fmt::format("'{}': {}", path, text_of(last_errno())), ""};
  bool some = false;
  Status is_one = S_ISREG(st.st_mode) ? split_mbox(reader(fd.get()), static_cast<uint64_t>(st.st_size),
                                                   [&](const Facts&) {
                                                     some = true;
                                                     return false;
                                                   })
                                      : Status(err(EBADMSG));
  if (!is_one)
    return Problem{is_one.error(),
                   is_one.error() == err(EBADMSG)
                       ? fmt::format("'{}' is no mbox: it does not begin with a line \"From \"", path)
                       : fmt::format("'{}': {}", path, text_of(is_one.error())),
                   ""};
  return std::unique_ptr<Store>(new Mbox(path, {st.st_uid, st.st_gid}, mailbox));
}

Status Mbox::start() {
  watcher_.start(path_);
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == path_.npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
  watcher_.add(folder, kRootFolder, path_.substr(slash == path_.npos ? 0 : slash + 1));
  return Unit{};
}

Result<Mbox::Look> Mbox::look_at(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) < 0) return last_errno();
  if (!S_ISREG(st.st_mode)) return err(EIO);
  return Look{st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size), to_time(st.st_mtim), to_time(st.st_ctim)};
}

/// A writer that holds its lock for long is not waited for: what it does shows in the file's times.
Result<Mbox::File> Mbox::open_file(Cancel* cancel) const {
  File f;
  f.fd = Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!f.fd) return last_errno() == err(ENOENT) ? err(EIO) : last_errno();
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  for (int i = 0; i < kLockTries && ::fcntl(f.fd.get(), F_OFD_SETLK, &lock) < 0; i++) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) break;
    if (cancel && cancel->requested()) return err(EINTR);
    ::poll(nullptr, 0, kLockMs);
  }
  auto look = look_at(f.fd.get());
  if (!look) return look.error();
  f.look = *look;
  return f;
}

Status Mbox::load(uint32_t folder, Cancel* cancel) {
  {
    const std::lock_guard lock(m_);
    if (loaded_) return Unit{};
  }
  return refresh(folder, cancel);
}

Status Mbox::refresh(uint32_t folder, Cancel* cancel) {
  Mailbox::AllNews news;
  Status done = [&]() -> Status {
    for (int i = 0; i < kMostTries; i++) {
      auto file = open_file(cancel);
      if (!file) return file.error();
      const std::lock_guard lock(m_);
      if (loaded_ && file->look == look_) return Unit{};
      std::vector<Facts> all;
      Status split = split_mbox(reader(file->fd.get()), file->look.size, [&](Facts f) {
        if (f.time == Time{}) f.time = file->look.mtime;
        all.push_back(std::move(f));
        return true;
      });
      auto after = look_at(file->fd.get());
      if (!after) return after.error();
      const bool last = i + 1 == kMostTries;
      if (*after != file->look && !last) continue;
      if (!split) return split.error() == err(EBADMSG) ? err(EIO) : split.error();
      look_ = file->look;
      loaded_ = true;
      news = mailbox_.replace(folder, std::move(all));
      return Unit{};
    }
    return err(EIO);
  }();
  mailbox_.publish(news);
  return done;
}

template <class F>
Status Mbox::with_file(const Message& m, Cancel* cancel, F f) {
  for (int i = 0; i < kMostTries; i++) {
    if (Status fresh = refresh(m.folder, cancel); !fresh) return fresh;
    auto file = open_file(cancel);
    if (!file) return file.error();
    {
      const std::lock_guard lock(m_);
      if (file->look != look_) continue;
    }
    const auto now = mailbox_.message(m.serial);
    if (!now) return err(ENOENT);
    if (Status done = f(file->fd.get(), *now); !done) return done;
    auto after = look_at(file->fd.get());
    if (!after) return after.error();
    if (*after == file->look) return Unit{};
  }
  return err(EIO);  // it never rests
}

Status Mbox::heads(const Message& wanted, const std::function<bool(uint64_t)>&, const HeadSink& sink, Cancel* cancel) {
  std::string head;
  Message as_it_is;
  Status done = with_file(wanted, cancel, [&](int fd, const Message& now) -> Status {
    as_it_is = now;
    head.clear();
    const auto read = reader(fd);
    while (head.size() < std::min<uint64_t>(now.facts.length, kMostHead) && !end_of_head(head)) {
      const size_t had = head.size();
      head.resize(had + static_cast<size_t>(std::min<uint64_t>(kCopied / 8, now.facts.length - had)));
      auto got = read(now.facts.offset + had, std::as_writable_bytes(std::span(head)).subspan(had));
      if (!got) return got.error();
      head.resize(had + *got);
      if (*got == 0) break;
    }
    return Unit{};
  });
  if (done) sink(as_it_is, head);
  return done;
}

Result<std::shared_ptr<const Blob>> Mbox::copy(const Message& m, bool unquote, Cancel* cancel) {
  BlobWriter to;
  Status done = with_file(m, cancel, [&](int fd, const Message& now) -> Status {
    to = BlobWriter();
    Unquoter unquoter;
    const bool quoted = unquote && now.facts.place != kByLength;
    std::string piece, text;
    const auto read = reader(fd);
    for (uint64_t at = 0; at < now.facts.length;) {
      if (cancel && cancel->requested()) return err(EINTR);
      piece.resize(static_cast<size_t>(std::min<uint64_t>(kCopied, now.facts.length - at)));
      auto got = read(now.facts.offset + at, std::as_writable_bytes(std::span(piece)));
      if (!got) return got.error();
      if (*got == 0) break;
      at += *got;
      piece.resize(*got);
      text.clear();
      if (quoted) unquoter.put(piece, text);
      if (Status put = to.append(quoted ? text : piece); !put) return put;
    }
    text.clear();
    if (quoted) unquoter.finish(text);
    return to.append(text);
  });
  if (!done) return done.error();
  return to.finish();
}

Result<std::shared_ptr<const Blob>> Mbox::raw(const Message& m, Cancel* cancel) { return copy(m, false, cancel); }

Result<std::shared_ptr<const Blob>> Mbox::parsable(const Message& m, Cancel* cancel) { return copy(m, true, cancel); }

Result<uint64_t> Mbox::size(const Message& m, Cancel*) {
  const auto now = mailbox_.message(m.serial);
  if (!now) return err(ENOENT);
  return now->facts.length;
}

}  // namespace isthmus::fs::mail
