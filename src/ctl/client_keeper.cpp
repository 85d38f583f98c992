#include "ctl/client_keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "run/helper.h"

namespace isthmus::ctl {
namespace {

constexpr size_t kMostText = 4096;

/// Both ends are the same program, so the layout needs no care.
struct Order {
  enum Kind : uint32_t { mount, unmount } kind = mount;
  fuse::UnmountHow how = fuse::UnmountHow::plain;
  char url[256] = {};
};
struct Word {
  uint32_t news = 0;
  int32_t code = 0;  // of mount(), 0 if it worked
  int32_t id = -1, pid = 0;
  uint32_t replaced = 0;
  char text[kMostText] = {};  // the folder, or what went wrong
};

void put(char* to, size_t room, const std::string& text) {
  const size_t n = std::min(text.size(), room - 1);
  memcpy(to, text.data(), n);
  to[n] = 0;
}

/// In the keeper's process.
class Keeping {
 public:
  Keeping(const ClientJob& job, int socket) : socket_(socket), client_(make_client(job)) {}
  ~Keeping() { client_->clear(); }

  void run() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);  // the client's daemon becomes our child
    Order order;
    if (receive_message(socket_, &order, sizeof order) != sizeof order || !mount(order)) return;
    bool there = true;
    while (true) {
      pollfd fds[] = {{socket_, POLLIN, 0}, client_->watch()};
      poll(fds, 2, kLookMs);
      if (fds[0].revents != 0) {
        if (receive_message(socket_, &order, sizeof order) != sizeof order) return;
        unmount(order.how);
      }
      const bool mounted = client_->mounted(), running = client_->running();
      if (mounted && !running) return say(ClientKeeper::News::crashed);
      if (there && !mounted) tell(ClientKeeper::News::unmounted);
      there = mounted;
      if (!there && !running) return say(ClientKeeper::News::ended);
    }
  }

 private:
  static constexpr int kLookMs = 250;

  bool mount(const Order& order) {
    auto made = client_->mount(order.url);
    Word w;
    if (made) {
      w.id = made->id;
      w.pid = made->pid;
      w.replaced = made->replaced;
      put(w.text, sizeof w.text, made->folder);
    } else {
      w.code = static_cast<int32_t>(made.problem().code);
      put(w.text, sizeof w.text, made.problem().text());
    }
    send_word(w);
    return static_cast<bool>(made);
  }
  void unmount(fuse::UnmountHow how) {
    if (Status done = client_->unmount(how); !done)
      tell(done.error() == err(EBUSY) ? ClientKeeper::News::busy : ClientKeeper::News::not_possible);
  }
  void tell(ClientKeeper::News news) {
    Word w;
    w.news = static_cast<uint32_t>(news);
    send_word(w);
  }
  /// When everything is in order again.
  void say(ClientKeeper::News news) {
    client_->clear();
    tell(news);
  }
  void send_word(const Word& w) { static_cast<void>(send(socket_, &w, sizeof w, MSG_NOSIGNAL)); }

  const int socket_;
  const std::unique_ptr<Client> client_;
};

}  // namespace

Expected<ClientKeeper> ClientKeeper::start(const ClientJob& job) {
  auto socket = start_helper("isthmus-client", [&](int fd) { Keeping(job, fd).run(); });
  if (!socket) return socket.problem();
  return ClientKeeper(job, std::move(*socket));
}

ClientKeeper::~ClientKeeper() {
  if (!socket_) return;  // moved from
  shutdown(socket_.get(), SHUT_WR);
  Word w;
  while (receive_message(socket_.get(), &w, sizeof w) > 0) {
  }
  spare_->clear();  // finds nothing to do, unless the keeper has been killed
}

Expected<ClientMount> ClientKeeper::mount(const std::string& url) {
  Order o;
  put(o.url, sizeof o.url, url);
  Word w;
  if (send(socket_.get(), &o, sizeof o, MSG_NOSIGNAL) != sizeof o ||
      receive_message(socket_.get(), &w, sizeof w) != sizeof w)
    return Problem{err(ECHILD), "the process that has the client is gone", ""};
  w.text[sizeof w.text - 1] = 0;
  if (w.code != 0) return Problem{err(w.code), w.text, ""};
  ClientMount made{.folder = w.text, .id = w.id, .pid = w.pid, .replaced = w.replaced};
  spare_->adopt(made);  // now, while its process number is certain to be its own
  return made;
}

Status ClientKeeper::unmount(fuse::UnmountHow how) {
  Order o{.kind = Order::unmount, .how = how};
  return check(static_cast<int>(send(socket_.get(), &o, sizeof o, MSG_NOSIGNAL)));
}

ClientKeeper::News ClientKeeper::take() {
  Word w;
  if (receive_message(socket_.get(), &w, sizeof w) != sizeof w) return News::lost;
  return static_cast<News>(w.news);
}

}  // namespace isthmus::ctl
