/// Sessions: their beginning, their end, and the next one.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "providers/userfs_host/ask.h"
#include "run/threads.h"
#include "vfs/defaults.h"

namespace isthmus::userfs_host {

using namespace wire::userfs;

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kInterruptedNs =
    10 * kNsPerSec;                            // then whoever was interrupted goes, whatever becomes of the request
constexpr unsigned kMostRestarts = 5;          // in a row without an answer
constexpr std::chrono::seconds kPatience{10};  // with a process that is to end
constexpr uint32_t kNewsBytes = 64 << 10;

/// What an operation of the waist needs.
constexpr std::pair<Opcode, Op> kNeeds[] = {{Opcode::iput, Op::Forget},
                                            {Opcode::statfs, Op::Statfs},
                                            {Opcode::notify_change, Op::Setattr},
                                            {Opcode::lookup, Op::Lookup},
                                            {Opcode::open, Op::Open},
                                            {Opcode::close, Op::Release},
                                            {Opcode::read, Op::Read},
                                            {Opcode::write, Op::Write},
                                            {Opcode::create, Op::Create},
                                            {Opcode::mkdir, Op::Mkdir},
                                            {Opcode::mknod, Op::Mknod},
                                            {Opcode::symlink, Op::Symlink},
                                            {Opcode::link, Op::Link},
                                            {Opcode::unlink, Op::Unlink},
                                            {Opcode::rmdir, Op::Rmdir},
                                            {Opcode::rename, Op::Rename},
                                            {Opcode::readlink, Op::Readlink},
                                            {Opcode::permission, Op::Access},
                                            {Opcode::fsync, Op::Fsync},
                                            {Opcode::ioctl, Op::Ioctl},
                                            {Opcode::select, Op::Poll},
                                            {Opcode::getxattr, Op::GetXattr},
                                            {Opcode::setxattr, Op::SetXattr},
                                            {Opcode::listxattr, Op::ListXattr},
                                            {Opcode::removexattr, Op::RemoveXattr},
                                            {Opcode::opendir, Op::OpenDir},
                                            {Opcode::closedir, Op::ReleaseDir},
                                            {Opcode::fsyncdir, Op::FsyncDir},
                                            {Opcode::flush, Op::Flush},
                                            {Opcode::tmpfile, Op::Tmpfile},
                                            {Opcode::copy, Op::CopyRange},
                                            {Opcode::fallocate, Op::Fallocate},
                                            {Opcode::seek, Op::SeekHole},
                                            {Opcode::sync, Op::Sync},
                                            {Opcode::getlock, Op::GetLock},
                                            {Opcode::setlock, Op::SetLock},
                                            {Opcode::lease, Op::SetLease},
                                            {Opcode::watch, Op::Watch},
                                            {Opcode::unwatch, Op::Unwatch},
                                            {Opcode::getreparse, Op::GetReparse},
                                            {Opcode::setreparse, Op::SetReparse},
                                            {Opcode::liststreams, Op::ListStreams},
                                            {Opcode::getacl, Op::GetAcl},
                                            {Opcode::setacl, Op::SetAcl},
                                            {Opcode::getexport, Op::NodeToExport},
                                            {Opcode::findexport, Op::ExportToNode},
                                            {Opcode::openquery, Op::OpenQuery},
                                            {Opcode::readquery, Op::ReadQuery}};

template <class B>
std::string body_of(const B& b, bool with_cred = true) {
  std::string body;
  Encoder e(body);
  if (with_cred) e({}, Cred{});
  B::fields(e, b);
  return body + std::string(as_text(e.tail()));
}

Problem problem_of(const std::string& name, Errno e, int64_t limit_ns) {
  if (e == err(ETIMEDOUT))
    return {e, fmt::format("{} does not answer within {} s", name, limit_ns / kNsPerSec),
            "does it speak userfs? docs/userfs-wire.md"};
  if (e == err(ENOTCONN)) return {e, fmt::format("{} has ended before it served", name), ""};
  if (e == err(EPROTO))
    return {e, fmt::format("what {} says is not userfs", name),
            "it must write nothing but packets; messages go to standard error"};
  if (e == err(EINTR)) return {e, fmt::format("{} was not waited for", name), ""};
  return {e, fmt::format("{}: {}", name, text_of(e)), ""};
}

/// Printable, and short.
std::string tidy(std::string_view text, std::string otherwise) {
  constexpr size_t kMost = 100;
  std::string out;
  for (char c : text.substr(0, kMost))
    if (c > ' ' && c < 0x7f && c != ',' && c != '\\') out += c;
  return out.empty() ? std::move(otherwise) : out;
}

}  // namespace

