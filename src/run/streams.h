#pragma once
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "run/line.h"

namespace isthmus {

/// One connection of a StreamServer. One thread at a time, not always the same.
class Stream {
 public:
  enum class Next : uint8_t { read, write, close };

  virtual ~Stream() = default;
  /// The socket (non-blocking) has bytes, or room, or is at its end. Does what can be done without waiting for the
  /// peer; may wait for a file system.
  virtual Next ready() = 0;
  /// What is left to do after ready() that other threads need not wait for, as they may be in ready() again meanwhile.
  /// Runs on the same thread, once; owns what it uses.
  virtual std::function<void()> take_work() { return {}; }
  /// For how long the peer may leave us without a byte, or without taking one, before the connection ends. Asked after
  /// ready().
  virtual std::chrono::milliseconds patience() const = 0;
  /// Between requests: may be ended without a loss. Asked after ready().
  virtual bool idle() const = 0;
};

/// Accepts connections of a listening socket, and runs each one's requests on the threads of one line, where they were
/// read.
class StreamServer final : LineSource {
 public:
  /// Makes the connection of an accepted socket (non-blocking), which is open for as long as the stream lives; null:
  /// refused.
  using Accept = std::function<std::unique_ptr<Stream>(int socket)>;
  struct Options {
    Line::Options line;
    /// Above that the connection that has been idle longest is ended for the new one; without such the new one is
    /// refused.
    size_t max_connections = 1024;
  };

  /// `listener`: a listening stream socket.
  StreamServer(Fd listener, Accept accept, Options options);
  ~StreamServer() override;  ///< stop()

  Status start();
  /// Connections end after the request in hand, those that wait at once. Never on a thread of the server.
  void stop();
  size_t connections() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    Fd socket;
    std::unique_ptr<Stream> stream;
    bool busy = true;  // with the thread that has its event
    bool idle = false, ended = false;
    Clock::time_point since, until;
    std::list<std::unique_ptr<Connection>>::iterator place;
  };

  Got wait(unsigned thread) override;
  void run(unsigned thread) override;
  bool readable() override;

  void accept_some();
  void add(Fd socket);
  bool make_room_locked();
  void serve(Connection& c);
  void hand_back(Connection& c, Stream::Next next);
  void remove(Connection& c);
  void sweep();
  /// Tells of one event of `fd`, to one thread.
  bool arm(int fd, uint32_t events, void* who, bool first = false);
  void set_timer(bool on);

  Fd listener_, epoll_, timer_;
  Accept accept_;
  Options options_;
  std::vector<void*> got_;  // by thread: whose event it is
  // Leaf lock.
  mutable std::mutex m_;
  std::list<std::unique_ptr<Connection>> connections_;
  bool listener_paused_ = false;  // out of descriptors: tried again by the timer
  std::unique_ptr<Line> line_;
};

}  // namespace isthmus
