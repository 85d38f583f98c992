#include "doors/userfs/session.h"

#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "doors/userfs/userfs_door.h"
#include "vfs/then.h"
#include "wire/userfs/print.h"

namespace isthmus::userfs {

using wire::userfs::kReplyHeader;
using wire::userfs::PacketType;

namespace {

constexpr uint64_t kClient = 1;  // the only one of this door

template <Opcode O, class In>
bool changes(const In& in) {
  switch (O) {
    case Opcode::notify_change:
    case Opcode::write:
    case Opcode::create:
    case Opcode::mkdir:
    case Opcode::mknod:
    case Opcode::symlink:
    case Opcode::link:
    case Opcode::unlink:
    case Opcode::rmdir:
    case Opcode::rename:
    case Opcode::setxattr:
    case Opcode::removexattr:
    case Opcode::tmpfile:
    case Opcode::copy:
    case Opcode::fallocate:
    case Opcode::setreparse:
    case Opcode::setacl:
      return true;
    default:
      break;
  }
  if constexpr (O == Opcode::open) return (in.flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY;
  return false;
}

/// A codec that looks for names that only lookup may have.
class DotsFinder {
 public:
  void operator()(std::string_view, const packets::Name& name, std::string_view = {}) {
    found |= name.text == "." || name.text == "..";
  }
  template <class T>
  void operator()(std::string_view, const T&, std::string_view = {}) {}
  bool found = false;
};
template <class In>
bool names_dots(const In& in) {
  DotsFinder finder;
  In::fields(finder, in);
  return finder.found;
}

}  // namespace

Session::Session(FileSystem& fs, PacketWriter& out, const Options& options)
    : fs_(fs),
      out_(out),
      options_(options),
      nodes_(options.lasting_handles),
      news_(nodes_, opens_, [this](uint32_t sequence, const packets::NewsReply& reply) {
        RequestPtr r;
        {
          std::lock_guard lock(m_);
          if (const auto found = running_.find(sequence); found != running_.end()) r = found->second;
        }
        if (r) answer(*r, reply);
      }) {}

Status Session::begin(const RequestPtr& r, Bytes packet) {
  auto header = wire::userfs::read_header(packet);
  if (!header || header->type == PacketType::reply) return err(EPROTO);
  r->header = *header;
  r->body = packet.subspan(header->length());
  if (header->op != Opcode::mount &&
      (header->version != wire::userfs::kVersion || !mounted_.load(std::memory_order_acquire)))
    return err(EPROTO);
  r->ctx.id = header->sequence;
  r->ctx.door = DoorKind::userfs;
  r->ctx.client = kClient;
  r->ctx.cancel = &r->cancel;
  if (log_enabled(LogLevel::debug)) log(LogLevel::debug, "userfs: {}", wire::userfs::print(r->header, r->body));
  std::lock_guard lock(m_);
  return running_.emplace(header->sequence, r).second ? Status(Unit{}) : Status(err(EPROTO));
}

void Session::run(const RequestPtr& r) {
  const auto& h = r->header;
  if (h.type == PacketType::enquiry) {
    if (supports(h.op)) return answer(*r, packets::Empty{});
    return fail(*r, err(ENOSYS));
  }
  if (h.op == Opcode::mount) return mount(r);
  switch (h.op) {
#define X(number, name, Req, Rep, what, otherwise) \
  case Opcode::name:                               \
    return decode_and_serve<Opcode::name>(r);
#include "wire/userfs/packets.def"
#undef X
  }
  fail(*r, err(ENOSYS));
}

template <Opcode O>
void Session::decode_and_serve(const RequestPtr& r) {
  In<O> in;
  packets::Decoder d(r->body);
  d({}, r->cred);
  d({}, in);
  if (!d.done() || (O != Opcode::lookup && names_dots(in))) return fail(*r, err(EINVAL));
  const auto& w = r->cred;
  Context& ctx = r->ctx;
  ctx.cred.known = (w.flags & packets::kCredKnown) != 0;
  ctx.cred.uid = w.uid;
  ctx.cred.gid = w.gid;
  ctx.cred.pid = w.pid;
  ctx.cred.umask = w.umask & 0777;
  ctx.cred.groups = w.groups;
  ctx.cred.groups_known = (w.flags & packets::kCredGroupsKnown) != 0;
  ctx.access_checked = (w.flags & packets::kCredAccessChecked) != 0;
  ctx.umask_pending = (w.flags & packets::kCredUmaskPending) != 0;
  ctx.client_times = (w.flags & packets::kCredClientTimes) != 0;
  if (options_.read_only && changes<O>(in)) return fail(*r, err(EROFS));
  serve<O>(r, in);
}

void Session::mount(const RequestPtr& r) {
  if (r->header.version != wire::userfs::kVersion) return fail(*r, err(EPROTONOSUPPORT));
  if (!wire::userfs::read_body<packets::MountRequest>(r->body)) return fail(*r, err(EINVAL));
  if (mounted_.exchange(true)) return fail(*r, err(EBUSY));
  answer(*r, packets::MountReply{NodeNumbers::kRoot});
}

void Session::fail(Request& r, Errno e) {
  std::string packet(kReplyHeader, '\0');
  send(r, e, packet, {});
}

/// `packet` has room for the header in front.
void Session::send(Request& r, Errno e, std::string& packet, Bytes tail) {
  packets::Header h = r.header;
  h.type = PacketType::reply;
  h.version = wire::userfs::kVersion;
  h.error = static_cast<uint32_t>(e);
  h.size = static_cast<uint32_t>(packet.size() - kReplyHeader + tail.size());
  std::string head;
  append_header(head, h);
  std::copy(head.begin(), head.end(), packet.begin());
  if (log_enabled(LogLevel::debug)) {
    const std::string whole = packet.substr(kReplyHeader) + std::string(as_text(tail));
    log(LogLevel::debug, "userfs: {}", wire::userfs::print(h, as_bytes(whole)));
  }
  {
    // Before the peer may use the number again.
    std::lock_guard lock(m_);
    running_.erase(r.header.sequence);
    busy_++;
  }
  write({iovec{packet.data(), packet.size()}, iovec{const_cast<std::byte*>(tail.data()), tail.size()}});
  one_less();
}

/// All of it, whatever else is written.
void Session::write(std::array<iovec, 2> parts) {
  std::lock_guard lock(write_m_);
  for (auto left = std::span<iovec>(parts); !left.empty() && !broken_.load(std::memory_order_relaxed);) {
    if (left[0].iov_len == 0) {
      left = left.subspan(1);
      continue;
    }
    const auto n = out_.write_some(left, true);
    if (!n && n.error() == err(EINTR) && !over()) continue;
    if (!n) {
      // Half a packet may be out: nothing can follow it.
      broken_.store(true);
      over_.store(true, std::memory_order_release);
      break;
    }
    for (size_t done = *n; done > 0;) {
      const size_t piece = std::min(done, left[0].iov_len);
      left[0].iov_base = static_cast<std::byte*>(left[0].iov_base) + piece;
      left[0].iov_len -= piece;
      done -= piece;
      if (left[0].iov_len == 0) left = left.subspan(1);
    }
  }
}

void Session::one_less() {
  std::lock_guard lock(m_);
  if (--busy_ == 0) nothing_left_.notify_all();
}

void Session::end() {
  over_.store(true, std::memory_order_release);
  if (const uint32_t sequence = news_.close()) {
    std::lock_guard lock(m_);
    running_.erase(sequence);
  }
  std::vector<RequestPtr> running;
  {
    std::lock_guard lock(m_);
    for (auto& [sequence, r] : running_) running.push_back(r);
  }
  for (auto& r : running) r->cancel.request();
  const auto wait = [this] {
    std::unique_lock lock(m_);
    nothing_left_.wait(lock, [this] { return running_.empty() && busy_ == 0; });
  };
  wait();
  for (const uint32_t fh : opens_.all())
    if (const auto open = opens_.take(fh)) release(*open);
  for (const uint32_t handle : nodes_.all()) {
    const auto taken = nodes_.take(handle, UINT64_MAX);
    forget_node(taken.node, taken.lookups);
  }
  wait();
}

Result<NodeId> Session::node(uint32_t handle) const {
  const NodeId found = nodes_.node_of(handle);
  return found == NodeId::none ? Result<NodeId>(err(ESTALE)) : Result<NodeId>(found);
}

Result<Session::Opened> Session::opened(uint32_t handle, uint32_t fh, OpenNumbers::Kind kind) const {
  const auto of = node(handle);
  if (!of) return of.error();
  if (fh == 0) return Opened{*of};
  const auto open = opens_.find(fh);
  if (!open || open->kind != kind || open->node != *of) return err(EBADF);
  return Opened{*of, open->handle, open->flags};
}

std::optional<packets::Entry> Session::give(const Entry& e) {
  const auto handle = nodes_.give(e.node);
  if (!handle) {
    forget_node(e.node, 1);
    return std::nullopt;
  }
  packets::Entry entry = to_wire(e);
  entry.handle = *handle;
  return entry;
}

template <class T>
void Session::give_back(T args) {
  Context ctx;
  ctx.door = DoorKind::userfs;
  ctx.client = kClient;
  {
    std::lock_guard lock(m_);
    busy_++;
  }
  call_then(fs_, ctx, std::move(args), [this](Result<typename T::Reply>) { one_less(); });
}

void Session::forget_node(NodeId node, uint64_t count) {
  if (count > 0) give_back(op::Forget{{}, node, count});
}

void Session::release(const OpenNumbers::Open& open) {
  switch (open.kind) {
    case OpenNumbers::Kind::file: {
      op::Release a;
      a.node = open.node;
      a.handle = open.handle;
      a.flags = open.flags;
      return give_back(a);
    }
    case OpenNumbers::Kind::folder:
    case OpenNumbers::Kind::query:
      return give_back(op::ReleaseDir{{}, open.node, open.handle});
    case OpenNumbers::Kind::watch:
      return give_back(op::Unwatch{{}, open.handle});
  }
}

std::span<const op::Label> Session::labels_of(Request& r, const std::vector<packets::Label>& labels) {
  for (auto& l : labels) r.labels.push_back({l.name, as_bytes(l.value)});
  return r.labels;
}

}  // namespace isthmus::userfs