Expected<std::unique_ptr<UserfsHost>> UserfsHost::connect(Options options, const std::function<bool()>& stop) {
  // A peer that is gone is an error of ours, not the end.
  struct sigaction now {};
  if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<UserfsHost> host(new UserfsHost(std::move(options)));
  host->terms_.type = "userfs";
  host->terms_.source = tidy(host->options_.name, "userfs");
  auto connection = host->begin(stop);
  if (!connection) return connection.problem();
  host->connection_ = std::move(*connection);
  return host;
}

Expected<std::shared_ptr<Connection>> UserfsHost::begin(const std::function<bool()>& stop) {
  auto peer = options_.open();
  if (!peer) return peer.problem();
  const int64_t limit = options_.mount_timeout_ms * kNsPerMs;
  auto c = std::make_shared<Connection>(std::move(peer->in), std::move(peer->out),
                                        Connection::Limits{options_.timeout_ms * kNsPerMs, kInterruptedNs});
  const MountRequest request{options_.read_only ? 1u : 0u, options_.mount_options};
  auto answers = c->ask_first({{Opcode::mount, PacketType::request, body_of(request, false)}}, limit, stop);
  if (!answers) return problem_of(options_.name, answers.error(), limit);
  const auto& mounted = answers->front();
  if (mounted.error == err(EPROTONOSUPPORT))
    return Problem{mounted.error, fmt::format("{} speaks version {} of userfs", options_.name, mounted.version),
                   fmt::format("{} is the one that is understood here", kVersion)};
  if (mounted.error != Errno{})
    return Problem{mounted.error, fmt::format("{} does not mount: {}", options_.name, text_of(mounted.error)), ""};
  const auto root = read_body<MountReply>(as_bytes(mounted.body));
  if (!root || mounted.version != kVersion) return problem_of(options_.name, err(EPROTO), limit);
  root_ = root->root;
  if (auto asked = ask_enquiries(*c, stop); !asked) return asked.problem();
  if (auto asked = ask_terms(*c, stop); !asked) return asked.problem();
  std::lock_guard lock(m_);
  keep_ = std::move(peer->keep);
  peer_started_ = std::move(peer->started);
  life_++;
  return c;
}

Expected<Unit> UserfsHost::ask_enquiries(Connection& c, const std::function<bool()>& stop) {
  const int64_t limit = options_.mount_timeout_ms * kNsPerMs;
  std::vector<Connection::Question> questions;
  for (Opcode op : kOpcodes)
    if (op != Opcode::mount) questions.push_back({op, PacketType::enquiry, {}});
  const auto answers = c.ask_first(questions, limit, stop);
  if (!answers) return problem_of(options_.name, answers.error(), limit);
  uint64_t supported = 0;
  for (size_t i = 0; i < questions.size(); i++)
    if ((*answers)[i].error == Errno{} && (*answers)[i].body.empty())
      supported |= uint64_t{1} << static_cast<uint32_t>(questions[i].op);
  supported_ = supported;
  for (auto [opcode, op] : kNeeds)
    if (!supports(opcode)) drop(op);
  if (!supports(Opcode::readdir) && !supports(Opcode::readdirplus)) drop(Op::ReadDir);
  if (!supports(Opcode::iread))
    return Problem{err(ENOSYS), fmt::format("{} does not tell attributes (iread)", options_.name), ""};
  return Unit{};
}

