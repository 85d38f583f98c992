#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "fs/curl/session.h"
#include "fs/ftp/options.h"
#include "wire/ftp/listing.h"
#include "wire/ftp/replies.h"

namespace isthmus::fs::ftp {

using wire::ftp::Facts;
using wire::ftp::Kind;

/// One server as one user: how to reach it, and what was learnt of it. Shared by its connections.
struct Server {
  std::string name;  ///< as people named it, for messages
  std::string host;
  uint16_t port = 0;
  curl::Terms terms;
  bool active = false;
  bool anonymous = false;
  uint32_t max_entries = 0;

  /// What the first login shows; written once, before `known`.
  wire::ftp::Features features;
  std::string entry;  ///< where logins land: absolute, without a slash at the end ("" is the root)
  std::atomic<bool> known{false};

  // What servers do not say, and is found out by trying.
  enum class Hidden : uint8_t { untried, shown_by_a, as_it_is };
  std::atomic<Hidden> hidden{Hidden::untried};  ///< how LIST shows names with a dot
  std::atomic<bool> no_machine_lists{false}, no_chmod{false}, no_set_time{false}, no_append{false}, no_restart{false};
  static constexpr int64_t kNoZone = INT64_MIN;
  std::atomic<int64_t> zone{kNoZone};  ///< seconds by which times of LIST are late, where that is known
};

/// How a request went.
struct Said {
  Errno error{};         ///< Errno{}: well
  bool lost = false;     ///< the connection is gone: whether it was done is not known
  bool stopped = false;  ///< cut off from here
  bool vague = false;    ///< refused, and `error` is only a guess
  int code = 0;          ///< of the server's last reply
  std::string text{};    ///< and its text
  bool ok() const { return error == Errno{}; }
};

/// A connection to a server, and the requests that go over it, each until it is answered. One thread.
class Remote {
 public:
  /// For bytes that come: took them, or cannot take them now, or wants no more.
  enum class Taken : uint8_t { all, none, enough };
  using Sink = std::function<Taken(Bytes)>;
  /// Bytes that are to go: fills `to` and answers how many. 0: the end. kWait: none yet. kStop: it has become useless.
  static constexpr size_t kWait = SIZE_MAX, kStop = SIZE_MAX - 1;
  using Source = std::function<size_t(MutableBytes to)>;

  explicit Remote(Server& server) : server_(server) {}

  /// Logs in, and learns what the server can do. patient: a server that takes no more connections may not have noticed
  /// yet that our last one has ended, and is asked for a while.
  Said connect(bool patient = true);
  bool connected() const { return connected_; }
  /// The connection was made for the last request.
  bool fresh() const { return fresh_; }

  Said list(const std::string& path, std::vector<Facts>& out);
  /// Commands, each in its own round trip, until one fails; one that begins with '*' may. `done`: the replies, of
  /// the one that failed, too.
  Said command(const std::vector<std::string>& commands, std::vector<wire::ftp::Reply>* done = nullptr);
  /// What one path is. ENOENT if it is nothing.
  Said facts(const std::string& path, Facts& out);
  Said size(const std::string& path, uint64_t& out);
  /// EOPNOTSUPP, from then on without asking, where the server does not know how.
  Said set_mode(const std::string& path, uint32_t mode);
  Said set_time(const std::string& path, Time t);
  /// From `offset` to the end. Said::ok: all of it has been given to the sink.
  Said download(const std::string& path, uint64_t offset, const Sink& sink, const curl::Session::Hooks& hooks);
  /// A new file, or what comes behind the present end. Said::ok: the server has confirmed it.
  Said upload(const std::string& path, bool append, const Source& source, const curl::Session::Hooks& hooks);

  // ---- any thread ----
  void wake() { session_.wake(); }
  void abort() { session_.abort(); }
  bool aborted() const { return session_.aborted(); }

 private:
  Said log_in();
  CURL* prepare(const std::string& path, bool folder);
  Said finish(curl::Outcome o);
  Said run(const curl::Session::Hooks& hooks = {}) { return finish(session_.perform(hooks)); }
  Said list_once(const std::string& path, bool machine, bool all, std::vector<Facts>& out, bool& self);
  void find_zone(const std::string& path, const std::vector<Facts>& listed);

  Server& server_;
  curl::Session session_;
  std::string url_;
  bool connected_ = false, fresh_ = false;
  std::string last_listed_;  // where libcurl believes the connection to stand
  std::vector<std::string> lines_;
};

/// It takes no more connections.
bool too_many(const Said& said);

/// For the log: why a server cannot be used, and the next step. Without secrets.
std::string explain(const Server& server, const Said& said);

}  // namespace isthmus::fs::ftp
