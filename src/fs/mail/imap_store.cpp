#include "fs/mail/imap_store.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "fs/curl/logins.h"
#include "fs/mail/headers.h"
#include "run/threads.h"

namespace isthmus::fs::mail {
namespace {

constexpr size_t kChunk = size_t{1} << 20;                // bytes of a message that are asked for at once
constexpr size_t kFirstBatch = 16, kMostBatch = 512;      // heads
constexpr int64_t kFreshNs = 2 * kNsPerSec;               // a list is not read again within
constexpr int64_t kIdleNs = int64_t{9} * 60 * kNsPerSec;  // RFC 2177: less than 29 minutes; routers forget sooner
constexpr int64_t kSoonNs = 100'000'000, kLaterNs = 3 * kNsPerSec;  // without work, until the folder on top is watched
constexpr int64_t kFirstPauseNs = kNsPerSec, kMostPauseNs = 60 * kNsPerSec;  // between tries to connect
constexpr int64_t kYoungNs = 10 * kNsPerSec;                                 // of a connection
constexpr int kMostYoungLosses = 4;
constexpr int kPasswordTries = 3;

Problem no_user(const std::string& url) {
  return {err(EINVAL), fmt::format("'{}' names no user, and neither does ~/.netrc", url), "imaps://USER@HOST/FOLDER"};
}

}  // namespace

Expected<std::unique_ptr<Store>> ImapStore::open(const std::string& url, const MailOptions& options,
                                                 const MailHooks& hooks, Mailbox& mailbox) {
  auto address = imap::parse_address(url);
  if (!address) return address.problem();
  curl::Terms terms;
  terms.user = address->user;
  terms.tls = address->implicit ? curl::Terms::Tls::implicit
              : options.tls     ? curl::Terms::Tls::require
                                : curl::Terms::Tls::off;
  terms.ca_file = options.cacert;
  terms.insecure = options.insecure;
  terms.connect_ms = terms.stall_ms = options.timeout_ms;
  const auto known = curl::find_login(address->host, address->user);
  if (terms.user.empty() && known) terms.user = known->user;
  if (terms.user.empty()) return no_user(url);
  bool asks = false;
  if (!options.password_file.empty()) {
    auto secret = curl::read_secret(options.password_file);
    if (!secret) return secret.problem();
    terms.password = *secret;
  } else if (known && known->user == terms.user) {
    terms.password = known->password;
  } else {
    asks = true;
  }
  for (int attempt = 1;; attempt++) {
    if (asks) {
      auto text = hooks.password ? hooks.password(attempt) : std::nullopt;
      if (!text)
        return Problem{err(EACCES), fmt::format("{}: no password was given", address->host),
                       "put it into ~/.netrc, or name a file by password_file="};
      terms.password = curl::Secret(*text);
      explicit_bzero(text->data(), text->size());
    }
    auto client = imap::Client::connect(*address, terms, hooks.cancelled);
    if (client)
      return std::unique_ptr<Store>(
          new ImapStore(std::move(*address), std::move(terms), std::move(*client), options, mailbox));
    if (!asks || client.problem().code != err(EACCES) || attempt == kPasswordTries) return client.problem();
  }
}

ImapStore::ImapStore(imap::Address address, curl::Terms terms, std::unique_ptr<imap::Client> client,
                     MailOptions options, Mailbox& mailbox)
    : address_(std::move(address)),
      terms_(std::move(terms)),
      options_(std::move(options)),
      mailbox_(mailbox),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      client_(std::move(client)) {}

ImapStore::~ImapStore() { stop(); }

Owner ImapStore::owner() const { return {::geteuid(), ::getegid()}; }

Status ImapStore::start() {
  if (!bell_) return err(EMFILE);
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { run(); });
    name_thread(thread_, "mail/imap");
  } catch (const std::system_error& e) {
    log(LogLevel::error, "no thread for the connection: {}", e.what());
    return err(EAGAIN);
  }
  return ask(nullptr, [this] { return with_box(kRootFolder, [](Box&) { return Status(Unit{}); }); });
}

