/// Open files and folders.
#include <algorithm>

#include "base/endian.h"
#include "doors/userfs/session.h"
#include "vfs/defaults.h"

namespace isthmus::userfs {

using Kind = OpenNumbers::Kind;
using wire::userfs::kMostData;
using wire::userfs::kReplyHeader;

template <>
void Session::serve<Opcode::open>(const RequestPtr& r, const packets::OpenRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  op::Open a;
  a.node = *of;
  a.flags = in.flags;
  a.share = in.share & 7;
  a.access = in.access & 7;
  a.kill_suidgid = (in.how & 1) != 0;
  ask_opened(r, a, Kind::file);
}

template <>
void Session::serve<Opcode::create>(const RequestPtr& r, const packets::CreateRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  op::Create a;
  a.dir = *dir;
  a.name = in.name.text;
  a.mode = in.mode;
  a.flags = in.flags;
  a.share = in.share & 7;
  a.access = in.access & 7;
  a.kill_suidgid = (in.how & 1) != 0;
  a.labels = labels_of(*r, in.labels);
  ask_created(r, a);
}

template <>
void Session::serve<Opcode::tmpfile>(const RequestPtr& r, const packets::TmpfileRequest& in) {
  const auto dir = node(in.dir);
  if (!dir) return fail(*r, dir.error());
  ask_created(r, op::Tmpfile{{}, *dir, in.mode, in.flags, labels_of(*r, in.labels)});
}

template <>
void Session::serve<Opcode::close>(const RequestPtr& r, const packets::CloseRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  opens_.take(in.fh);
  op::Release a;
  a.node = o->node;
  a.handle = o->handle;
  a.flags = in.flags;
  a.lock_owner = in.lock_owner;
  a.unlock_flock = (in.how & 1) != 0;
  a.delete_on_close = (in.how & 2) != 0;
  ask_unit(r, a);
}

template <>
void Session::serve<Opcode::read>(const RequestPtr& r, const packets::ReadRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  if (in.count > kMostData) return fail(*r, err(EINVAL));
  // The answer's own memory, behind its header and the count of bytes.
  constexpr size_t kHead = kReplyHeader + 4;
  r->answer.resize(kHead + in.count);
  op::Read a;
  a.node = o->node;
  a.handle = o->handle;
  a.offset = in.offset;
  a.size = in.count;
  a.into = std::as_writable_bytes(std::span(r->answer)).subspan(kHead);
  a.flags = in.flags;
  a.lock_owner = in.lock_owner;
  ask(r, a, [this, r](Buffer&& data) {
    const MutableBytes to = std::as_writable_bytes(std::span(r->answer)).subspan(kHead);
    const auto n = data.copy_to(to, to);
    if (!n) return fail(*r, n.error());
    std::string count;
    append_be<uint32_t>(count, static_cast<uint32_t>(*n));
    std::copy(count.begin(), count.end(), r->answer.begin() + kReplyHeader);
    r->answer.resize(kHead + *n);
    send(*r, Errno{}, r->answer, {});
  });
}

template <>
void Session::serve<Opcode::write>(const RequestPtr& r, const packets::WriteRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  r->data = Buffer::view(in.data);
  op::Write a;
  a.node = o->node;
  a.handle = o->handle;
  a.offset = in.offset;
  a.data = &r->data;
  a.append = (in.how & packets::kWriteAppend) != 0;
  a.through = (in.how & packets::kWriteThrough) != 0;
  a.from_cache = (in.how & packets::kWriteFromCache) != 0;
  a.kill_suidgid = (in.how & packets::kWriteKillSuid) != 0;
  a.flags = in.flags;
  a.lock_owner = in.lock_owner;
  ask(r, a, [this, r](size_t n) { answer(*r, packets::CountReply{static_cast<uint32_t>(n)}); });
}

template <>
void Session::serve<Opcode::copy>(const RequestPtr& r, const packets::CopyRequest& in) {
  const auto from = opened(in.from, in.from_fh), to = opened(in.to, in.to_fh);
  if (!from || !to) return fail(*r, from ? to.error() : from.error());
  op::CopyRange a;
  a.from = from->node;
  a.from_handle = from->handle;
  a.from_offset = in.from_offset;
  a.to = to->node;
  a.to_handle = to->handle;
  a.to_offset = in.to_offset;
  a.length = in.length;
  a.flags = in.flags;
  ask(r, a, [this, r](uint64_t n) { answer(*r, packets::NumberReply{n}); });
}

template <>
void Session::serve<Opcode::flush>(const RequestPtr& r, const packets::FlushRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask_unit(r, op::Flush{{}, o->node, o->handle, in.lock_owner});
}

template <>
void Session::serve<Opcode::fsync>(const RequestPtr& r, const packets::FsyncRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask_unit(r, op::Fsync{{}, o->node, o->handle, in.data_only != 0});
}

template <>
void Session::serve<Opcode::fallocate>(const RequestPtr& r, const packets::FallocateRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask_unit(r, op::Fallocate{{}, o->node, o->handle, static_cast<int>(in.mode), in.offset, in.length});
}

template <>
void Session::serve<Opcode::seek>(const RequestPtr& r, const packets::SeekRequest& in) {
  const auto o = opened(in.handle, in.fh);
  if (!o) return fail(*r, o.error());
  ask(r, op::SeekHole{{}, o->node, o->handle, in.offset, static_cast<int>(in.whence)},
      [this, r](uint64_t at) { answer(*r, packets::NumberReply{at}); });
}

template <>
void Session::serve<Opcode::opendir>(const RequestPtr& r, const packets::OpendirRequest& in) {
  const auto of = node(in.handle);
  if (!of) return fail(*r, of.error());
  ask_opened(r, op::OpenDir{{}, *of, in.flags}, Kind::folder);
}

template <>
void Session::serve<Opcode::closedir>(const RequestPtr& r, const packets::FhRequest& in) {
  const auto open = opens_.find(in.fh);
  const Kind kind = open && open->kind == Kind::query ? Kind::query : Kind::folder;
  const auto o = opened(in.handle, in.fh, kind);
  if (!o) return fail(*r, o.error());
  opens_.take(in.fh);
  ask_unit(r, op::ReleaseDir{{}, o->node, o->handle});
}

template <>
void Session::serve<Opcode::fsyncdir>(const RequestPtr& r, const packets::FsyncRequest& in) {
  const auto o = opened(in.handle, in.fh, Kind::folder);
  if (!o) return fail(*r, o.error());
  ask_unit(r, op::FsyncDir{{}, o->node, o->handle, in.data_only != 0});
}

/// Encodes entries as they come.
class ListSink final : public DirSink {
 public:
  ListSink(Session& s, size_t most, bool plus)
      : session_(s), most_(std::min(most, kMostData)), plus_(plus), body_(kReplyHeader + 4, '\0') {}

