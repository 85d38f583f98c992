#pragma once
#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "fs/ftp/answer.h"
#include "fs/ftp/connections.h"
#include "vfs/types.h"

/// What FtpFs knows. All of it is guarded by FtpFs::m_, but for what says otherwise.
namespace isthmus::fs::ftp {

/// Who lists a folder, or makes a file, wants to know what is there now, not what was a while ago.
inline constexpr uint32_t kListedMs = 2'000;

/// Goes on with something, without the lock; Errno{}: it went well.
using Then = std::function<void(Errno)>;

/// A server in use.
struct Site {
  Site(std::shared_ptr<Server> s, const FtpOptions& o)
      : server(std::move(s)), connections(server, o.connections, o.idle_ms) {}
  const std::shared_ptr<Server> server;
  Connections connections;
  std::string top;  ///< what the tree shows: absolute, without a slash at the end; set before the first node
};

/// What was written and is not, or not all, on the server yet: in a file without a name, on this machine. Bytes below
/// `have_from` are not in it: they are as the server has them.
struct Draft {
  explicit Draft(Fd f) : spool(std::move(f)) {}
  bool dirty() const { return version != clean; }

  std::mutex io;  ///< one write at a time; taken before FtpFs::m_
  const Fd spool;
  uint64_t size = 0, have_from = 0;
  uint64_t synced = 0;              ///< the server's file, as far as it is this one
  bool exists = false;              ///< the server has the name
  bool overwritten = false;         ///< something below `synced` or `sent` has changed: appending will not do
  uint64_t version = 0, clean = 0;  ///< counts changes; the one that the server has
  uint64_t failed = 0;              ///< the version that could not be uploaded, and was told of
  Time mtime;
  std::optional<Time> want_time;
  std::optional<uint32_t> want_mode;
  bool dead = false;  ///< its name is gone: it is never uploaded

  // An upload under way, or the last one that broke.
  bool uploading = false;
  bool in_order = true;  ///< written from front to back, as far as is known
  uint64_t sent = 0;     ///< handed to the connection, or about to be
  bool stale = false;    ///< something below `sent` has changed
  bool at_end = false;   ///< all has been sent, up to `end`, which is version `end_version`
  bool late = false;     ///< `overwritten` since then
  uint64_t end = 0, end_version = 0;
  bool appending = false;    ///< it went behind the server's file, and broke: some of it may be there
  bool beside_done = false;  ///< the file beside is complete, and has only to be renamed
  std::string beside;        ///< its name
  Remote* remote = nullptr;
  std::vector<std::pair<uint64_t, Then>> waiting;  ///< for a version to be on the server
  std::vector<Then> slowed;                        ///< writers that are ahead of the connection

  bool fetching = false;
  std::vector<Then> fetched;  ///< wait for have_from to be 0
};

struct Node;

/// A file on its way from the server, read from front to back.
struct Stream {
  struct Waiting {
    Answer<op::Read> answer;
    uint64_t offset;
    size_t size;
  };
  uint64_t end() const { return begin + data.size() - head; }

  std::shared_ptr<Node> node;
  uint64_t begin = 0;  ///< where what is kept begins in the file
  std::string data;    ///< behind `head`
  size_t head = 0;
  uint64_t high = 0;  ///< to where it was asked for
  bool running = false, dropped = false, eof = false;
  Errno error{};
  std::optional<uint64_t> size;  ///< of the file that it began with
  std::optional<Time> modified;
  Remote* remote = nullptr;
  std::vector<Waiting> waiting;
  int64_t used_ns = 0;
};

struct Listing {
  std::map<std::string, Facts, std::less<>> names;
  int64_t at_ns = 0;
};

struct Node {
  NodeId id{};
  uint64_t ino = 0;
  std::shared_ptr<Node> parent;  ///< null: the root
  std::string name;
  std::shared_ptr<Site> site;  ///< null: the root of `ftp:`
  uint64_t lookups = 0;
  bool pinned = false;  ///< stays although nobody knows it
  bool gone = false;    ///< has no name any more
  std::string shadow;   ///< the path it was moved to, as it was open when it was removed
  Facts facts;
  int64_t known_ns = 0;  ///< when they were learnt

  // folders
  std::unordered_map<std::string, Node*> children;
  std::optional<Listing> listing;
  bool listing_now = false;
  std::map<std::string, std::optional<Facts>> changed;  ///< by us, since the listing under way began; none: removed
  std::vector<Then> listed;                             ///< wait for it
  std::set<std::string> hidden;                         ///< files of ours beside others

  // files
  std::shared_ptr<Draft> draft;
  uint32_t opens = 0, writers = 0;
  std::optional<uint64_t> opened_size;  ///< as the last open found it
  std::optional<Time> opened_time;

  bool is_folder() const { return facts.kind == Kind::folder; }
};
using NodePtr = std::shared_ptr<Node>;

struct Handle {
  NodePtr node;
  uint32_t flags = 0;
  bool writes = false;
  std::shared_ptr<Stream> stream;
  std::shared_ptr<const std::vector<Facts>> names;  ///< of a folder, since its reading began
};

}  // namespace isthmus::fs::ftp
