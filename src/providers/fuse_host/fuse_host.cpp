#include "providers/fuse_host/fuse_host.h"

#include <fmt/format.h>

#include <future>

#include "base/log.h"
#include "providers/fuse_host/ask.h"
#include "providers/fuse_host/device.h"
#include "vfs/defaults.h"
#include "wire/fuse/cuse.h"

namespace isthmus::fuse_host {

using namespace wire::fuse;

namespace {

constexpr uint32_t kOldest = 8;  // the minor from which on messages have the form that is known here
constexpr uint32_t kReadAhead = 128 << 10;
constexpr size_t kPage = 4096, kUsualPages = 32, kMostPages = kMostData / kPage;

/// What a daemon may have of a kernel without a page cache, splice, mappings or rings.
constexpr uint64_t kOffered =
    kInitAsyncRead | kInitPosixLocks | kInitFlockLocks | kInitAtomicOTrunc | kInitExportSupport | kInitBigWrites |
    kInitDontMask | kInitHasIoctlDir | kInitAutoInvalData | kInitDoReaddirplus | kInitReaddirplusAuto | kInitAsyncDio |
    kInitNoOpenSupport | kInitNoOpendirSupport | kInitParallelDirops | kInitHandleKillpriv | kInitPosixAcl |
    kInitMaxPages | kInitHandleKillprivV2 | kInitSetxattrExt | kInitInitExt | kInitSecurityCtx | kInitCreateSuppGroup |
    kInitHasExpireOnly | kInitHasResend | kInitRequestTimeout;

constexpr uint64_t bit_of(Opcode o) { return uint64_t{1} << static_cast<uint32_t>(o); }

/// Those that the kernel does not ask for again after one ENOSYS. For all others it is one call's error.
constexpr uint64_t kAskedOnce =
    bit_of(Opcode::Open) | bit_of(Opcode::Opendir) | bit_of(Opcode::Create) | bit_of(Opcode::Tmpfile) |
    bit_of(Opcode::Flush) | bit_of(Opcode::Fsync) | bit_of(Opcode::Fsyncdir) | bit_of(Opcode::Access) |
    bit_of(Opcode::Getxattr) | bit_of(Opcode::Setxattr) | bit_of(Opcode::Listxattr) | bit_of(Opcode::Removexattr) |
    bit_of(Opcode::Getlk) | bit_of(Opcode::Setlk) | bit_of(Opcode::Setlkw) | bit_of(Opcode::Bmap) |
    bit_of(Opcode::Poll) | bit_of(Opcode::Fallocate) | bit_of(Opcode::Readdirplus) | bit_of(Opcode::Rename2) |
    bit_of(Opcode::Link) | bit_of(Opcode::Lseek) | bit_of(Opcode::CopyFileRange) | bit_of(Opcode::CopyFileRange64) |
    bit_of(Opcode::Syncfs) | bit_of(Opcode::Statx) | bit_of(Opcode::Statfs);

/// Operations of the waist that are nothing without one of these.
constexpr std::pair<Op, Opcode> kNeeded[] = {{Op::Ioctl, Opcode::Ioctl},
                                             {Op::Poll, Opcode::Poll},
                                             {Op::Fallocate, Opcode::Fallocate},
                                             {Op::SeekHole, Opcode::Lseek},
                                             {Op::Tmpfile, Opcode::Tmpfile},
                                             {Op::Sync, Opcode::Syncfs},
                                             {Op::CopyRange, Opcode::CopyFileRange}};

uint32_t since(Opcode o) { return find_opcode(static_cast<uint32_t>(o))->since; }

}  // namespace

Expected<std::unique_ptr<FuseHost>> FuseHost::connect(Fd device, Options options, const std::function<bool()>& stop) {
  std::unique_ptr<FuseHost> host(new FuseHost(std::move(device), std::move(options)));
  InitIn in{};
  in.major = kMajor;
  in.minor = kMinor;
  in.max_readahead = kReadAhead;
  in.flags = static_cast<uint32_t>(kOffered);
  in.flags2 = static_cast<uint32_t>(kOffered >> 32);
  auto first = host->connection_.ask_first(Opcode::Init, bytes_of(in), stop);
  if (!first) return Problem{first.error(), fmt::format("the program does not serve: {}", text_of(first.error())), ""};
  // Each version's answer is the beginning of the next one's, and what is short of the newest is zeros.
  const auto out = take_as<InitOut>(first->body);
  const bool complete = first->body.size() >= init_out_size(0) && first->body.size() <= sizeof out;
  if (!complete || out.major != kMajor || out.minor < kOldest)
    return Problem{err(EPROTO),
                   complete ? fmt::format("the program speaks FUSE {}.{}", out.major, out.minor)
                            : fmt::format("the program's answer to INIT has {} bytes", first->body.size()),
                   fmt::format("{}.{} is the oldest that is understood", kMajor, kOldest)};
  host->agree(out);
  host->drop_what_it_lacks();
  host->pid_ = first->pid;
  return host;
}

/// cuse_process_init_reply() of fs/fuse/cuse.c.
Expected<std::unique_ptr<FuseHost>> FuseHost::connect_device(Fd device, Options options,
                                                             const std::function<bool()>& stop) {
  std::unique_ptr<FuseHost> host(new FuseHost(std::move(device), std::move(options)));
  const CuseInitIn in{kMajor, kMinor, 0, kCuseUnrestrictedIoctl};
  auto first = host->connection_.ask_first(Opcode::CuseInit, bytes_of(in), stop);
  if (!first) return Problem{first.error(), fmt::format("the program does not serve: {}", text_of(first.error())), ""};
  const auto refused = [](std::string what) {
    return Problem{err(EPROTO), "the program's answer to CUSE_INIT " + std::move(what), ""};
  };
  const Bytes body = first->body;
  if (body.size() < sizeof(CuseInitOut)) return refused(fmt::format("has {} bytes", body.size()));
  const auto out = take_as<CuseInitOut>(body);
  if (out.major != kMajor || out.minor < since(Opcode::CuseInit))
    return refused(fmt::format("is of FUSE {}.{}", out.major, out.minor));
  auto name = cuse_device_name(body.subspan(sizeof out));
  if (!name) return refused("has no name of a device");
  host->minor_ = std::min(out.minor, kMinor);
  host->flags_ = kInitAsyncRead | kInitBigWrites;
  host->agree_on_sizes(out.max_read, out.max_write, kUsualPages);
  host->request_timeout_ = host->options_.request_timeout;
  host->pid_ = first->pid;
  EntryOut entry{};  // its requests are of no node (cuse_open())
  entry.attr.mode = S_IFREG;
  host->cuse_ = CharacterDevice{std::move(*name), host->nodes_.enter(entry), (out.flags & kCuseUnrestrictedIoctl) != 0};
  return host;
}

/// process_init_reply() of fs/fuse/inode.c.
void FuseHost::agree(const InitOut& out) {
  minor_ = std::min(out.minor, kMinor);
  uint64_t flags = out.flags;
  if (flags & kInitInitExt) flags |= uint64_t{out.flags2} << 32;
  flags_ = flags & kOffered;
  for (uint32_t g = 1; g <= 1'000'000'000; g *= 10)
    if (out.time_gran == g) time_granularity_ = g;
  agree_on_sizes(kMostData, out.max_write, has(kInitMaxPages) ? out.max_pages : kUsualPages);
  request_timeout_ = options_.request_timeout;
  if (has(kInitRequestTimeout) && out.request_timeout != 0) {
    const std::chrono::milliseconds its = std::chrono::seconds(out.request_timeout);
    request_timeout_ = request_timeout_.count() == 0 ? its : std::min(request_timeout_, its);
  }
}

void FuseHost::agree_on_sizes(size_t max_read, size_t max_write, size_t pages) {
  pages = std::clamp<size_t>(pages, 1, kMostPages);
  const size_t wanted = std::max(max_write, kPage);
  // The daemon's buffer has room for headers besides what it says that it writes at once.
  most_request_ = std::max<size_t>(kMinReadBuffer, std::min(wanted, kMostData) + kPage);
  const size_t around = sizeof(InHeader) + sizeof(WriteIn);
  most_write_ = std::min({wanted, pages * kPage, connection_.most_message() - around}) & ~(kPage - 1);
  const size_t answer = options_.most_answer != 0 ? options_.most_answer : usual_message_size();
  most_read_ = std::min({std::max(max_read, kPage), pages * kPage, answer - sizeof(OutHeader), kMostData});
  if (options_.max_read != 0) most_read_ = std::min(most_read_, std::max(options_.max_read, kPage));
  most_read_ &= ~(kPage - 1);
  most_write_ = std::max(most_write_, kPage);
  most_read_ = std::max(most_read_, kPage);
}

void FuseHost::drop_what_it_lacks() {
  for (auto [op, opcode] : kNeeded)
    if (since(opcode) > minor_) drop(op);
  if (!has(kInitPosixLocks) && !has(kInitFlockLocks)) {
    drop(Op::GetLock);
    drop(Op::SetLock);
  }
  if (!has(kInitExportSupport)) {
    drop(Op::NodeToExport);
    drop(Op::ExportToNode);
  }
  // They answer EROFS by themselves then.
  if (options_.read_only)
    for (size_t i = 0; i < kOpCount; i++)
      if (kChanges.has(static_cast<Op>(i))) drop(static_cast<Op>(i));
}

Errno FuseHost::refusal(Opcode opcode, const Context& ctx, size_t length) const {
  const OpcodeInfo& info = *find_opcode(static_cast<uint32_t>(opcode));
  if (info.since > minor_ || lacks(opcode)) return err(ENOSYS);
  if (length > most_request_) return opcode == Opcode::Setxattr ? err(E2BIG) : err(EIO);
  if (options_.allow_other || !ctx.cred.known || (info.flags & kOpcodeOpened)) return {};
  const bool may = ctx.cred.uid == options_.owner || (ctx.cred.uid == 0 && options_.allow_root);
  return may ? Errno{} : err(EACCES);
}

void FuseHost::note_absent(Opcode opcode) { absent_.fetch_or(kAskedOnce & bit_of(opcode), std::memory_order_relaxed); }

Status FuseHost::start(Upcalls& up) {
  if (Status s = FileSystem::start(up); !s) return s;
  if (options_.started)
    if (Status s = options_.started(); !s) return s;
  const Connection::Agreed agreed{.minor = minor_, .resends = has(kInitHasResend), .request_timeout = request_timeout_};
  Status s = connection_.start(
      agreed, [this](int code, Bytes body) { return on_news(code, body); }, options_.ended);
  started_ = s.ok();
  return s;
}

void FuseHost::stop() {
  if (std::exchange(started_, false) && !cuse_) {
    class Destroyed final : public Connection::Waiter {
     public:
      explicit Destroyed(std::promise<Errno> p) : promise_(std::move(p)) {}
      void answered(Errno e, Bytes) noexcept override { promise_.set_value(e); }

     private:
      std::promise<Errno> promise_;
    };
    connection_.flush_forgets();
    std::promise<Errno> promise;
    auto destroyed = promise.get_future();
    connection_.ask({.opcode = Opcode::Destroy}, {}, {}, std::make_unique<Destroyed>(std::move(promise)));
    if (destroyed.wait_for(options_.destroy_wait) != std::future_status::ready)
      log(LogLevel::warning, "the daemon does not answer DESTROY");
    else  // an error is an answer as well
      destroyed_ = destroyed.get() != err(ENOTCONN);
  }
  connection_.close();
}

Traits FuseHost::traits() const {
  Traits t;
  t.source = options_.source;
  t.type = options_.type;
  t.read_only = options_.read_only;
  t.dir_attr = has(kInitDoReaddirplus);
  t.posix_acl = has(kInitPosixAcl);
  t.changes_outside = true;  // whatever the daemon gets its files from
  t.locks_shared = has(kInitPosixLocks | kInitFlockLocks);
  t.kills_suidgid = has(kInitHandleKillpriv | kInitHandleKillprivV2);
  t.time_granularity_ns = time_granularity_;
  return t;
}

}  // namespace isthmus::fuse_host
