#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/problem.h"
#include "fs/curl/logins.h"
#include "fs/ftp/nodes.h"
#include "vfs/provider.h"

namespace isthmus::fs::ftp {

/// What a caller can take part in while a server is reached. All on the opening thread; any may be empty.
struct FtpHooks {
  std::function<bool()> cancelled;
  /// A password, or nothing to go on without. attempt: 1, 2, 3; from 2 on the one before was wrong.
  std::function<std::optional<std::string>(int attempt)> password;
};

/// FTP servers as a file system (docs/ftp.md): one tree of one server, or a folder in which naming a server connects to
/// it. No operation waits for a server on the caller's thread: it is answered from what is known, or becomes a job of a
/// connection's thread, which answers. Any thread.
class FtpFs final : public Provider<FtpFs> {
 public:
  /// `ftp:`: no server yet.
  static std::unique_ptr<FtpFs> open_all(const FtpOptions& o);
  /// One tree. Logs in, so that mistakes show here. `path` is as in a URL: behind the login's own folder, or absolute
  /// with a second slash. No thread is left behind.
  static Expected<std::unique_ptr<FtpFs>> open(const Place& place, std::string_view path, bool implicit_tls,
                                               const FtpOptions& o, const FtpHooks& hooks);
  ~FtpFs() override;

  Status start(Upcalls& up) override;
  void stop() override;
  Traits traits() const override;

  void lookup(Call<op::Lookup> c);
  void forget(Call<op::Forget> c);
  void getattr(Call<op::Getattr> c);
  void setattr(Call<op::Setattr> c);
  void readlink(Call<op::Readlink> c);
  void mkdir(Call<op::Mkdir> c);
  void unlink(Call<op::Unlink> c);
  void rmdir(Call<op::Rmdir> c);
  void rename(Call<op::Rename> c);
  void open(Call<op::Open> c);
  void create(Call<op::Create> c);
  void read(Call<op::Read> c);
  void write(Call<op::Write> c);
  void flush(Call<op::Flush> c);
  void fsync(Call<op::Fsync> c);
  void release(Call<op::Release> c);
  void open_dir(Call<op::OpenDir> c);
  void read_dir(Call<op::ReadDir> c);
  void release_dir(Call<op::ReleaseDir> c);
  Result<StatFs> statfs(const Context&, const op::Statfs&);

 private:
  using Lock = std::unique_lock<std::mutex>;
  /// What doors are told once the lock is free.
  struct News {
    std::vector<NodeId> changed;
    std::vector<std::pair<NodeId, std::string>> names;
  };

  explicit FtpFs(FtpOptions o);

  // ---- nodes.cpp: under m_, where nothing else is said ----
  Result<NodePtr> find(NodeId id, Op op);
  NodePtr make_node(const NodePtr& parent, std::string name, Facts facts, int64_t known_ns);
  NodePtr child(const NodePtr& dir, const std::string& name, const Facts& facts, int64_t known_ns);
  void drop_if_unused(NodePtr node);
  void unlink_node(Node& node);
  std::string path_of(const Node& node) const;
  std::string path_in(const Node& dir, const std::string& name) const;
  Attr attr_of(const Node& node) const;
  Entry counted(Node& node);
  Ttl ttl_of(int64_t known_ns) const;
  bool is_fresh(int64_t known_ns, uint32_t ms) const;
  void note_added(Node& dir, const std::string& name, const Facts& facts);
  void note_removed(Node& dir, const std::string& name);
  void learn(Node& node, const Facts& facts, News& news);
  void install(Node& dir, std::vector<Facts> entries, int64_t began_ns, News& news);
  void tell(const News& news);  // without m_
  template <class T>
  void answer_entry(const Answer<T>& a, const NodePtr& node);  // without m_

  /// Has a folder's names, no older than `ms`; without m_.
  void with_listing(const NodePtr& dir, uint32_t ms, Then then);
  /// Knows what a node is now, if it has one still; without m_.
  void with_facts(const NodePtr& node, uint32_t ms, Then then);
  void probe(const NodePtr& dir, const std::string& name, std::function<void(Result<Facts>)> then);
  void submit(const std::shared_ptr<Site>& site, bool stream, std::function<void(Remote&)> run, Then fail);

