#include "doors/userfs/userfs_door.h"

#include <mutex>

#include "base/log.h"
#include "doors/userfs/session.h"
#include "run/line.h"

namespace isthmus::userfs {
namespace {

Result<size_t> length_of(Bytes have) {
  if (have.size() < wire::userfs::kHeader) return size_t{0};
  const auto h = wire::userfs::read_header(have);
  if (!h) return h.error();
  return h->length() + h->size;
}

Line::Options line_options(const FileSystem& fs, const Options& options) {
  Line::Options o;
  o.name = "userfs";
  o.may_block = fs.blocking() == Blocking::may_block;
  o.max_threads = o.may_block ? options.max_threads : 1;
  // What blocks here may be as slow as a network; a burst of it should not wait for a thread each.
  o.tick = std::chrono::microseconds(100);
  o.patience = 2000;
  return o;
}

}  // namespace

class UserfsDoor::Impl final : public LineSource {
 public:
  Impl(FileSystem& f, Fd i, Fd o, Options op, std::function<void()> e)
      : fs(f),
        options(op),
        in(std::move(i)),
        out(std::move(o)),
        ended(std::move(e)),
        session(fs, out, options),
        reader(in.get(), -1, length_of),
        line(*this, line_options(fs, options)),
        got(std::max(1u, options.max_threads)) {}

  Got wait(unsigned thread) override {
    std::lock_guard lock(read_m);
    if (line.stopping()) return Got::nothing;
    if (session.over()) return close();
    if (!reading) reading = std::make_shared<Request>();
    const auto packet = reader.next(reading->room);
    if (!packet) {
      if (packet.error() == err(EINTR)) return Got::nothing;
      nonsense = packet.error() != err(ENOTCONN);
      if (nonsense) log(LogLevel::error, "userfs: what the kernel's side sends is no packet");
      return close();
    }
    got[thread] = std::move(reading);
    if (Status s = session.begin(got[thread], *packet); !s) {
      nonsense = true;
      log(LogLevel::error, "userfs: the kernel's side sends a packet that does not belong into a session");
      return close();
    }
    return Got::request;
  }
  void run(unsigned thread) override { session.run(std::exchange(got[thread], nullptr)); }
  bool readable() override { return reader.readable(); }

  FileSystem& fs;
  const Options options;
  const Fd in;
  PacketWriter out;
  std::function<void()> ended;
  Session session;
  std::mutex read_m;  // one thread reads; held while it waits for the peer
  PacketReader reader;
  RequestPtr reading;
  Line line;
  std::vector<RequestPtr> got;  // by thread
  bool started = false;
  std::atomic<bool> nonsense{false};

 private:
  Got close() {
    if (auto f = std::exchange(ended, nullptr)) f();
    return Got::closed;
  }
};

UserfsDoor::UserfsDoor(FileSystem& fs, Fd in, Fd out, Options options, std::function<void()> ended)
    : impl_(std::make_unique<Impl>(fs, std::move(in), std::move(out), options, std::move(ended))) {}

UserfsDoor::~UserfsDoor() { stop(); }

Status UserfsDoor::start() {
  if (Status s = impl_->fs.start(impl_->session.news()); !s) return s;
  impl_->started = true;
  return impl_->line.start();
}

bool UserfsDoor::clean() const { return !impl_->nonsense; }

void UserfsDoor::stop() {
  if (!std::exchange(impl_->started, false)) return;
  impl_->line.ask_to_stop();
  impl_->session.close();
  impl_->line.stop();
  impl_->session.end();
  impl_->fs.stop();
}

}  // namespace isthmus::userfs
