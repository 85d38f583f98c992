#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>

#include "base/problem.h"
#include "fs/mail/headers.h"
#include "fs/mail/kept.h"
#include "fs/mail/mailbox.h"
#include "fs/mail/mime.h"
#include "fs/mail/options.h"
#include "fs/mail/store.h"
#include "vfs/provider.h"

namespace isthmus::fs::mail {

/// Mail as a file system: a folder of messages is a directory of directories 001, 002, ..., with a message's headers,
/// text and attachments as files (docs/mail.md). Any thread.
class MailFs final : public Provider<MailFs> {
 public:
  /// place: the path of a Maildir or an mbox, or a URL of IMAP's.
  static Expected<std::unique_ptr<MailFs>> open(const std::string& place, const MailOptions& options,
                                                const MailHooks& hooks);
  /// `store` fills `mailbox`. name: for mount tables.
  MailFs(std::string name, std::unique_ptr<Mailbox> mailbox, std::unique_ptr<Store> store);
  ~MailFs() override;

  Status start(Upcalls& up) override;
  void stop() override;
  Traits traits() const override;

  Result<Entry> lookup(const Context&, const op::Lookup&);
  Result<Attributes> getattr(const Context&, const op::Getattr&);
  Result<Attributes> setattr(const Context&, const op::Setattr&);
  Result<Opened> open(const Context&, const op::Open&);
  Result<Buffer> read(const Context&, const op::Read&);
  Result<size_t> write(const Context&, const op::Write&);
  Result<Unit> release(const Context&, const op::Release&);
  Result<Opened> open_dir(const Context&, const op::OpenDir&);
  Result<Unit> read_dir(const Context&, const op::ReadDir&);
  Result<Unit> unlink(const Context&, const op::Unlink&);
  Result<Unit> rmdir(const Context&, const op::Rmdir&);
  Result<StatFs> statfs(const Context&, const op::Statfs&);

 private:
  /// A file, or a directory, of a message, or a folder (message is none then).
  struct Node {
    NodeId id{};
    uint32_t file = 0;  ///< FileNumber, or the folder's index
    std::optional<Message> message;
    std::optional<Folder> folder;
    bool is_dir() const { return folder || file == kMessageItself || file == kAttachments || file == kFlagsDir; }
    /// 0..5: the file of one flag.
    std::optional<size_t> flag() const;
    bool is_flag_file() const { return message && (file == kFlagList || flag()); }
  };
  struct OpenFile {
    std::shared_ptr<const Blob> data;  ///< null: a file of flags, which shows what they are
    Attr attr;                         ///< with data: also when the message has gone
  };
  /// Names of a message that were removed: hidden, until the message is, or `until_ns` (monotonic_ns()).
  struct Taken {
    std::set<uint32_t> files;
    int64_t until_ns = 0;
  };
  using Heads = Kept<HeaderFiles>;
  using Contents = Kept<Content>;

  Result<Node> node(NodeId id) const;
  static Node node_of(const Message& m, uint32_t file);
  Result<Node> child(const Node& dir, std::string_view name, Cancel* cancel);
  Result<Node> child_of_folder(const Node& dir, std::string_view name, Cancel* cancel);
  /// The file's number in a message's directory.
  Result<uint32_t> file_named(const Node& dir, std::string_view name, Cancel* cancel);
  Result<Attr> attr(const Node& n, Cancel* cancel);
  /// All of it but the size of a file.
  Attr plain_attr(const Node& n) const;
  static void set_size(Attr& a, uint64_t bytes);
  Result<uint64_t> size(const Node& n, Cancel* cancel);
  Entry entry(const Node& n, const Attr& a) const;
  Ttl ttl(const Node& n) const;
  /// Attributes for a listing, where they cost nothing.
  bool cheap_entry(const Node& n, Entry& e);

  static std::pair<uint64_t, uint64_t> key(const Message& m) { return {m.serial, m.facts.version}; }
  Result<Heads::Value> heads(const Message& m, Cancel* cancel);
  Result<Contents::Value> content(const Message& m, Cancel* cancel);
  Result<std::shared_ptr<const Blob>> data(const Node& n, Cancel* cancel);
  std::shared_ptr<const OpenFile> opened(HandleId handle);
  static std::string flag_text(const Node& n);

  /// f(file number, name, directory?) for the files of a directory of a message, by number; false: enough.
  template <class F>
  Status for_each_file(const Node& dir, uint64_t behind, Cancel* cancel, F f);
  Status list_folder(const Node& dir, const op::ReadDir& a, Cancel* cancel);
  Status list_message(const Node& dir, const op::ReadDir& a, Cancel* cancel);
  void name_in_list(DirEntry& d, const Node& n, uint64_t cookie) const;

  bool is_taken(uint64_t serial, uint32_t file);
  void take(uint64_t serial, uint32_t file);

  const std::string name_;
  const std::unique_ptr<Mailbox> mailbox_;
  const std::unique_ptr<Store> store_;
  Owner owner_;
  HeaderNames names_;
  Heads heads_;
  Contents contents_;

  std::mutex taken_m_;  // a leaf
  std::unordered_map<uint64_t, Taken> taken_;

  std::mutex open_m_;  // a leaf
  std::unordered_map<uint64_t, std::shared_ptr<const OpenFile>> open_;
  uint64_t next_handle_ = 1;
};

}  // namespace isthmus::fs::mail
