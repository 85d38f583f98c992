#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace isthmus::fs::ftp {

/// A server of FTP over files in memory, that does what tests tell it to: misbehave. On the loopback.
class TestServer {
 public:
  struct File {
    bool folder = false;
    std::string data{};
    std::string target{};  ///< of a link
    int64_t time = 1'700'000'000;
    uint32_t mode = 0644;
  };
  enum class Do : uint8_t {
    reply,   ///< `text` instead of doing it
    drop,    ///< the connection is closed, without an answer
    undone,  ///< it is done, but the connection closed without the answer
    hang,    ///< nothing more comes, until the server ends
    cut,     ///< after `bytes` of data both connections are closed
    stop,    ///< after `bytes` of data the data connection is closed, and `text` the answer
  };
  struct Fault {
    std::string verb;  ///< "STOR"
    Do what = Do::reply;
    std::string text{};
    size_t bytes = 0;
    int times = 1;
    std::string part{};  ///< of the argument
  };
  struct Options {
    bool machine_lists = true, set_time = true, chmod = true, append = true, restart = true, rename_over = true;
    bool dot_files = true;           ///< may be made
    bool dos = false;                ///< LIST as DOS does
    int64_t zone = 0;                ///< of LIST
    std::string user{}, password{};  ///< empty: anybody
    size_t most_sessions = 100;
  };

  TestServer() : TestServer(Options()) {}
  explicit TestServer(Options o, uint16_t port = 0);
  ~TestServer();

  uint16_t port() const { return port_; }
  void fail(Fault f);
  /// Cuts all connections.
  void drop_all();
  /// Commands that came, as they were.
  std::vector<std::string> commands();
  size_t count(const std::string& verb);
  size_t sessions();

  // ---- the tree ----
  void put(const std::string& path, std::string data);
  void make_folder(const std::string& path);
  void make_link(const std::string& path, std::string target);
  bool has(const std::string& path);
  std::string data(const std::string& path);
  File file(const std::string& path);
  std::vector<std::string> names(const std::string& folder);

 private:
  struct Session;
  void accept_all();
  void serve(Session& s);
  bool command(Session& s, const std::string& verb, const std::string& argument);
  bool transfer(Session& s, const std::string& verb, const std::string& argument);
  bool change(Session& s, const std::string& verb, const std::string& argument);
  std::string listing(const std::string& folder, bool machine, bool all);
  std::string facts(const File& f);
  const Fault* fault_of(const std::string& verb, const std::string& argument, Fault& room);
  bool say(Session& s, const std::string& text);
  Fd data_connection(Session& s);

  const Options options_;
  Fd listener_;
  uint16_t port_ = 0;
  std::thread acceptor_;
  std::mutex m_;  // guards what follows
  std::condition_variable ended_;
  bool stopping_ = false;
  std::map<std::string, File> files_;
  std::vector<Fault> faults_;
  std::vector<std::string> commands_;
  std::list<std::unique_ptr<Session>> sessions_;
};

}  // namespace isthmus::fs::ftp
