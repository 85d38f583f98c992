#include "providers/fuse_host/fuse_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/fuse_host/ask.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

// What a daemon may have of a kernel without a page cache, splice or ioctls beyond the plain ones.
constexpr uint64_t kOffered = kInitAsyncRead | kInitPosixLocks | kInitFlockLocks | kInitAtomicOTrunc |
                              kInitExportSupport | kInitBigWrites | kInitDontMask | kInitHasIoctlDir |
                              kInitAutoInvalData | kInitDoReaddirplus | kInitReaddirplusAuto | kInitAsyncDio |
                              kInitNoOpenSupport | kInitNoOpendirSupport | kInitParallelDirops | kInitHandleKillpriv;
constexpr uint32_t kReadAhead = 128 << 10;

/// A name behind a struct of a notification.
std::string_view name_of(Bytes body, size_t at, uint32_t length) {
  if (length == 0 || body.size() < at || body.size() - at < length) return {};
  return as_text(body.subspan(at, length));
}

}  // namespace

Expected<std::unique_ptr<FuseHost>> FuseHost::connect(Fd device, Options options, const std::function<bool()>& stop) {
  std::unique_ptr<FuseHost> host(new FuseHost(std::move(device), std::move(options)));
  InitIn in{};
  in.major = kMajor;
  in.minor = kMinor;
  in.max_readahead = kReadAhead;
  in.flags = static_cast<uint32_t>(kOffered);
  auto first = host->connection_.ask_first(Opcode::Init, bytes_of(in), stop);
  if (!first) return Problem{first.error(), fmt::format("the program does not serve: {}", text_of(first.error())), ""};
  InitOut out{};
  memcpy(&out, first->body.data(), std::min(first->body.size(), sizeof out));
  if (first->body.size() < init_out_size(kOldestMinor - 1) || out.major != kMajor || out.minor < kOldestMinor)
    return Problem{err(EPROTO), fmt::format("the program speaks FUSE {}.{}", out.major, out.minor),
                   fmt::format("{}.{} is the oldest that is understood", kMajor, kOldestMinor)};
  host->flags_ = out.flags & kOffered;
  host->max_write_ = std::clamp<size_t>(out.max_write, 4096, kMostData);
  host->pid_ = first->pid;
  if (!(host->flags_ & kInitPosixLocks)) {
    host->drop(Op::GetLock);
    host->drop(Op::SetLock);
  }
  return host;
}

Status FuseHost::start(Upcalls& up) {
  if (Status s = FileSystem::start(up); !s) return s;
  if (options_.started)
    if (Status s = options_.started(); !s) return s;
  return connection_.start([this](int code, Bytes body) { on_news(code, body); }, options_.ended);
}

void FuseHost::stop() { connection_.close(); }

Traits FuseHost::traits() const {
  Traits t;
  t.source = options_.source;
  t.type = options_.type;
  t.read_only = options_.read_only;
  t.dir_attr = (flags_ & kInitDoReaddirplus) != 0;
  t.changes_outside = true;  // whatever the daemon gets its files from
  t.locks_shared = (flags_ & kInitPosixLocks) != 0;
  return t;
}

void FuseHost::forget_node(uint64_t node, uint64_t count) {
  const ForgetIn in{count};
  connection_.tell(Opcode::Forget, node, bytes_of(in));
}

void FuseHost::on_news(int code, Bytes body) {
  switch (static_cast<NotifyCode>(code)) {
    case NotifyCode::InvalInode: {
      if (body.size() < sizeof(NotifyInvalInodeOut)) return;
      const auto n = take_as<NotifyInvalInodeOut>(body);
      if (n.off < 0) return up()->invalidate_attr(NodeId{n.ino});
      return up()->invalidate_node(NodeId{n.ino}, static_cast<uint64_t>(n.off),
                                   static_cast<uint64_t>(std::max<int64_t>(n.len, 0)));
    }
    case NotifyCode::InvalEntry: {
      if (body.size() < sizeof(NotifyInvalEntryOut)) return;
      const auto n = take_as<NotifyInvalEntryOut>(body);
      if (auto name = name_of(body, sizeof n, n.namelen); !name.empty()) up()->invalidate_entry(NodeId{n.parent}, name);
      return;
    }
    case NotifyCode::Delete: {
      if (body.size() < sizeof(NotifyDeleteOut)) return;
      const auto n = take_as<NotifyDeleteOut>(body);
      if (auto name = name_of(body, sizeof n, n.namelen); !name.empty())
        up()->deleted(NodeId{n.parent}, NodeId{n.child}, name);
      return;
    }
    case NotifyCode::Store: {
      if (body.size() < sizeof(NotifyStoreOut)) return;
      const auto n = take_as<NotifyStoreOut>(body);
      // No door of this process keeps data; what it holds of the attributes is old now.
      return up()->invalidate_node(NodeId{n.nodeid}, n.offset, n.size);
    }
    case NotifyCode::IncEpoch:
      return up()->invalidate_all_names();
    default:
      return;  // polls were not armed, no pages are kept, nothing is sent again
  }
}

}  // namespace isthmus::fuse_host
