#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "fs/mail/imap_client.h"
#include "fs/mail/options.h"
#include "fs/mail/store.h"

namespace isthmus::fs::mail {

/// The mailboxes of an IMAP server, by one connection, which one thread uses: operations leave it their work and wait,
/// each with a limit; when there is none it waits for news (IDLE, else NOOP from time to time) of the folder on top. A
/// connection that is lost is made again; what was under way is tried once more where that cannot do it twice.
class ImapStore final : public Store {
 public:
  /// Connects, and asks for a password up to three times.
  static Expected<std::unique_ptr<Store>> open(const std::string& url, const MailOptions& options,
                                               const MailHooks& hooks, Mailbox& mailbox);
  ~ImapStore() override;

  Status start() override;
  void stop() override;
  bool read_only() const override { return options_.read_only; }
  bool tells_changes() const override { return false; }  // of one folder only
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
  struct Job {
    std::function<Status()> work;
    bool started = false, done = false;
    Status status{Unit{}};
    std::condition_variable changed;
  };
  /// A mailbox. What it holds is told to the Mailbox; keys of messages are made of validity and UID.
  struct Box {
    std::string name;       ///< as the server has it
    uint32_t validity = 0;  ///< UIDVALIDITY when it was read
    bool loaded = false;
    int64_t synced_ns = 0;
    std::set<uint32_t> hidden;  ///< UIDs that were removed, which this server cannot expunge alone
  };
  /// What a FETCH response says.
  struct Fetched {
    uint32_t uid = 0;
    bool has_flags = false;
    Flags flags = 0;
    std::string keywords;
    std::optional<int64_t> date;
    std::optional<uint64_t> size;
    const std::string* body = nullptr;  ///< of whatever section was asked for
  };
  struct Listed {
    char delimiter = 0;
    bool holds_messages = true, trash = false;
  };

  ImapStore(imap::Address address, curl::Terms terms, std::unique_ptr<imap::Client> client, MailOptions options,
            Mailbox& mailbox);

  // ---- any thread ----
  Status ask(Cancel* cancel, std::function<Status()> work);

  // ---- the thread of the connection ----
  void run();
  std::shared_ptr<Job> next_job();
  void wait_for_news();
  bool sleep_until(int64_t until_ns);
  Status connected();
  /// f() with the folder selected; once more, unless `once`, if the connection is lost in it.
  Status with_box(uint32_t folder, const std::function<Status(Box&)>& f, bool once = false);
  imap::Client::Reply command(const std::string& text);
  Status list();
  void add_boxes(const std::map<std::string, Listed>& all);
  Status select(uint32_t folder);
  Status sync(uint32_t folder, Box& box);
  /// What is new since the last look.
  Status settle();
  Status fetch(const std::string& command, const std::function<void(uint32_t seq, const Fetched&)>& f);
  void hear(const imap::Response& r);
  void hear_fetch(uint32_t seq, const imap::Value& items);
  void hear_expunge(uint32_t seq);
  Facts facts_of(const Box& box, const Fetched& f) const;
  static std::string key_of(const Box& box, uint32_t uid);
  /// ENOENT: it is not there any more. Asks the server.
  Status still_there(const Message& m);
  Status find_trash(std::string& name);
  Status throw_away(Box& box, const Message& m, const std::string& uid);
  Status expunge(Box& box, const Message& m, const std::string& uid);
  bool in_trash(const std::string& name) const;
  void forget_connection(Errno why);
  void pause();

  const imap::Address address_;
  const curl::Terms terms_;
  const MailOptions options_;
  Mailbox& mailbox_;

  std::mutex m_;  // a leaf; guards jobs_, what they are, and loaded_
  std::deque<std::shared_ptr<Job>> jobs_;
  std::set<uint32_t> loaded_;  // folders whose messages the mailbox knows
  Fd bell_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> idle_folder_{UINT32_MAX};  // whose changes come by themselves
  std::thread thread_;

  // Of the thread of the connection, and of open() and start() before it.
  std::unique_ptr<imap::Client> client_;
  int64_t retry_ns_ = 0;  // no connection is tried before
  int64_t pause_ns_ = 0, connected_ns_ = 0;
  int young_losses_ = 0;  // of connections that did not last, one after the other
  bool down_ = false;
  std::map<uint32_t, Box> boxes_;
  std::string root_name_ = "INBOX", trash_name_;
  char delimiter_ = '/';
  uint32_t selected_ = UINT32_MAX;
  uint32_t exists_ = 0, validity_ = 0;  // of the selected one
  std::vector<uint32_t> uids_;          // by sequence number - 1; 0: not known
  std::function<void(uint32_t seq, const Fetched&)> on_fetch_;
  std::map<std::string, Listed>* on_list_ = nullptr;
  bool no_idle_ = false;
  // The last batch of heads, for guessing how many are wanted.
  uint32_t batch_folder_ = UINT32_MAX, batch_end_ = 0;
  size_t batch_size_ = 0;
};

}  // namespace isthmus::fs::mail
