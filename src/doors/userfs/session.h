#pragma once
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "doors/userfs/convert.h"
#include "doors/userfs/news.h"
#include "doors/userfs/tables.h"
#include "run/packets.h"
#include "vfs/filesystem.h"

namespace isthmus::userfs {

using wire::userfs::Opcode;

struct Options;
class Session;

/// A packet of the peer, until it is answered.
struct Request {
  Room room;  ///< the packet; what the operation's arguments view lies in it
  wire::userfs::Header header;
  Bytes body;
  packets::Cred cred;
  Context ctx;
  Cancel cancel;
  std::vector<op::Label> labels;
  Buffer data;
  std::string answer;  ///< begun, or room for the data of a read
};
using RequestPtr = std::shared_ptr<Request>;

/// One peer's session: what it asks, and what it knows of the file system. Any thread.
class Session {
 public:
  Session(FileSystem& fs, PacketWriter& out, const Options& options);

  News& news() { return news_; }
  /// Decides whether the packet in `r` belongs here, and remembers it. EPROTO: the session is over.
  Status begin(const RequestPtr& r, Bytes packet);
  /// Runs it. May block if the provider does.
  void run(const RequestPtr& r);
  /// By umount, or because nothing can be written any more.
  bool over() const { return over_.load(std::memory_order_acquire); }
  /// Nothing is written any more, so that nobody waits for a peer that does not read.
  void close() { over_.store(true, std::memory_order_release); }
  /// Cancels what runs, waits for it, and gives back all that the peer had.
  void end();

 private:
  template <Opcode O>
  using In = typename packets::Body<O>::Request;
  template <Opcode O>
  using Out = typename packets::Body<O>::Reply;

  /// Asks the file system, and runs `then(Reply&&)` with what it answers; an error is passed on.
  template <class T, class F>
  void ask(RequestPtr r, T args, F then);
  /// For operations that answer nothing.
  template <class T>
  void ask_unit(RequestPtr r, T args) {
    ask(r, std::move(args), [this, r](Unit) { answer(*r, packets::Empty{}); });
  }
  /// For those that answer with an Entry.
  template <class T>
  void ask_entry(RequestPtr r, T args);
  template <class T>
  void ask_created(RequestPtr r, T args);
  template <class T>
  void ask_opened(RequestPtr r, T args, OpenNumbers::Kind kind);
  void list(RequestPtr r, const packets::ReaddirRequest& in, bool plus);
  template <class B>
  void answer(Request& r, const B& body);
  void fail(Request& r, Errno e);
  void send(Request& r, Errno e, std::string& packet, Bytes tail);
  void write(std::array<iovec, 2> parts);
  void one_less();

  template <Opcode O>
  void serve(const RequestPtr& r, const In<O>& in);
  template <Opcode O>
  void decode_and_serve(const RequestPtr& r);
  void mount(const RequestPtr& r);
  bool has(Op op) const { return fs_.capabilities().has(op); }
  bool supports(Opcode op) const;

  /// ESTALE if it is none that was given.
  Result<NodeId> node(uint32_t handle) const;
  struct Opened {
    NodeId node;
    HandleId handle = HandleId::none;
    uint32_t flags = 0;
  };
  /// The same with an open file of this kind, or fh 0. EBADF if it is not open, or another file's.
  Result<Opened> opened(uint32_t handle, uint32_t fh, OpenNumbers::Kind kind = OpenNumbers::Kind::file) const;
  /// Gives the node; nothing if its number does not fit: the lookup is given back.
  std::optional<packets::Entry> give(const Entry& e);
  template <class T>
  void give_back(T args);
  void forget_node(NodeId node, uint64_t count);
  void release(const OpenNumbers::Open& open);
  std::span<const op::Label> labels_of(Request& r, const std::vector<packets::Label>& labels);

  friend class ListSink;
  FileSystem& fs_;
  PacketWriter& out_;
  const Options& options_;
  NodeNumbers nodes_;
  OpenNumbers opens_;
  News news_;
  std::atomic<bool> mounted_{false}, over_{false}, broken_{false};
  std::mutex write_m_;  // whole packets; a leaf
  std::mutex m_;        // guards what follows; a leaf
  std::unordered_map<uint32_t, RequestPtr> running_;
  unsigned busy_ = 0;  ///< answers being written, and what is given back
  std::condition_variable nothing_left_;
};

// One for each operation, in ops_*.cpp.
#define X(number, name, Req, Rep, what, otherwise) \
  template <>                                      \
  void Session::serve<Opcode::name>(const RequestPtr& r, const In<Opcode::name>& in);
#include "wire/userfs/packets.def"
#undef X

template <class T, class F>
void Session::ask(RequestPtr r, T args, F then) {
  struct Asked final : Pending<T> {
    Asked(Session& s, RequestPtr r_, F f) : session(s), request(std::move(r_)), then(std::move(f)) {}
    void answered(Result<typename T::Reply>&& result) noexcept override {
      // What the operation's arguments view must live as long as this.
      if (result)
        then(std::move(*result));
      else
        session.fail(*request, result.error());
      delete this;
    }
    Session& session;
    const RequestPtr request;
    F then;
  };
  auto* asked = new Asked(*this, std::move(r), std::move(then));
  asked->ctx = asked->request->ctx;
  asked->args = std::move(args);
  fs_.submit<T>(*asked);
}

template <class B>
void Session::answer(Request& r, const B& body) {
  std::string packet(wire::userfs::kReplyHeader, '\0');
  packets::Encoder e(packet);
  B::fields(e, body);
  send(r, Errno{}, packet, e.tail());
}

template <class T>
void Session::ask_entry(RequestPtr r, T args) {
  ask(r, std::move(args), [this, r](Entry&& e) {
    if (e.node == NodeId::none) {  // of lookup alone
      packets::EntryReply none;
      none.entry.name_ms = e.entry_ttl;
      return answer(*r, none);
    }
    auto entry = give(e);
    if (!entry) return fail(*r, err(EOVERFLOW));
    answer(*r, packets::EntryReply{*entry});
  });
}

template <class T>
void Session::ask_created(RequestPtr r, T args) {
  const uint32_t flags = args.flags;
  ask(r, std::move(args), [this, r, flags](Created&& c) {
    auto entry = give(c.entry);
    const OpenNumbers::Open open{c.opened.handle, c.entry.node, OpenNumbers::Kind::file, flags};
    if (!entry) {
      release(open);
      return fail(*r, err(EOVERFLOW));
    }
    const bool keeps = c.opened.handle != HandleId::none || has(Op::Open) || has(T::id);
    answer(*r, packets::CreateReply{*entry, {keeps ? opens_.add(open) : 0, opened_to_wire(c.opened.flags)}});
  });
}

template <class T>
void Session::ask_opened(RequestPtr r, T args, OpenNumbers::Kind kind) {
  NodeId node = NodeId::root;
  uint32_t flags = 0;
  if constexpr (T::id != Op::OpenQuery) {
    node = args.node;
    flags = args.flags;
  }
  ask(r, std::move(args), [this, r, node, flags, kind](isthmus::Opened&& o) {
    // A number of the provider may be 0, too.
    const bool keeps = o.handle != HandleId::none || has(T::id);
    const uint32_t fh = keeps ? opens_.add({o.handle, node, kind, flags}) : 0;
    answer(*r, packets::Opened{fh, opened_to_wire(o.flags)});
  });
}

}  // namespace isthmus::userfs
