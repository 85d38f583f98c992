#pragma once
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "providers/userfs_host/userfs_host.h"
#include "vfs/sync.h"

/// The other end of a session, for tests: answers what a mount asks, and anything else as the test says.
namespace isthmus::userfs_host {

using wire::userfs::Header;
using wire::userfs::PacketType;

inline packets::Attr test_attr(uint32_t mode = S_IFREG | 0644) {
  packets::Attr a;
  a.ino = 7;
  a.mode = mode;
  a.size = 3;
  return a;
}

template <class B>
std::string encode(const B& b) {
  std::string to;
  packets::Encoder e(to);
  B::fields(e, b);
  return to + std::string(as_text(e.tail()));
}

inline std::string reply_to(const Header& h, const std::string& body, int error = 0,
                            uint32_t version = wire::userfs::kVersion) {
  std::string to;
  wire::userfs::append_header(to, {.sequence = h.sequence,
                                   .op = h.op,
                                   .type = PacketType::reply,
                                   .size = static_cast<uint32_t>(body.size()),
                                   .version = version,
                                   .error = static_cast<uint32_t>(error)});
  return to + body;
}

class TestPeer {
 public:
  struct Asked {
    Header header;
    std::string body;  ///< behind who asks
    template <class B>
    B as() const {
      auto b = packets::read_body<B>(as_bytes(body));
      EXPECT_TRUE(b);
      return b ? *b : B{};
    }
  };
  /// What to send, in answer to a request; nothing: nothing.
  using Answer = std::function<std::string(const Asked&)>;

  explicit TestPeer(std::set<Opcode> supported, Answer answer)
      : supported_(std::move(supported)), answer_(std::move(answer)) {}
  ~TestPeer() { hang_up(); }

