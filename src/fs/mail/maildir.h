#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/problem.h"
#include "fs/mail/options.h"
#include "fs/mail/store.h"
#include "fs/mail/watcher.h"

namespace isthmus::fs::mail {

/// A Maildir (https://cr.yp.to/proto/maildir.html) and the folders in it: those of Maildir++ (".Sent.2024") and
/// Maildirs in it ("Sent/2024"). Files are only ever renamed, by one call each: a process that is killed leaves each
/// message in one place, whole. What lies in tmp/ is nobody's yet.
class Maildir final : public Store {
 public:
  static Expected<std::unique_ptr<Store>> open(const std::string& path, const MailOptions& options, Mailbox& mailbox);
  /// Whether it is one, or has some in it.
  static bool is_one(const std::string& path);
  ~Maildir() override;

  Status start() override;
  void stop() override;
  bool read_only() const override { return options_.read_only; }
  bool tells_changes() const override { return watcher_.works(); }
  Owner owner() const override;
  Status refresh(uint32_t folder, Cancel* cancel) override;
  Status load(uint32_t folder, Cancel* cancel) override;
  Status heads(const Message& wanted, const std::function<bool(uint64_t)>& has, const HeadSink& sink,
               Cancel* cancel) override;
  Result<std::shared_ptr<const Blob>> raw(const Message& m, Cancel* cancel) override;
  Result<uint64_t> size(const Message& m, Cancel* cancel) override;
  Status change_flags(const Message& m, FlagChange change, Cancel* cancel) override;
  Status remove(const Message& m, Cancel* cancel) override;

 private:
  /// When new/ and cur/ of a folder were read, by their own times.
  struct Look {
    Time times[2];
    bool young = false;  ///< they had changed just before: the next change may have the same time
    bool valid = false;
  };

  Maildir(Fd root, std::string path, MailOptions options, Mailbox& mailbox);
  [[nodiscard]] Mailbox::AllNews find_folders();
  Status read_folder(uint32_t folder, bool only_if_changed);
  /// A path below the root.
  std::string path_of(uint32_t folder, std::string_view below) const;
  /// f(path below the root, the message as it is now) -> Status; again by its new name when it answers ENOENT.
  template <class F>
  Status with_place(const Message& m, F f);
  Result<Fd> open_message(const Message& m);
  std::optional<Folder> find_trash() const;
  Result<Folder> trash();
  bool in_trash(uint32_t folder) const;
  Status copy_over(const std::string& from, const std::string& folder, const std::string& place);

  void watch_folder(const Folder& f);
  void look(uint32_t id);

  const Fd root_;
  const std::string path_;
  const MailOptions options_;
  Mailbox& mailbox_;

  std::mutex folders_m_;  // held while folders are looked for; m_ may be taken inside
  std::mutex m_;          // guards looks_; held while a folder is read
  std::unordered_map<uint32_t, Look> looks_;

  std::mutex watch_m_;  // a leaf; guards is_watched_
  std::unordered_set<uint32_t> is_watched_;
  Watcher watcher_;
};

}  // namespace isthmus::fs::mail