Expected<Unit> UserfsHost::ask_terms(Connection& c, const std::function<bool()>& stop) {
  const int64_t limit = options_.mount_timeout_ms * kNsPerMs;
  std::vector<Connection::Question> questions;
  // The last one, so that terms come first.
  if (supports(Opcode::terms)) questions.push_back({Opcode::terms, PacketType::request, body_of(TermsRequest{})});
  questions.push_back({Opcode::iread, PacketType::request, body_of(IreadRequest{root_})});
  const auto answers = c.ask_first(questions, limit, stop);
  if (!answers) return problem_of(options_.name, answers.error(), limit);
  const auto& read = answers->back();
  const auto attr = read_body<AttrReply>(as_bytes(read.body));
  if (read.error != Errno{} || !attr || !from_wire(*attr))
    return Problem{read.error != Errno{} ? read.error : err(EIO),
                   fmt::format("{} does not know its own root", options_.name), ""};
  TermsReply terms;
  terms.flags = kTermsChangesOutside | (supports(Opcode::setlock) ? uint32_t{kTermsLocksShared} : 0);
  if (answers->size() == 2) {
    const auto told = read_body<TermsReply>(as_bytes(answers->front().body));
    if (answers->front().error != Errno{} || !told)
      return Problem{err(EPROTO), fmt::format("{} supports terms and does not answer them", options_.name), ""};
    terms = *told;
  }
  const auto is = [&](uint32_t flag) { return (terms.flags & flag) != 0; };
  most_data_ = std::clamp<size_t>(terms.most_data, 4096, kMostData);
  if (life_ > 0) {
    // What the doors were told stays; the next program may only be less sure of its handles.
    handles_last_ = handles_last_ && is(kTermsHandlesLast);
    return Unit{};
  }
  handles_last_ = is(kTermsHandlesLast);
  Traits t;
  t.type = tidy(terms.type, "userfs");
  t.source = tidy(terms.source, terms_.source);
  t.read_only = is(kTermsReadOnly) || options_.read_only;
  t.dir_attr = supports(Opcode::readdirplus);  // dear or not, there it costs less than a round trip for each name
  t.posix_acl = is(kTermsPosixAcl);
  t.export_stable = is(kTermsExportStable);
  t.changes_outside = is(kTermsChangesOutside);
  t.tells_changes = is(kTermsTellsChanges) && supports(Opcode::news);
  t.inode_addressed = is(kTermsInodeAddressed);
  t.locks_shared = is(kTermsLocksShared);
  t.flush_for_locks = is(kTermsFlushForLocks);
  t.write_back = !is(kTermsNoWriteBack);
  t.small_writes_dear = true;
  t.kills_suidgid = is(kTermsKillsSuid);
  for (uint32_t g = 1; g <= kNsPerSec; g *= 10)
    if (terms.time_granularity == g) t.time_granularity_ns = g;
  t.name_max = std::clamp<uint32_t>(terms.name_max, 1, kMostName);
  terms_ = std::move(t);
  return Unit{};
}

Status UserfsHost::start(Upcalls& up) {
  if (Status s = FileSystem::start(up); !s) return s;
  if (Status s = begin_threads(connection_); !s) return s;
  try {
    SignalsBlocked blocked;
    passing_ = std::thread([this] { pass_news_on(); });
    if (options_.restart) keeper_ = std::thread([this] { keep_alive(); });
  } catch (const std::system_error& e) {
    return err(e.code().value());
  }
  name_thread(passing_, "userfs news");
  if (options_.restart) name_thread(keeper_, "userfs keep");
  ask_news();
  return Unit{};
}

Status UserfsHost::begin_threads(const std::shared_ptr<Connection>& c) {
  std::function<void()> peer_started;
  {
    std::lock_guard lock(m_);
    peer_started.swap(peer_started_);
  }
  if (peer_started) peer_started();
  return c->start(supports(Opcode::interrupt), [this](std::string_view why) { ended(why); });
}

/// On the connection's thread.
void UserfsHost::ended(std::string_view why) {
  std::lock_guard lock(m_);
  if (stopping_) return;
  log(LogLevel::warning, "{}: {}{}", options_.name, why,
      options_.restart ? "; it is started again" : "; from now on its files answer EIO");
  state_ = options_.restart ? State::restarting : State::dead;
  ended_ = true;
  changed_.notify_all();
}