  // ---- hosts.cpp ----
  std::shared_ptr<Site> make_site(const Place& place, const std::string& name, bool implicit_tls,
                                  std::optional<curl::Login> login) const;
  void lookup_host(const Answer<op::Lookup>& a, const std::string& name);
  void host_answered(const std::string& name, const std::shared_ptr<Site>& site, Errno e);
  bool make_room(std::shared_ptr<Site>& let_go);

  // ---- reading.cpp ----
  void start_stream(const std::shared_ptr<Stream>& s);
  void run_stream(const std::shared_ptr<Stream>& s, Remote& r);
  static void drop_stream(Stream& s);
  static std::vector<std::pair<Answer<op::Read>, Result<Buffer>>> ready(Stream& s);
  static void serve(Stream& s, Lock& lock);

  // ---- writing.cpp, upload.cpp ----
  Result<std::shared_ptr<Draft>> draft_of(Node& node);
  Result<Fd> make_spool() const;
  /// All bytes of the file are in its spool; without m_.
  void with_all(const NodePtr& node, Then then);
  Said fetch(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r);
  /// What was written until now is on the server; without m_.
  void with_uploaded(const NodePtr& node, Then then);
  void truncate(const NodePtr& node, uint64_t size, Then then);  // without m_
  void write_some(const std::shared_ptr<Handle>& h, Answer<op::Write> a, uint64_t offset, bool append,
                  std::string data);
  void start_upload(const NodePtr& node);
  void run_upload(const NodePtr& node, Remote& r);
  Said upload_once(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, bool again);
  Said send(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& to, uint64_t from,
            bool append);
  Said put_in_place(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path);
  Said put_beside(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path,
                  bool repeated);
  Said replace(const NodePtr& node, const std::shared_ptr<Draft>& d, Remote& r, const std::string& path, bool existed,
               const Facts& before);
  static Said compare(const std::shared_ptr<Draft>& d, Remote& r, const std::string& path, uint64_t from, uint64_t to,
                      bool& same);
  Said set_attributes(const std::shared_ptr<Draft>& d, Remote& r, const std::string& path, bool existed,
                      const Facts& before);
  Said move(Remote& r, const std::string& from, const std::string& to, const std::string& aside, bool exists);
  void finish_upload(const NodePtr& node, const std::shared_ptr<Draft>& d, const Said& said);
  void settle(const NodePtr& node, Lock& lock);
  static void slow_down_no_more(Draft& d, Lock& lock);

  // ---- ops_attr.cpp ----
  void change_attributes(const NodePtr& node, const SetAttr& set, Then then);

  // ---- ops_files.cpp ----
  HandleId add_handle(std::shared_ptr<Handle> h);
  std::shared_ptr<Handle> handle_of(HandleId id) const;
  Opened opened(const NodePtr& node, uint32_t flags);

  // ---- ops_names.cpp ----
  /// The folder in which a name is to come or go. EPERM: its names are hosts.
  Result<NodePtr> to_change(NodeId id, Op op, std::string_view name);  // without m_
  template <class T>
  void remove_name(Call<T> c, bool folder);
  void remove(const NodePtr& dir, const std::string& name, bool folder, Then then);
  void rename_known(const NodePtr& dir, const std::string& name, const NodePtr& to_dir, const std::string& to_name,
                    bool replace, Then then);
  void renamed(const NodePtr& dir, const std::string& name, const NodePtr& to_dir, const std::string& to_name,
               const Facts& facts);
  static bool leaves(const Node& dir, std::string_view target, std::string& inside);

  const FtpOptions options_;
  const Time began_;
  std::string source_;  // for mount tables
  bool all_ = false;    // `ftp:`

  mutable std::mutex m_;  // guards nodes and all that follows
  std::unordered_map<uint64_t, NodePtr> nodes_;
  std::unordered_map<uint64_t, std::shared_ptr<Handle>> handles_;
  NodePtr root_;
  uint64_t last_node_ = 0, last_handle_ = 0, last_beside_ = 0;
  uint64_t mark_;  // of this process, in the names of files beside others
  struct Host {
    std::shared_ptr<Site> site;  // being reached, or null
    std::vector<Answer<op::Lookup>> waiting;
    Errno error{};  // else: why not
    int64_t until_ns = 0;
  };
  std::map<std::string, Host> hosts_;  // being reached, or that could not be
  std::vector<std::shared_ptr<Site>> sites_;
  bool stopping_ = false;
};

}  // namespace isthmus::fs::ftp
