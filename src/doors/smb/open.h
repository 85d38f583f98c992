#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "vfs/types.h"
#include "vfs/volume/port.h"
#include "wire/dcerpc/pipe.h"
#include "wire/smb2/codec.h"
#include "wire/smb2/file_id.h"
#include "wire/smb2/notify_info.h"

namespace isthmus::smb {

class Link;
class Request;
class Session;
struct CacheGrant;
struct Listing;
struct Server;
struct StreamUse;

/// A byte-range lock of an open, as it was asked for: ranges are never joined, and unlocked as they were locked.
struct RangeLock {
  uint64_t open = 0;  ///< temporary id
  uint64_t offset = 0, length = 0;
  bool exclusive = false;
  uint64_t owner = 0;  ///< of the volume's lock; 0: it has none

  bool operator==(const RangeLock&) const = default;
};

/// Those of a file, or of one of its streams.
struct RangeLocks {
  struct Waiting {
    RangeLock lock;
    std::shared_ptr<Request> request;
  };
  std::mutex m;  ///< a leaf
  std::vector<RangeLock> all;
  std::deque<Waiting> waiting;  ///< for ranges that the volume has no locks of; others wait there
};

/// A file or directory that clients have open by one of its names, shared by its opens (an MS-FSA Link). Gives its
/// lookups back when the last request that uses it has ended.
struct OpenedFile {
  OpenedFile(Server& s, NodeId n, bool dir) : server(s), node(n), directory(dir) {}
  ~OpenedFile();
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;

  Server& server;
  const NodeId node;  ///< held
  const bool directory;
  /// Held while the name is changed or removed. Taken before all others.
  std::mutex naming_m;
  /// Guards what follows, of which `parent` and `name` also need naming_m to change. A leaf.
  std::mutex m;
  NodeId parent = NodeId::none;  ///< held; none: the root
  std::string name;              ///< in parent, as the file system has it
  std::string path;              ///< from the share's root, '/' between names; what clients asked for
  bool delete_pending = false;
  bool name_gone = false;  ///< it has been removed, while others have the file open
  size_t opens = 0;        ///< 0: the last one has ended
  RangeLocks locks;

  std::string name_now() {
    std::lock_guard lock(m);
    return name;
  }
  std::string path_now() {
    std::lock_guard lock(m);
    return path;
  }
};
/// Whether a path lies below that of a directory, which is empty for the root.
bool is_below(std::string_view path, std::string_view directory);

/// Something that happened to a stream below a watched directory.
struct StreamNews {
  smb2::NotifyAction action{};
  std::string name;  ///< UTF-16, from the directory on

  bool operator==(const StreamNews&) const = default;
};

/// An open that outlives its connection (MS-SMB2 section 3.3.1.10).
struct Durable {
  bool v2 = false;
  smb2::Guid create_guid{};  ///< of v2
  smb2::Guid client{};
  std::string user;
  std::chrono::milliseconds timeout{};
  std::optional<smb2::Guid> app;  ///< DurableWish::app
};

/// What a client got for a CREATE (MS-SMB2 section 3.3.1.10).
struct Open {
  smb2::FileId id;
  std::shared_ptr<OpenedFile> file;   ///< null: a pipe
  std::shared_ptr<StreamUse> stream;  ///< null: the file itself
  std::unique_ptr<dcerpc::Pipe> pipe;
  uint32_t action = 0;                  ///< what CREATE did
  std::atomic<uint64_t> session_id{0};  ///< 0: its client has gone, and may come back (durable.h)
  std::atomic<uint32_t> tree_id{0};
  HandleId handle = HandleId::none;   ///< the volume's
  Context ctx;                        ///< whose lease keys are the grants' numbers
  std::shared_ptr<CacheGrant> cache;  ///< null: a pipe
  /// What its client has, or may have, of the directory: what is done through the open leaves it alone.
  std::shared_ptr<CacheGrant> parent_cache;
  uint32_t access = 0;  ///< granted, windows::Rights
  uint32_t options = 0;
  bool reparse = false;  ///< of the symlink or special file itself
  bool posix = false;    ///< opened by the POSIX extensions
  std::atomic<bool> closed{false};
  std::atomic<bool> used{false};  ///< its client has had the answer of the CREATE, which is not sent again any more

  std::mutex listing_m;  ///< held while the file system lists
  std::unique_ptr<Listing> listing;