void ImapStore::stop() {
  stopping_ = true;
  const uint64_t one = 1;
  if (bell_) (void)!::write(bell_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

// ---- work for the thread ----

Status ImapStore::ask(Cancel* cancel, std::function<Status()> work) {
  const auto job = std::make_shared<Job>();
  job->work = std::move(work);
  {
    const std::lock_guard lock(m_);
    if (stopping_) return err(EIO);
    jobs_.push_back(job);
  }
  const uint64_t one = 1;
  (void)!::write(bell_.get(), &one, sizeof one);
  if (cancel)
    cancel->on_request([this, job] {
      const std::lock_guard lock(m_);
      job->changed.notify_all();
    });
  Status status{Unit{}};
  {
    std::unique_lock lock(m_);
    // Work that has begun uses what is on this stack, and ends within its time-outs.
    job->changed.wait(lock, [&] { return job->done || (!job->started && cancel && cancel->requested()); });
    status = job->done ? job->status : Status(err(EINTR));
    if (!job->done) std::erase(jobs_, job);
  }
  if (cancel) cancel->clear();
  return status;
}

std::shared_ptr<ImapStore::Job> ImapStore::next_job() {
  const std::lock_guard lock(m_);
  if (jobs_.empty()) return nullptr;
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  job->started = true;
  return job;
}

void ImapStore::run() {
  while (!stopping_) {
    const auto job = next_job();
    Status status{err(EIO)};
    try {
      if (job)
        status = job->work();
      else
        wait_for_news();
    } catch (const std::exception& e) {
      // What was heard is half done: all of it is asked for again.
      log(LogLevel::error, "{}: {}", address_.host, e.what());
      on_fetch_ = nullptr;
      on_list_ = nullptr;
      forget_connection(err(ENOMEM));
    }
    if (!job) continue;
    const std::lock_guard lock(m_);
    job->status = status;
    job->done = true;
    job->changed.notify_all();
  }
  const std::lock_guard lock(m_);
  for (auto& job : jobs_) {
    job->status = err(EIO);
    job->done = true;
    job->changed.notify_all();
  }
  jobs_.clear();
}

/// False: the bell rang before.
bool ImapStore::sleep_until(int64_t until_ns) {
  for (;;) {
    const int64_t left_ns = until_ns - monotonic_ns();
    if (left_ns <= 0) return true;
    pollfd p{bell_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(std::min<int64_t>(left_ns / 1'000'000 + 1, 60'000))) > 0) {
      uint64_t rings = 0;
      (void)!::read(bell_.get(), &rings, sizeof rings);
      return false;
    }
  }
}

void ImapStore::wait_for_news() {
  if (!client_ || !client_->alive()) {
    if (sleep_until(std::max(retry_ns_, monotonic_ns() + kSoonNs)))
      (void)with_box(kRootFolder, [](Box&) { return Status(Unit{}); });
    return;
  }
  if (!sleep_until(monotonic_ns() + (selected_ == kRootFolder ? kSoonNs : kLaterNs))) return;
  if (!client_->has("IDLE") || no_idle_) {
    if (sleep_until(monotonic_ns() + int64_t{options_.poll_ms} * 1'000'000))
      (void)with_box(kRootFolder, [this](Box&) { return command("NOOP").status; });
    return;
  }
  Status done = with_box(kRootFolder, [this](Box&) {
    idle_folder_ = kRootFolder;
    Status idled = client_->idle(bell_.get(), monotonic_ns() + kIdleNs, [this](const imap::Response& r) {
      hear(r);
      return exists_ != uids_.size();  // the new ones are to be asked for
    });
    idle_folder_ = UINT32_MAX;
    return idled;
  });
  no_idle_ |= !done && done.error() == err(EOPNOTSUPP);
  pollfd p{bell_.get(), POLLIN, 0};
  uint64_t rings = 0;
  if (::poll(&p, 1, 0) > 0) (void)!::read(bell_.get(), &rings, sizeof rings);
}

void ImapStore::forget_connection(Errno why) {
  if (!client_) return;
  client_.reset();
  selected_ = UINT32_MAX;
  idle_folder_ = UINT32_MAX;
  retry_ns_ = 0;
  // One that never lasts is not made again and again.
  young_losses_ = monotonic_ns() - connected_ns_ < kYoungNs ? young_losses_ + 1 : 0;
  if (young_losses_ == 0) pause_ns_ = 0;
  if (young_losses_ > kMostYoungLosses) pause();
  if (!stopping_ && young_losses_ <= kMostYoungLosses + 1)
    log(LogLevel::warning, "{}: the connection is lost: {}", address_.host, text_of(why));
}

void ImapStore::pause() {
  pause_ns_ = std::clamp(pause_ns_ * 2, kFirstPauseNs, kMostPauseNs);
  retry_ns_ = monotonic_ns() + pause_ns_;
}

Status ImapStore::connected() {
  if (client_ && client_->alive()) return Unit{};
  forget_connection(err(EIO));
  if (monotonic_ns() < retry_ns_) return err(EHOSTDOWN);
  auto made = imap::Client::connect(address_, terms_, [this] { return stopping_.load(); });
  if (!made) {
    if (!std::exchange(down_, true) && !stopping_) log(LogLevel::warning, "{}", made.problem().what);
    pause();
    return made.problem().code;
  }
  if (std::exchange(down_, false)) {
    log(LogLevel::warning, "{}: connected again", address_.host);
    pause_ns_ = 0;
  }
  connected_ns_ = monotonic_ns();
  client_ = std::move(*made);
  return Unit{};
}

Status ImapStore::with_box(uint32_t folder, const std::function<Status(Box&)>& f, bool once) {
  Status done{Unit{}};
  for (int i = 0; i < 2; i++) {
    if (done = connected(); !done) return done;
    if (boxes_.empty()) done = list();
    if (done) done = select(folder);
    bool begun = false;
    if (done) {
      begun = true;
      done = f(boxes_.at(folder));
    }
    if (client_->alive()) {
      if (done) done = settle();
      if (client_->alive()) return done;
    }
    forget_connection(done ? err(EIO) : done.error());
    if (done || (begun && once) || done.error() == err(ETIMEDOUT)) break;
  }
  return done;
}

// ---- operations ----

Status ImapStore::load(uint32_t folder, Cancel* cancel) {
  {
    const std::lock_guard lock(m_);
    if (loaded_.contains(folder)) return Unit{};
  }
  return ask(cancel, [&] { return with_box(folder, [](Box&) { return Status(Unit{}); }); });
}

Status ImapStore::refresh(uint32_t folder, Cancel* cancel) {
  if (idle_folder_ == folder) return Unit{};
  const auto f = mailbox_.folder(folder);
  if (!f) return err(ENOENT);
  if (!f->holds_messages) return Unit{};
  return ask(cancel, [&] {
    const auto it = boxes_.find(folder);
    if (it != boxes_.end() && it->second.loaded && client_ && client_->alive() &&
        monotonic_ns() - it->second.synced_ns < kFreshNs)
      return Status(Unit{});
    return with_box(folder, [&](Box& box) -> Status {
      if (monotonic_ns() - box.synced_ns < kFreshNs) return Unit{};
      const auto said = command("NOOP");
      if (said.status) box.synced_ns = monotonic_ns();
      return said.status;
    });
  });
}

Status ImapStore::still_there(const Message& m) {
  if (auto said = command("NOOP"); !said.status) return said.status;
  return mailbox_.message(m.serial) ? Status(Unit{}) : Status(err(ENOENT));
}

Status ImapStore::heads(const Message& wanted, const std::function<bool(uint64_t)>& has, const HeadSink& sink,
                        Cancel* cancel) {
  return ask(cancel, [&] {
    if (has(wanted.serial)) return Status(Unit{});
    return with_box(wanted.folder, [&](Box& box) -> Status {
      if (!mailbox_.message(wanted.serial)) return err(ENOENT);
      // Whoever goes through a folder gets more and more at once.
      const bool goes_on =
          batch_folder_ == wanted.folder && wanted.number > batch_end_ && wanted.number - batch_end_ <= kMostBatch;
      batch_size_ = goes_on ? std::min(batch_size_ * 2, kMostBatch) : kFirstBatch;
      std::vector<uint32_t> uids;
      for (const Message& m : mailbox_.behind(wanted.folder, wanted.number - 1, batch_size_)) {
        batch_end_ = m.number;
        if (m.serial == wanted.serial || !has(m.serial)) uids.push_back(static_cast<uint32_t>(m.facts.offset));
      }
      batch_folder_ = wanted.folder;
      std::sort(uids.begin(), uids.end());
      bool came = false;
      Status done = fetch(fmt::format("UID FETCH {} (UID BODY.PEEK[HEADER]<0.{}>)", imap::number_set(uids), kMostHead),
                          [&](uint32_t, const Fetched& f) {
                            const auto m = f.body ? mailbox_.find_key(wanted.folder, key_of(box, f.uid)) : std::nullopt;
                            if (!m) return;
                            came |= m->serial == wanted.serial;
                            sink(*m, *f.body);
                          });
      if (came || (!done && !client_->alive())) return came ? Status(Unit{}) : done;
      if (Status there = still_there(wanted); !there) return there;
      return done ? Status(err(EIO)) : done;
    });
  });
}

Result<std::shared_ptr<const Blob>> ImapStore::raw(const Message& m, Cancel* cancel) {
  BlobWriter to;
  for (;;) {
    if (to.size() > options_.max_message || m.facts.size.value_or(0) > options_.max_message) return err(EFBIG);
    if (cancel && cancel->requested()) return err(EINTR);
    size_t got = 0;
    // A piece at a time, so that others come in between.
    Status done = ask(cancel, [&] {
      return with_box(m.folder, [&](Box&) -> Status {
        if (!mailbox_.message(m.serial)) return err(ENOENT);
        std::optional<std::string> piece;
        Status fetched = fetch(fmt::format("UID FETCH {} (UID BODY.PEEK[]<{}.{}>)", m.facts.offset, to.size(), kChunk),
                               [&](uint32_t, const Fetched& f) {
                                 if (f.body && f.uid == m.facts.offset) piece = *f.body;
                               });
        if (!fetched && !client_->alive()) return fetched;
        if (!piece) {
          if (Status there = still_there(m); !there) return there;
          return fetched ? Status(err(EIO)) : fetched;
        }
        got = piece->size();
        if (got > kChunk) return err(EPROTO);
        return to.append(*piece);
      });
    });
    if (!done) return done.error();
    if (got < kChunk) return to.finish();
  }
}

Result<uint64_t> ImapStore::size(const Message& m, Cancel* cancel) {
  // A server that did not tell is asked for all of it.
  auto all = raw(m, cancel);
  if (!all) return all.error();
  mailbox_.publish(mailbox_.set_size(m.serial, (*all)->size()));
  return (*all)->size();
}

Status ImapStore::change_flags(const Message& m, FlagChange change, Cancel* cancel) {
  const auto words = [](Flags flags) {
    std::string out;
    for (auto& f : kFlagNames)
      if (flags & f.flag) out.append(out.empty() ? "" : " ").append(f.imap);
    return out;
  };
  return ask(cancel, [&] {
    return with_box(m.folder, [&](Box&) -> Status {
      const auto now = mailbox_.message(m.serial);
      if (!now) return err(ENOENT);
      bool heard = false;
      for (auto& [sign, flags] : {std::pair<char, Flags>{'+', change.set & ~now->facts.flags},
                                  std::pair<char, Flags>{'-', change.clear & now->facts.flags}}) {
        if (!flags) continue;
        Status done = fetch(fmt::format("UID STORE {} {}FLAGS ({})", m.facts.offset, sign, words(flags)),
                            [&](uint32_t, const Fetched& f) { heard |= f.uid == m.facts.offset && f.has_flags; });
        if (!done) return done;
        // Flags that the server did not repeat are taken for set.
        const auto after = mailbox_.message(m.serial);
        if (!after) return err(ENOENT);
        const auto wanted = static_cast<Flags>(sign == '+' ? after->facts.flags | flags : after->facts.flags & ~flags);
        if (!heard) {
          if (Status there = still_there(m); !there) return there;
          mailbox_.publish(mailbox_.set_flags(m.folder, m.facts.key, wanted, after->facts.keywords));
        } else if (after->facts.flags != wanted) {
          return err(EOPNOTSUPP);  // the server does not keep it
        }
      }
      return Unit{};
    });
  });
}

Status ImapStore::remove(const Message& m, Cancel* cancel) {
  return ask(cancel, [&] {
    return with_box(
        m.folder,
        [&](Box&) -> Status {
          if (!mailbox_.message(m.serial)) return err(ENOENT);
          const std::string uid = std::to_string(m.facts.offset);
          std::string trash;
          if (Status found = find_trash(trash); !found) return found;
          if (Status again = select(m.folder); !again) return again;
          Box& box = boxes_.at(m.folder);  // finding Trash may have read the list again
          Status done = in_trash(box.name) ? expunge(box, m, uid) : throw_away(box, m, uid);
          if (done) mailbox_.publish(mailbox_.remove(m.folder, m.facts.key));
          return done;
        },
        true);
  });
}

}  // namespace isthmus::fs::mail
