#include "doors/fuse/fuse_door.h"

#include <algorithm>

#include "doors/fuse/dev_transport.h"
#include "doors/fuse/session.h"
#include "run/line.h"

namespace isthmus::fuse {

namespace {

Line::Options line_options(const FileSystem& fs, const SessionOptions& options) {
  constexpr unsigned kThreads = 64;
  Line::Options o;
  bool blocks = fs.blocking() == Blocking::may_block;
  unsigned threads = options.threads ? options.threads : blocks ? kThreads : 1;
  o.may_block = blocks;
  o.max_threads = std::clamp(threads, 1u, DevTransport::kMaxLanes);
  o.name = "fuse";
  return o;
}

}  // namespace

class Door::Impl {
 public:
  Impl(FileSystem& fs, std::unique_ptr<Transport> t, const SessionOptions& options)
      : transport(std::move(t)), session(fs, *transport, options), line(session, line_options(fs, options)) {}

  std::unique_ptr<Transport> transport;
  Session session;
  Line line;
  std::atomic<bool> started{false}, over{false};
  std::mutex ending;  // one thread ends the session, others wait for it
};

Door::Door(FileSystem& fs, Fd device, const SessionOptions& options)
    : Door(fs, std::make_unique<DevTransport>(std::move(device), options.clone_fd, options.splice), options) {}

Door::Door(FileSystem& fs, std::unique_ptr<Transport> transport, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(fs, std::move(transport), options)) {}

Door::~Door() {
  abort();
  wait();
}

Upcalls& Door::upcalls() { return impl_->session.notifier(); }

void Door::attach(Fd device) { static_cast<DevTransport&>(*impl_->transport).attach(std::move(device)); }

Status Door::start() {
  Status s = impl_->line.start();
  if (s) impl_->started.store(true);
  return s;
}

LineSource& Door::source() { return impl_->session; }

Result<size_t> Door::receive(MutableBytes into) { return impl_->session.receive(into); }

void Door::process(Bytes message) { impl_->session.process(message); }

News& Door::news() { return impl_->session.notifier(); }

Status Door::wait_ready(std::chrono::milliseconds timeout) { return impl_->session.wait_ready(timeout); }

EndReason Door::wait() {
  Impl& i = *impl_;
  std::lock_guard lock(i.ending);
  if (!i.over.load()) {
    if (i.started.load()) i.line.wait_ended();
    i.line.stop();
    i.session.drain();
    i.over.store(true);
  }
  return i.session.reason();
}

bool Door::ended() const { return impl_->over.load(); }

void Door::abort() {
  Impl& i = *impl_;
  i.session.mark_ended(EndReason::aborted);
  i.line.ask_to_stop();
  i.transport->hang_up();
}

SessionStats Door::stats() const {
  SessionStats s = impl_->session.stats();
  s.threads += impl_->line.started();
  return s;
}

}  // namespace isthmus::fuse
