#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "base/problem.h"
#include "fs/mail/options.h"
#include "fs/mail/store.h"
#include "fs/mail/watcher.h"

namespace isthmus::fs::mail {

/// An mbox file, which is only read: under a lock for readers (fcntl(2)), as far as a writer lets go of it soon. A
/// message keeps its number when programs write the file anew: it is known by its From_ line and those headers that
/// stay.
class Mbox final : public Store {
 public:
  static Expected<std::unique_ptr<Store>> open(const std::string& path, const MailOptions& options, Mailbox& mailbox);

  Status start() override;
  void stop() override { watcher_.stop(); }
  bool read_only() const override { return true; }
  bool lasting() const override { return false; }
  bool tells_changes() const override { return watcher_.works(); }
  Owner owner() const override { return owner_; }
  Status refresh(uint32_t folder, Cancel* cancel) override;
  Status load(uint32_t folder, Cancel* cancel) override;
  Status heads(const Message& wanted, const std::function<bool(uint64_t)>& has, const HeadSink& sink,
               Cancel* cancel) override;
  Result<std::shared_ptr<const Blob>> raw(const Message& m, Cancel* cancel) override;
  Result<std::shared_ptr<const Blob>> parsable(const Message& m, Cancel* cancel) override;
  Result<uint64_t> size(const Message& m, Cancel* cancel) override;
  Status change_flags(const Message&, FlagChange, Cancel*) override { return err(EROFS); }
  Status remove(const Message&, Cancel*) override { return err(EROFS); }

 private:
  /// By what a file is known to be as it was.
  struct Look {
    uint64_t device = 0, inode = 0, size = 0;
    Time mtime, ctime;
    friend bool operator==(const Look&, const Look&) = default;
  };
  struct File {
    Fd fd;
    Look look;
  };

  Mbox(std::string path, Owner owner, Mailbox& mailbox);
  Result<File> open_file(Cancel* cancel) const;
  static Result<Look> look_at(int fd);
  /// f(fd, message as it is now) -> Status, on a file that was what the mailbox was made of before and afterwards.
  template <class F>
  Status with_file(const Message& m, Cancel* cancel, F f);
  Result<std::shared_ptr<const Blob>> copy(const Message& m, bool unquote, Cancel* cancel);

  const std::string path_;
  const Owner owner_;
  Mailbox& mailbox_;
  std::mutex m_;  // guards look_; held while the file is read through
  Look look_;
  bool loaded_ = false;
  Watcher watcher_;
};

}  // namespace isthmus::fs::mail
