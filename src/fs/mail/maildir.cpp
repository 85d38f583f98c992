#include "fs/mail/maildir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "base/pread_all.h"
#include "fs/mail/headers.h"
#include "fs/mail/maildir_names.h"

namespace isthmus::fs::mail {
namespace {

constexpr int kMostRenames = 5;  // to find a message that others rename
constexpr size_t kHeadPiece = size_t{16} << 10;
constexpr uint32_t kFolders = UINT32_MAX;  // for the watcher, in place of a folder's index: their names
constexpr std::string_view kTrash = "Trash";

/// Without taking the place of a file that is there.
Status rename_to_free(int root, const std::string& from, const std::string& to) {
  if (::renameat2(root, from.c_str(), root, to.c_str(), RENAME_NOREPLACE) == 0) return Unit{};
  if (errno != EINVAL && errno != ENOSYS) return last_errno();
  // A store that cannot promise that. Names in Maildirs are unique: what is there is a mistake of somebody's.
  if (::faccessat(root, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return err(EEXIST);
  return check(::renameat(root, from.c_str(), root, to.c_str()));
}

Status make_folder(int root, const std::string& path) {
  if (::mkdirat(root, path.c_str(), 0700) < 0) return errno == EEXIST ? Status(Unit{}) : Status(last_errno());
  struct stat st {};
  // Made by root in somebody's Maildir, it is theirs.
  if (::geteuid() == 0 && ::fstat(root, &st) == 0)
    return check(::fchownat(root, path.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW));
  return Unit{};
}

}  // namespace

Maildir::Maildir(Fd root, std::string path, MailOptions options, Mailbox& mailbox)
    : root_(std::move(root)),
      path_(std::move(path)),
      options_(std::move(options)),
      mailbox_(mailbox),
      watcher_([this](uint32_t id) { look(id); }) {}

Maildir::~Maildir() { stop(); }

bool Maildir::is_one(const std::string& path) {
  const Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return root && has_maildir(root.get(), "");
}

Expected<std::unique_ptr<Store>> Maildir::open(const std::string& path, const MailOptions& options, Mailbox& mailbox) {
  Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return Problem{last_errno(), fmt::format("'{}': {}", path, text_of(last_errno())), ""};
  if (!has_maildir(root.get(), ""))
    return Problem{err(EBADMSG), fmt::format("'{}' is no Maildir: there is no folder cur in it", path), ""};
  return std::unique_ptr<Store>(new Maildir(std::move(root), path, options, mailbox));
}

Owner Maildir::owner() const {
  struct stat st {};
  return ::fstat(root_.get(), &st) == 0 ? Owner{st.st_uid, st.st_gid} : Owner{::geteuid(), ::getegid()};
}

Status Maildir::start() {
  mailbox_.publish(find_folders());
  watcher_.start(path_);
  watcher_.add(path_, kFolders);
  return Unit{};
}

void Maildir::stop() { watcher_.stop(); }

void Maildir::watch_folder(const Folder& f) {
  {
    const std::lock_guard lock(watch_m_);
    if (!is_watched_.insert(f.index).second) return;
  }
  for (const char* part : {"new", "cur"})
    if (!watcher_.add(join(path_, join(f.place, part)), f.index) && errno != ENOENT)
      log(LogLevel::warning, "{}: new mail shows when it is listed, not before: {}", join(path_, f.place),
          text_of(last_errno()));
}

void Maildir::look(uint32_t id) {
  mailbox_.publish(find_folders());
  if (id != kFolders && !read_folder(id, false)) {
    // It has gone; another of its name may come.
    const std::lock_guard lock(watch_m_);
    is_watched_.erase(id);
  }
}

Status Maildir::load(uint32_t folder, Cancel* cancel) {
  {
    std::lock_guard lock(m_);
    const auto it = looks_.find(folder);
    if (it != looks_.end() && it->second.valid) return Unit{};
  }
  return refresh(folder, cancel);
}

Status Maildir::refresh(uint32_t folder, Cancel*) {
  const auto f = mailbox_.folder(folder);
  if (!f) return err(ENOENT);
  // Folders in folders are not watched.
  if (!f->place.starts_with('.')) mailbox_.publish(find_folders());
  return f->holds_messages ? read_folder(folder, true) : Status(Unit{});
}

// ---- messages ----

std::string Maildir::path_of(uint32_t folder, std::string_view below) const {
  const auto f = mailbox_.folder(folder);
  return f ? join(f->place, below) : std::string();
}

template <class F>
Status Maildir::with_place(const Message& m, F f) {
  for (int i = 0; i < kMostRenames; i++) {
    const auto now = mailbox_.message(m.serial);
    if (!now) return err(ENOENT);
    Status done = f(path_of(now->folder, now->facts.place), *now);
    if (done || done.error() != err(ENOENT)) return done;
    // Somebody has renamed or removed it.
    if (Status again = read_folder(m.folder, false); !again) return again;
  }
  return err(ENOENT);
}

Result<Fd> Maildir::open_message(const Message& m) {
  Fd fd;
  Status done = with_place(m, [&](const std::string& path, const Message&) {
    // Not what somebody else's link or fifo leads to.
    fd = Fd(::openat(root_.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    return fd ? Status(Unit{}) : Status(last_errno());
  });
  if (!done) return done.error();
  return fd;
}

Status Maildir::heads(const Message& wanted, const std::function<bool(uint64_t)>&, const HeadSink& sink, Cancel*) {
  auto fd = open_message(wanted);
  if (!fd) return fd.error();
  std::string head;
  while (head.size() < kMostHead && !end_of_head(head)) {
    const size_t had = head.size();
    head.resize(had + kHeadPiece);
    const auto n = pread_all(fd->get(), std::as_writable_bytes(std::span(head)).subspan(had), had);
    if (!n) return n.error();
    head.resize(had + *n);
    if (*n == 0) break;
  }
  sink(wanted, head);
  return Unit{};
}

Result<std::shared_ptr<const Blob>> Maildir::raw(const Message& m, Cancel*) {
  auto fd = open_message(m);
  if (!fd) return fd.error();
  struct stat st {};
  if (::fstat(fd->get(), &st) < 0) return last_errno();
  if (!S_ISREG(st.st_mode)) return err(EIO);
  return Blob::of(std::move(*fd), 0, static_cast<uint64_t>(st.st_size));
}

Result<uint64_t> Maildir::size(const Message& m, Cancel*) {
  struct stat st {};
  Status done = with_place(m, [&](const std::string& path, const Message&) {
    return check(::fstatat(root_.get(), path.c_str(), &st, AT_SYMLINK_NOFOLLOW));
  });
  if (!done) return done.error();
  return static_cast<uint64_t>(st.st_size);
}

Status Maildir::change_flags(const Message& m, FlagChange change, Cancel*) {
  return with_place(m, [&](const std::string& path, const Message& now) -> Status {
    const MessageName name = MessageName::of(now.facts.place);
    const auto flags = static_cast<Flags>((flags_of_letters(name.letters) & ~change.clear) | change.set);
    if (flags == flags_of_letters(name.letters)) return check(::faccessat(root_.get(), path.c_str(), F_OK, 0));
    const std::string place = in_cur(now.facts.key, letters_with(name.letters, flags));
    if (Status done = rename_to_free(root_.get(), path, path_of(now.folder, place)); !done) return done;
    mailbox_.publish(mailbox_.set_place(now.folder, now.facts.key, place, flags));
    return Unit{};
  });
}

// ---- the end of a message ----

bool Maildir::in_trash(uint32_t folder) const {
  const auto to = find_trash();
  for (auto f = mailbox_.folder(folder); to && f; f = mailbox_.folder(f->parent)) {
    if (f->index == to->index) return true;
    if (f->index == kRootFolder) break;
  }
  return false;
}

std::optional<Folder> Maildir::find_trash() const {
  if (!options_.trash.empty()) return mailbox_.folder_by_path(options_.trash);
  for (const Folder& f : mailbox_.folders_behind(kRootFolder, kRootFolder, SIZE_MAX))
    if (lower_ascii(f.name) == lower_ascii(kTrash) && f.holds_messages) return f;
  return std::nullopt;
}

Result<Folder> Maildir::trash() {
  if (auto there = find_trash()) return *there;
  const std::string place = trash_place(root_.get(), options_.trash.empty() ? std::string(kTrash) : options_.trash);
  // cur/ comes last: with it, it is a folder.
  for (const char* below : {"", "tmp", "new", "cur"})
    if (Status made = make_folder(root_.get(), join(place, below)); !made) return made.error();
  if (place.starts_with('.'))
    Fd(::openat(root_.get(), join(place, "maildirfolder").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).reset();
  mailbox_.publish(find_folders());
  if (auto made = mailbox_.folder_at(place)) return *made;
  return err(EIO);
}

/// For a folder on another store: a delivery as any, and only then the original goes.
Status Maildir::copy_over(const std::string& from, const std::string& folder, const std::string& place) {
  Fd in(::openat(root_.get(), from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in) return last_errno();
  struct stat st {};
  if (::fstat(in.get(), &st) < 0) return last_errno();
  const std::string temporary = join(folder, "tmp/" + unique_name());
  Fd out(::openat(root_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return last_errno();
  const auto copied = [&]() -> Status {
    std::string piece(size_t{128} << 10, '\0');
    for (;;) {
      const ssize_t n = ::read(in.get(), piece.data(), piece.size());
      if (n < 0) return last_errno();
      if (n == 0) break;
      for (ssize_t done = 0; done < n;) {
        const ssize_t w = ::write(out.get(), piece.data() + done, static_cast<size_t>(n - done));
        if (w < 0) return last_errno();
        done += w;
      }
    }
    if (::geteuid() == 0 && ::fchown(out.get(), st.st_uid, st.st_gid) < 0) return last_errno();
    const timespec times[2] = {st.st_atim, st.st_mtim};  // the mtime is when it was delivered
    if (::futimens(out.get(), times) < 0 || ::fsync(out.get()) < 0) return last_errno();
    if (Status named = rename_to_free(root_.get(), temporary, join(folder, place)); !named) return named;
    const Fd dir(::openat(root_.get(), join(folder, "cur").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return dir ? check(::fsync(dir.get())) : Status(last_errno());
  }();
  if (!copied) {
    ::unlinkat(root_.get(), temporary.c_str(), 0);
    return copied;
  }
  return check(::unlinkat(root_.get(), from.c_str(), 0));
}

Status Maildir::remove(const Message& m, Cancel*) {
  const bool for_good = in_trash(m.folder);
  Status done = with_place(m, [&](const std::string& path, const Message& now) -> Status {
    if (for_good) return check(::unlinkat(root_.get(), path.c_str(), 0));
    auto to = trash();
    if (!to) return to.error() == err(ENOENT) ? err(EIO) : to.error();
    const MessageName name = MessageName::of(now.facts.place);
    std::string place = in_cur(now.facts.key, name.letters);
    Status moved = rename_to_free(root_.get(), path, join(to->place, place));
    if (!moved && moved.error() == err(EEXIST)) {  // a copy of it is there already
      place = in_cur(unique_name(), name.letters);
      moved = rename_to_free(root_.get(), path, join(to->place, place));
    }
    return !moved && moved.error() == err(EXDEV) ? copy_over(path, to->place, place) : moved;
  });
  if (done) mailbox_.publish(mailbox_.remove(m.folder, m.facts.key));
  return done;
}

}  // namespace isthmus::fs::mail