void UserfsHost::stop() {
  std::shared_ptr<Connection> c;
  {
    std::lock_guard lock(m_);
    stopping_ = true;
    c = connection_;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  settle(State::dead);
  {
    std::lock_guard lock(m_);
    c = connection_;
  }
  if (c && passing_.joinable() && supports(Opcode::umount)) {
    Now now{this, c, life_};
    std::mutex m;
    std::condition_variable heard;
    bool done = false;
    tell<Opcode::umount>(now, {}, [&] {
      std::lock_guard lock(m);
      done = true;
      heard.notify_one();
    });
    std::unique_lock lock(m);
    // It may have to write things out; one that hangs is not waited for.
    if (!heard.wait_for(lock, kPatience, [&] { return done; })) {
      lock.unlock();
      c->close();  // answers, so that `done` is not used later
    }
  }
  if (c) c->close();
  if (passing_.joinable()) passing_.join();
  std::shared_ptr<void> keep;
  {
    std::lock_guard lock(m_);
    connection_.reset();
    keep = std::move(keep_);
  }
}

/// What waits for a restart goes on, or fails.
void UserfsHost::settle(State state) {
  std::vector<Parked> parked;
  {
    std::lock_guard lock(m_);
    state_ = state;
    parked.swap(parked_);
  }
  for (auto& p : parked) {
    if (state == State::up)
      p.run(*this, p.pending);
    else
      p.fail(p.pending);
  }
}

void UserfsHost::keep_alive() {
  unsigned in_a_row = 0;
  std::unique_lock lock(m_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || ended_; });
    if (stopping_) return;
    ended_ = false;
    if (connection_ && connection_->has_served()) in_a_row = 0;
    bool up = false;
    while (!up && !stopping_ && in_a_row < kMostRestarts) {
      // Not at once again and again.
      changed_.wait_for(lock, std::chrono::milliseconds(100) * in_a_row, [this] { return stopping_; });
      if (stopping_) return;
      in_a_row++;
      lock.unlock();
      up = restart();
      lock.lock();
    }
    if (up || stopping_) continue;
    lock.unlock();
    log(LogLevel::error, "{}: started again {} times in vain; from now on its files answer EIO", options_.name,
        kMostRestarts);
    settle(State::dead);
    return;
  }
}

bool UserfsHost::stopping() const {
  std::lock_guard lock(m_);
  return stopping_;
}

bool UserfsHost::restart() {
  std::shared_ptr<Connection> old;
  std::shared_ptr<void> keep;
  {
    std::lock_guard lock(m_);
    state_ = State::restarting;  // also where the session before has ended before it began to serve
    old = connection_;
    keep = std::move(keep_);
    given_.clear();
    given_due_ = 0;
    iput_asked_ = false;
  }
  if (old) old->close();
  keep.reset();
  const bool lasted = handles_last_;
  const uint32_t root = root_;
  auto c = begin([this] { return stopping(); });
  if (!c) {
    log(LogLevel::warning, "{}", c.problem().what);
    return false;
  }
  if (lasted && root != root_) handles_last_ = false;
  reopen(**c);
  {
    std::lock_guard lock(m_);
    connection_ = *c;
  }
  if (Status s = begin_threads(*c); !s) return false;
  restarts_++;
  settle(State::up);
  ask_news();
  {
    std::lock_guard lock(m_);
    NewsItem all;
    all.code = static_cast<uint32_t>(NewsKind::all_names);
    news_.push_back({all, {}});
  }
  changed_.notify_all();
  return true;
}

/// Open files of the session before, by their handles.
void UserfsHost::reopen(Connection& c) {
  std::vector<std::pair<uint64_t, Reopen>> all;
  {
    std::lock_guard lock(m_);
    all.assign(opens_.begin(), opens_.end());
  }
  for (auto& [number, open] : all) {
    open.life = life_;
    open.lost = true;
    const uint32_t flags = open.flags & ~uint32_t{O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY};
    Connection::Question q;
    if (open.kind == Kind::file)
      q = {Opcode::open, PacketType::request, body_of(OpenRequest{open.handle, flags})};
    else if (open.kind == Kind::folder)
      q = {Opcode::opendir, PacketType::request, body_of(OpendirRequest{open.handle, flags})};
    else if (open.kind == Kind::watch)
      q = {Opcode::watch, PacketType::request, body_of(WatchRequest{open.handle, open.flags, open.subtree ? 1u : 0u})};
    if (!handles_last_ || open.kind == Kind::query || !supports(q.op)) continue;
    const auto answer = c.ask_first({q}, options_.mount_timeout_ms * kNsPerMs, [this] { return stopping(); });
    if (!answer || answer->front().error != Errno{}) continue;
    const Bytes body = as_bytes(answer->front().body);
    if (open.kind == Kind::watch) {
      const auto r = read_body<WatchId>(body);
      if (r) open.fh = r->watch;
      open.lost = !r;
    } else {
      const auto r = read_body<packets::Opened>(body);
      if (r) open.fh = r->fh;
      open.lost = !r;
    }
  }
  std::lock_guard lock(m_);
  for (auto& [number, open] : all)
    if (const auto found = opens_.find(number); found != opens_.end()) found->second = open;
}