  /// A new session, over a new socket: what the host gets.
  Peer open() {
    hang_up();
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    {
      std::lock_guard lock(socket_m_);
      socket_.reset(ends[0]);
    }
    opened++;
    thread_ = std::thread([this] { run(); });
    Peer peer;
    peer.in.reset(ends[1]);
    peer.out.reset(dup(ends[1]));
    return peer;
  }
  Options options() {
    Options o;
    o.name = "test";
    o.open = [this]() -> Expected<Peer> { return open(); };
    o.mount_timeout_ms = 60'000;
    return o;
  }
  void send(const std::string& bytes) {
    std::lock_guard lock(socket_m_);
    EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// As a process that ends.
  void hang_up() {
    die();
    if (thread_.joinable()) thread_.join();
    std::lock_guard lock(socket_m_);
    socket_.reset();
  }
  /// The same from the thread that answers.
  void die() {
    std::lock_guard lock(socket_m_);
    if (socket_) shutdown(socket_.get(), SHUT_RDWR);
  }
  /// Waits until a request of this kind has come, and takes it out.
  Asked wait_for(Opcode op) {
    std::unique_lock lock(m_);
    for (;;) {
      for (auto i = asked_.begin(); i != asked_.end(); ++i)
        if (i->header.op == op) {
          Asked found = *i;
          asked_.erase(i);
          return found;
        }
      if (!come_.wait_for(lock, std::chrono::seconds(60), [this] { return std::exchange(new_, false); })) {
        ADD_FAILURE() << name_of(op) << " was not asked";
        return {};
      }
    }
  }
  size_t count(Opcode op) {
    std::lock_guard lock(m_);
    return counts_[op];
  }

  std::atomic<int> opened{0};
  std::atomic<bool> silent{false};  ///< nothing at all is answered
  std::atomic<bool> deaf{false};    ///< nothing more is read
  packets::TermsReply terms;
  uint32_t version = wire::userfs::kVersion;
  int mount_error = 0;
  uint32_t root_mode = S_IFDIR | 0755;

 private:
  bool read(std::string& to, size_t n) const {
    to.resize(n);
    for (size_t at = 0; at < n;) {
      const ssize_t got = recv(socket_.get(), to.data() + at, n - at, 0);
      if (got <= 0) return false;
      at += static_cast<size_t>(got);
    }
    return true;
  }
  void run() {
    std::string head;
    while (read(head, wire::userfs::kHeader)) {
      const auto h = wire::userfs::read_header(as_bytes(head));
      EXPECT_TRUE(h);
      if (!h) return;
      Asked asked{*h, {}};
      if (!read(asked.body, h->size)) return;
      if (silent) continue;
      if (deaf) return;
      if (const std::string bytes = answer(asked); !bytes.empty())
        static_cast<void>(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
  }
  std::string answer(Asked& asked) {
    const Header& h = asked.header;
    if (h.op == Opcode::mount)
      return reply_to(h, mount_error || version != wire::userfs::kVersion ? "" : encode(packets::MountReply{1}),
                      version != wire::userfs::kVersion ? EPROTONOSUPPORT : mount_error, version);
    if (h.type == PacketType::enquiry) {
      const bool yes = supported_.contains(h.op) || h.op == Opcode::iread || h.op == Opcode::terms;
      return reply_to(h, "", yes ? 0 : ENOSYS);
    }
    packets::Cred cred;
    packets::Decoder d(as_bytes(asked.body));
    d({}, cred);
    asked.body.erase(0, 24 + 4 * cred.groups.size());
    {
      std::lock_guard lock(m_);
      asked_.push_back(asked);
      counts_[h.op]++;
      new_ = true;
      come_.notify_all();
    }
    if (h.op == Opcode::terms) return reply_to(h, encode(terms));
    if (h.op == Opcode::iread && asked.as<packets::IreadRequest>().handle == 1)
      return reply_to(h, encode(packets::AttrReply{test_attr(root_mode), 0}));
    return answer_ ? answer_(asked) : "";
  }

  const std::set<Opcode> supported_;
  const Answer answer_;
  std::mutex socket_m_;  // of socket_, but for thread_, as long as which it stays
  Fd socket_;
  std::thread thread_;
  std::mutex m_;
  std::condition_variable come_;
  bool new_ = false;
  std::deque<Asked> asked_;
  std::map<Opcode, size_t> counts_;
};

/// A mounted host, stopped at the end.
class Mounted {
 public:
  Mounted(TestPeer& peer, Options options) {
    auto made = UserfsHost::connect(std::move(options), nullptr);
    EXPECT_TRUE(made) << (made ? "" : made.problem().text());
    static_cast<void>(peer);
    host = std::move(*made);
    EXPECT_TRUE(host->start(news));
  }
  explicit Mounted(TestPeer& peer) : Mounted(peer, peer.options()) {}
  ~Mounted() { host->stop(); }
  template <class T>
  Result<typename T::Reply> call(T args, Cancel* cancel = nullptr) {
    Context ctx;
    ctx.cancel = cancel;
    return call_and_wait(*host, std::move(args), ctx);
  }
  Result<Entry> lookup(std::string_view name) { return call(op::Lookup{{}, NodeId::root, name}); }

  struct News final : Upcalls {
    void invalidate_entry(NodeId dir, std::string_view name) override {
      add("entry " + std::to_string(raw(dir)) + " " + std::string(name));
    }
    void invalidate_attr(NodeId node) override { add("attr " + std::to_string(raw(node))); }
    void invalidate_all_names() override { add("all"); }
    void add(std::string text) {
      std::lock_guard lock(m);
      heard.push_back(std::move(text));
      come.notify_all();
    }
    bool wait_for(const std::string& text) {
      std::unique_lock lock(m);
      return come.wait_for(lock, std::chrono::seconds(60),
                           [&] { return std::find(heard.begin(), heard.end(), text) != heard.end(); });
    }
    std::mutex m;
    std::condition_variable come;
    std::vector<std::string> heard;
  } news;
  std::unique_ptr<UserfsHost> host;
};

/// An operation that nobody has waited for yet.
template <class T>
class Later final : public Pending<T> {
 public:
  Later(UserfsHost& host, T what, Cancel* cancel = nullptr) {
    this->args = std::move(what);
    this->ctx.cancel = cancel;
    host.submit<T>(*this);
  }
  void answered(Result<typename T::Reply>&& r) noexcept override {
    std::lock_guard lock(m_);
    result_.emplace(std::move(r));
    come_.notify_all();
  }
  int wait() {
    std::unique_lock lock(m_);
    EXPECT_TRUE(come_.wait_for(lock, std::chrono::seconds(60), [this] { return result_.has_value(); }));
    return result_ ? result_->code() : -1;
  }
  bool done() {
    std::lock_guard lock(m_);
    return result_.has_value();
  }

 private:
  std::mutex m_;
  std::condition_variable come_;
  std::optional<Result<typename T::Reply>> result_;
};

}  // namespace isthmus::userfs_host