  bool add(const DirEntry& e) override {
    packets::DirEntryPlus w;
    w.entry = {e.ino, e.cookie, e.type, e.name};
    const size_t before = body_.size();
    if (!plus_) {
      write(w.entry);
    } else if (!e.with) {
      write(w);
    } else {
      w.with = to_wire(*e.with);
      write(w);
      if (fits()) {
        // A number that does not fit: the name comes without it, and the lookup goes back.
        if (const auto entry = session_.give(*e.with)) w.with = *entry;
        body_.resize(before);
        write(w);
      }
    }
    if (!fits()) {
      body_.resize(before);
      return false;
    }
    count_++;
    return true;
  }
  size_t room() const override { return most_ - std::min(most_, body_.size() - kReplyHeader); }
  /// The packet, header missing.
  std::string& finish() {
    std::string count;
    append_be<uint32_t>(count, count_);
    std::copy(count.begin(), count.end(), body_.begin() + kReplyHeader);
    return body_;
  }

 private:
  template <class B>
  void write(const B& b) {
    packets::Encoder e(body_);
    e({}, b);
  }
  bool fits() const { return body_.size() - kReplyHeader <= most_; }
  Session& session_;
  const size_t most_;
  const bool plus_;
  std::string body_;
  uint32_t count_ = 0;
};

namespace {

/// A listing under way.
template <class T>
struct Listed final : Pending<T> {
  Listed(Session& s, size_t most, bool plus, std::function<void(Result<Unit>, ListSink&)> t)
      : sink(s, most, plus), then(std::move(t)) {}
  void answered(Result<Unit>&& result) noexcept override {
    then(result, sink);
    delete this;
  }
  ListSink sink;
  std::function<void(Result<Unit>, ListSink&)> then;
};

}  // namespace

void Session::list(RequestPtr r, const packets::ReaddirRequest& in, bool plus) {
  const auto o = opened(in.handle, in.fh, Kind::folder);
  if (!o) return fail(*r, o.error());
  auto* listed = new Listed<op::ReadDir>(*this, in.most, plus, [this, r](Result<Unit> result, ListSink& sink) {
    if (!result) return fail(*r, result.error());
    send(*r, Errno{}, sink.finish(), {});
  });
  listed->ctx = r->ctx;
  listed->args.node = o->node;
  listed->args.handle = o->handle;
  listed->args.cookie = in.offset;
  listed->args.with_attr = plus;
  listed->args.sink = &listed->sink;
  if (plus && !fs_.traits().dir_attr) return submit_read_dir_with_lookup(fs_, *listed);
  fs_.submit<op::ReadDir>(*listed);
}

template <>
void Session::serve<Opcode::readdir>(const RequestPtr& r, const packets::ReaddirRequest& in) {
  list(r, in, false);
}

template <>
void Session::serve<Opcode::readdirplus>(const RequestPtr& r, const packets::ReaddirRequest& in) {
  list(r, in, true);
}

template <>
void Session::serve<Opcode::openquery>(const RequestPtr& r, const packets::QueryRequest& in) {
  op::OpenQuery a;
  a.predicate = in.predicate;
  a.live = in.live != 0;
  ask_opened(r, a, Kind::query);
}

template <>
void Session::serve<Opcode::readquery>(const RequestPtr& r, const packets::ReadqueryRequest& in) {
  const auto o = opened(NodeNumbers::kRoot, in.fh, Kind::query);
  if (!o) return fail(*r, o.error());
  auto* listed = new Listed<op::ReadQuery>(*this, in.most, false, [this, r](Result<Unit> result, ListSink& sink) {
    if (!result) return fail(*r, result.error());
    send(*r, Errno{}, sink.finish(), {});
  });
  listed->ctx = r->ctx;
  listed->args.handle = o->handle;
  listed->args.sink = &listed->sink;
  fs_.submit<op::ReadQuery>(*listed);
}

}  // namespace isthmus::userfs