void UserfsHost::ask_news() {
  if (!supports(Opcode::news)) return;
  class Heard final : public Connection::Waiter {
   public:
    explicit Heard(UserfsHost& h) : host(h) {}
    void answered(Errno e, Bytes body) noexcept override {
      if (e != Errno{}) return;
      const auto news = read_body<NewsReply>(body);
      if (news)
        host.on_news(*news);
      else
        host.bad_answer();
    }
    std::function<void(Errno)> give_up() override {
      return [](Errno) {};
    }
    UserfsHost& host;
  };
  std::shared_ptr<Connection> c;
  {
    std::lock_guard lock(m_);
    if (state_ != State::up) return;
    c = connection_;
  }
  c->ask(Opcode::news, {}, packet_of({}, NewsRequest{kNewsBytes}), std::make_unique<Heard>(*this), true);
}

void UserfsHost::on_news(const NewsReply& news) {
  std::lock_guard lock(m_);
  for (auto& item : news.items) news_.push_back({item, std::string(item.name)});
  news_life_ = life_;
  news_come_ = true;
  changed_.notify_all();
}

/// With `lock` of m_.
void UserfsHost::send_due(std::unique_lock<std::mutex>& lock) {
  if (given_due_ == 0 || monotonic_ns() < given_due_) return;
  given_due_ = 0;
  if (iput_asked_ || given_.empty() || !connection_ || state_ != State::up) return;
  iput_asked_ = true;
  const Now now{this, connection_, life_};
  lock.unlock();
  send_given(now, true);
  lock.lock();
}

void UserfsHost::pass_news_on() {
  std::unique_lock lock(m_);
  for (;;) {
    const auto ready = [this] { return stopping_ || news_come_ || !news_.empty(); };
    if (given_due_ == 0)
      changed_.wait(lock, [&] { return ready() || given_due_ != 0; });
    else
      changed_.wait_for(lock, std::chrono::nanoseconds(given_due_ - monotonic_ns()), ready);
    if (stopping_) return;
    send_due(lock);
    const auto news = std::exchange(news_, {});
    const bool again = std::exchange(news_come_, false);
    const uint32_t life = news_life_;
    lock.unlock();
    for (auto& n : news) tell_news(life, n.item, n.name);
    if (again) ask_news();
    lock.lock();
  }
}

void UserfsHost::tell_news(uint32_t life, const NewsItem& item, const std::string& name) {
  const NodeId node = node_of(life, item.handle);
  const auto open = [&] {
    if (item.other == 0) return HandleId::none;
    if (!options_.restart) return HandleId{uint64_t{life} << 32 | item.other};
    std::lock_guard lock(m_);
    for (auto& [number, o] : opens_)
      if (o.life == life && o.fh == item.other && o.handle == item.handle) return HandleId{number};
    return HandleId::none;
  };
  const bool needs_name =
      item.kind() == NewsKind::name || item.kind() == NewsKind::deleted || item.kind() == NewsKind::changed;
  if (needs_name && !valid_name(name)) {
    bad_names_++;
    return;
  }
  switch (item.kind()) {
    case NewsKind::data:
      return up()->invalidate_node(node, item.offset, item.length);
    case NewsKind::attr:
      return up()->invalidate_attr(node);
    case NewsKind::name:
      return up()->invalidate_entry(node, name);
    case NewsKind::all_names:
      return up()->invalidate_all_names();
    case NewsKind::deleted:
      return up()->deleted(node, node_of(life, item.other), name);
    case NewsKind::ready:
      return up()->poll_ready(node, open(), item.bits);
    case NewsKind::changed:
      return up()->changed(node, name, item.bits);
    case NewsKind::lease:
      return up()->break_lease(node, open(), static_cast<uint8_t>(item.bits & 7));
  }
}

}  // namespace isthmus::userfs_host