  /// Guards what follows. Taken before OpenedFile::m; nothing is asked of the file system with it held.
  mutable std::mutex m;
  std::weak_ptr<Link> link;
  std::weak_ptr<Session> session;
  std::optional<Durable> durable;
  bool delete_on_close = false;
  bool unlink_at_close = false;  ///< what is deleted goes with this open, not with the last one
  uint64_t position = 0;
  uint16_t sequence = 0;                      ///< InSequence's
  std::array<uint8_t, 64> lock_sequences{};   ///< of the last LOCKs, by index less one: number and bit 7; 0: none
  unsigned changes = 0, earlier_changes = 0;  ///< under way, of that number and of those before
  std::optional<Time> write_time;             ///< set through this open: what it does leaves that as it is
  uint32_t mode = 0;                          ///< FileModeInformation
  std::vector<std::weak_ptr<Request>> waiting_locks;  ///< end with the open
  // Change notification.
  std::unique_ptr<Watching> watching;
  std::deque<std::shared_ptr<Request>> watchers;
  uint32_t notify_size = 0;  ///< bytes that the client takes at once
  uint32_t notify_filter = 0;
  bool notify_tree = false;
  std::deque<StreamNews> stream_news;

  Open();
  ~Open();
  std::shared_ptr<Link> link_now() const {
    std::lock_guard lock(m);
    return link.lock();
  }
  std::shared_ptr<Session> session_now() const {
    std::lock_guard lock(m);
    return session.lock();
  }
  bool may(uint32_t rights) const { return (access & rights) == rights; }
  bool may_some(uint32_t rights) const { return (access & rights) != 0; }
  RangeLocks& range_locks() const;
};
/// Whether it is of a file's bytes, or of a stream's.
inline bool has_data(const Open& open) { return open.stream || (open.file && !open.file->directory && !open.reparse); }

/// What clients have open. Any thread.
class FileTable {
 public:
  /// The file of a node, with one open more. The caller gives one lookup of `node`, and of `parent` if there is one,
  /// which the table keeps or gives back.
  std::shared_ptr<OpenedFile> open(Server& server, NodeId node, bool directory, NodeId parent, std::string_view name,
                                   std::string_view path);
  /// Whether what is to be deleted has that name.
  bool is_going(NodeId node, NodeId parent, const std::string& name) const;
  /// Whether somebody has it open, by whatever name.
  bool is_open(NodeId node) const;
  /// One open less. True: it was the last one.
  bool close(OpenedFile& file);
  /// After a rename, with the file's naming_m held; what is below a directory moves along. Answers the directory it was
  /// in, whose lookup is the caller's from now on.
  NodeId renamed(OpenedFile& file, NodeId parent, const std::string& name, const std::string& path);
  /// Whether anything is open below a directory.
  bool any_below(const std::string& path) const;

  void add(const std::shared_ptr<Open>& open);
  std::shared_ptr<Open> find(const smb2::FileId& id) const;
  std::shared_ptr<Open> find(HandleId handle) const;
  /// Gives `by` the id of `open`, which nobody finds from then on. False: it has ended.
  bool replace(const Open& open, const std::shared_ptr<Open>& by);
  /// False: somebody else removes it. Breaks find it by its handle still.
  bool remove(const Open& open);
  /// The handle has been released.
  void forget_handle(const Open& open);
  std::vector<std::shared_ptr<Open>> with(const std::function<bool(const Open&)>& wanted) const;
  std::vector<std::shared_ptr<Open>> of_session(uint64_t session_id, std::optional<uint32_t> tree = {}) const;
  std::vector<std::shared_ptr<Open>> of_file(const OpenedFile& file) const;

 private:
  mutable std::mutex m_;                                 // taken before OpenedFile::m
  using Name = std::tuple<NodeId, NodeId, std::string>;  // node, parent, name
  std::map<Name, std::shared_ptr<OpenedFile>> files_;
  std::unordered_map<uint64_t, std::shared_ptr<Open>> opens_;
  std::unordered_map<HandleId, std::shared_ptr<Open>> by_handle_;
  uint64_t next_ = 1;
};

/// The open belongs to the request's session from now on, or to none any more.
void attach(Open& open, const Request& r);
void detach(Open& open);
/// Opens something in the volume as `open` says, to ask whoever has it open otherwise, and closes it again.
Status open_and_release(FileSystem& fs, const Context& ctx, const op::Open& open, const std::function<void()>& slow);
/// Waits until others have closed what they have open of a node by handle leases alone, as its name is to go. With no
/// mutex held: they do so meanwhile. `slow`: runs if that takes its time.
void have_closed(Server& server, const Context& ctx, NodeId node, const std::function<void()>& slow);
/// The name of a file is going to go: handle leases of others, of its streams too, do already. Nobody waits. `through`:
/// the handle that it is open by; none: it is not.
void tell_going(Server& server, const Context& ctx, NodeId node, HandleId through);
/// What waits for the open, or goes on with it, ends.
void end_waiting(Server& server, Open& open);
/// Ends an open, once: its locks, lease and watch go, and the file too if it is to be deleted and this was the last.
void close_open(Server& server, const std::shared_ptr<Open>& open);
/// Goes on with `by`, which has the same id, where `open` was. False: it has ended, and `by` is still the caller's.
bool replace_open(Server& server, const std::shared_ptr<Open>& open, const std::shared_ptr<Open>& by);

}  // namespace isthmus::smb
