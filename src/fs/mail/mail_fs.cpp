#include "fs/mail/mail_fs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/clock.h"
#include "fs/mail/names.h"

namespace isthmus::fs::mail {
namespace {

constexpr size_t kMostHeads = 20'000, kMostHeadBytes = size_t{64} << 20;
constexpr size_t kMostContents = 64, kMostContentBytes = size_t{64} << 20;
constexpr Ttl kNameMs = 30'000;  // a change is told; this is for what is not heard
constexpr int64_t kTakenNs = 30 * kNsPerSec;
constexpr size_t kSweepTaken = 64;

}  // namespace

std::optional<size_t> MailFs::Node::flag() const {
  if (!message || file < kFirstFlag || file >= kFirstFlag + kFlagNames.size()) return std::nullopt;
  return file - kFirstFlag;
}

MailFs::MailFs(std::string name, std::unique_ptr<Mailbox> mailbox, std::unique_ptr<Store> store)
    : name_(std::move(name)),
      mailbox_(std::move(mailbox)),
      store_(std::move(store)),
      owner_(store_->owner()),
      heads_(kMostHeads, kMostHeadBytes),
      contents_(kMostContents, kMostContentBytes) {}

MailFs::~MailFs() = default;

Status MailFs::start(Upcalls& up) {
  if (auto done = FileSystem::start(up); !done) return done;
  mailbox_->tell(up);
  return store_->start();
}

void MailFs::stop() { store_->stop(); }

Traits MailFs::traits() const {
  Traits t;
  t.type = "mail";
  t.source = name_;
  t.read_only = store_->read_only();
  t.dir_attr = true;
  t.changes_outside = true;
  t.tells_changes = store_->tells_changes();
  t.write_back = false;
  return t;
}

// ---- what a node is ----

MailFs::Node MailFs::node_of(const Message& m, uint32_t file) {
  return {.id = message_node(m.serial, file), .file = file, .message = m, .folder = std::nullopt};
}

Result<MailFs::Node> MailFs::node(NodeId id) const {
  const Named named = named_by(id);
  Node n{.id = id, .file = named.file, .message = std::nullopt, .folder = std::nullopt};
  if (named.serial)
    n.message = mailbox_->message(named.serial);
  else
    n.folder = mailbox_->folder(named.file);
  if (!n.message && !n.folder) return err(ENOENT);  // it was here, and has gone
  return n;
}

Result<Kept<HeaderFiles>::Value> MailFs::heads(const Message& m, Cancel* cancel) {
  return heads_.get(key(m), cancel, [&]() -> Result<Heads::Value> {
    Heads::Value mine;
    const auto has = [&](uint64_t serial) {
      const auto other = mailbox_->message(serial);
      return other && heads_.find(key(*other));
    };
    Status done = store_->heads(
        m, has,
        [&](const Message& which, std::string_view head) {
          auto made = std::make_shared<const HeaderFiles>(HeaderFiles::of(head, names_));
          heads_.put(key(which), made, made->weight());
          if (which.serial == m.serial) mine = std::move(made);
        },
        cancel);
    if (!done) return done.error();
    if (!mine) mine = heads_.find(key(m));  // it came along with another's
    return mine ? Result<Heads::Value>(std::move(mine)) : Result<Heads::Value>(err(EIO));
  });
}

Result<Kept<Content>::Value> MailFs::content(const Message& m, Cancel* cancel) {
  return contents_.get(key(m), cancel, [&]() -> Result<Contents::Value> {
    auto raw = store_->parsable(m, cancel);
    if (!raw) return raw.error();
    auto parsed = parse_message(**raw);
    if (!parsed) return parsed.error();
    auto made = std::make_shared<const Content>(std::move(*parsed));
    contents_.put(key(m), made, made->weight());
    return Contents::Value(std::move(made));
  });
}

std::string MailFs::flag_text(const Node& n) {
  const Facts& facts = n.message->facts;
  if (n.file == kFlagList) return list_text(facts.flags, facts.keywords);
  return facts.flags & kFlagNames[*n.flag()].flag ? "1\n" : "0\n";
}

Result<std::shared_ptr<const Blob>> MailFs::data(const Node& n, Cancel* cancel) {
  if (n.is_flag_file()) return Blob::of(flag_text(n));
  if (n.file == kRaw) {
    auto raw = store_->raw(*n.message, cancel);
    if (raw) mailbox_->publish(mailbox_->set_size(n.message->serial, (*raw)->size()));
    return raw;
  }
  if (n.file >= kFirstHeader && n.file < kFirstAttachment) {
    auto all = heads(*n.message, cancel);
    if (!all) return all.error();
    const auto* file = (*all)->find(n.file - kFirstHeader);
    if (!file) return err(ENOENT);
    return Blob::of(file->text);
  }
  auto all = content(*n.message, cancel);
  if (!all) return all.error();
  if (n.file == kBody) return (*all)->body;
  const uint32_t i = n.file - kFirstAttachment;
  if (n.file < kFirstAttachment || i >= (*all)->attachments.size()) return err(ENOENT);
  return (*all)->attachments[i].data;
}

Result<uint64_t> MailFs::size(const Node& n, Cancel* cancel) {
  if (n.is_dir()) return uint64_t{0};
  if (n.file == kRaw) return n.message->facts.size ? *n.message->facts.size : store_->size(*n.message, cancel);
  auto all = data(n, cancel);
  if (!all) return all.error();
  return (*all)->size();
}

// ---- attributes ----

void MailFs::set_size(Attr& a, uint64_t bytes) {
  a.size = bytes;
  a.blocks = bytes / 512 + (bytes % 512 != 0);
}

Attr MailFs::plain_attr(const Node& n) const {
  Attr a;
  a.ino = raw(n.id);
  a.uid = owner_.uid;
  a.gid = owner_.gid;
  const bool fixed = store_->read_only();
  if (n.folder) {
    a.mode = S_IFDIR | (fixed ? 0500 : 0700);
    a.nlink = static_cast<uint32_t>(std::min<uint64_t>(2 + n.folder->folders + n.folder->messages, UINT32_MAX));
    a.mtime = a.ctime = a.atime = n.folder->changed;
    return a;
  }
  // Mail is private. A file that cannot be written is writable all the same: rm(1) would ask about each that is not.
  a.mode = n.is_dir() ? S_IFDIR | (fixed ? 0500 : 0700) : S_IFREG | (fixed ? 0400 : 0600);
  a.nlink = n.file == kMessageItself ? 4 : n.is_dir() ? 2 : 1;
  a.mtime = a.ctime = a.atime = n.message->facts.time;
  return a;
}

Result<Attr> MailFs::attr(const Node& n, Cancel* cancel) {
  Attr a = plain_attr(n);
  auto bytes = size(n, cancel);
  if (!bytes) return bytes.error();
  set_size(a, *bytes);
  return a;
}

Ttl MailFs::ttl(const Node& n) const {
  if (n.folder || n.is_flag_file()) return 0;
  // Programs write into the heads of an mbox.
  if (!store_->lasting() && !n.is_dir()) return 0;
  return kNameMs;
}

Entry MailFs::entry(const Node& n, const Attr& a) const {
  Entry e;
  e.node = n.id;
  e.attr = a;
  e.attr_ttl = ttl(n);
  e.entry_ttl = kNameMs;
  return e;
}

Result<Attributes> MailFs::getattr(const Context& ctx, const op::Getattr& a) {
  auto n = node(a.node);
  if (!n) {
    const auto file = a.handle == HandleId::none ? nullptr : opened(a.handle);
    if (file && file->data) return Attributes{file->attr, 0};
    return n.error();
  }
  auto got = attr(*n, ctx.cancel);
  if (!got) return got.error();
  return Attributes{*got, ttl(*n)};
}

/// Opening for writing cuts a file first: what is written to a flag's file is the news, so cutting it says nothing.
Result<Attributes> MailFs::setattr(const Context& ctx, const op::Setattr& a) {
  auto n = node(a.node);
  if (!n) return n.error();
  if (store_->read_only()) return err(EROFS);
  constexpr uint32_t kNothing = kSetSize | kSetAtime | kSetMtime | kSetAtimeNow | kSetMtimeNow | kSetCtime;
  if (!n->is_flag_file() || (a.set.mask & ~kNothing)) return err(EPERM);
  auto got = attr(*n, ctx.cancel);
  if (!got) return got.error();
  return Attributes{*got, 0};
}

// ---- names ----

Result<MailFs::Node> MailFs::child_of_folder(const Node& dir, std::string_view name, Cancel* cancel) {
  const uint32_t folder = dir.folder->index;
  auto f = mailbox_->find_folder(folder, name);
  if (!f) {
    const auto number = dir.folder->holds_messages ? number_of_name(name) : std::nullopt;
    if (!number) return err(ENOENT);
    if (Status loaded = store_->load(folder, cancel); !loaded) return loaded.error();
    const auto m = mailbox_->find(folder, *number);
    if (!m) return err(ENOENT);
    return node_of(*m, kMessageItself);
  }
  return Node{.id = folder_node(f->index), .file = f->index, .message = std::nullopt, .folder = std::move(f)};
}

Result<uint32_t> MailFs::file_named(const Node& dir, std::string_view name, Cancel* cancel) {
  if (dir.file == kFlagsDir) {
    if (name == "list") return uint32_t{kFlagList};
    for (size_t i = 0; i < kFlagNames.size(); i++)
      if (kFlagNames[i].name == name) return kFirstFlag + static_cast<uint32_t>(i);
    return err(ENOENT);
  }
  if (dir.file == kAttachments) {
    auto all = content(*dir.message, cancel);
    if (!all) return all.error();
    const auto& list = (*all)->attachments;
    const auto it = std::find_if(list.begin(), list.end(), [&](auto& a) { return a.name == name; });
    if (it == list.end()) return err(ENOENT);
    return kFirstAttachment + static_cast<uint32_t>(it - list.begin());
  }
  if (name == "raw") return uint32_t{kRaw};
  if (name == "body") return uint32_t{kBody};
  if (name == "attachments") return uint32_t{kAttachments};
  if (name == "flags") return uint32_t{kFlagsDir};
  auto all = heads(*dir.message, cancel);
  if (!all) return all.error();
  const auto number = names_.find(name);
  if (!number || !(*all)->find(*number)) return err(ENOENT);
  return kFirstHeader + *number;
}

Result<MailFs::Node> MailFs::child(const Node& dir, std::string_view name, Cancel* cancel) {
  if (!dir.is_dir()) return err(ENOTDIR);
  if (name == ".") return dir;
  if (name == "..") {
    if (dir.folder) return node(folder_node(dir.folder->parent));
    if (dir.file == kMessageItself) return node(folder_node(dir.message->folder));
    return node_of(*dir.message, kMessageItself);
  }
  if (name.size() > 255) return err(ENAMETOOLONG);
  if (dir.folder) return child_of_folder(dir, name, cancel);
  auto file = file_named(dir, name, cancel);
  if (!file) return file.error();
  if (is_taken(dir.message->serial, *file)) return err(ENOENT);
  return node_of(*dir.message, *file);
}

Result<Entry> MailFs::lookup(const Context& ctx, const op::Lookup& a) {
  auto dir = node(a.dir);
  if (!dir) return dir.error();
  auto n = child(*dir, a.name, ctx.cancel);
  if (!n) return n.error();
  auto got = attr(*n, ctx.cancel);
  if (!got) return got.error();
  return entry(*n, *got);
}

// ---- removing ----

bool MailFs::is_taken(uint64_t serial, uint32_t file) {
  std::lock_guard lock(taken_m_);
  const auto it = taken_.find(serial);
  if (it == taken_.end()) return false;
  if (it->second.until_ns < monotonic_ns()) {
    taken_.erase(it);
    return false;
  }
  return it->second.files.contains(file);
}

void MailFs::take(uint64_t serial, uint32_t file) {
  const int64_t now_ns = monotonic_ns();
  std::lock_guard lock(taken_m_);
  if (taken_.size() > kSweepTaken) std::erase_if(taken_, [&](auto& t) { return t.second.until_ns < now_ns; });
  Taken& t = taken_[serial];
  if (t.until_ns < now_ns) t.files.clear();
  t.files.insert(file);
  t.until_ns = now_ns + kTakenNs;
}

Result<Unit> MailFs::unlink(const Context& ctx, const op::Unlink& a) {
  auto dir = node(a.dir);
  if (!dir) return dir.error();
  auto n = child(*dir, a.name, ctx.cancel);
  if (!n) return n.error();
  if (n->is_dir()) return err(EISDIR);
  if (store_->read_only()) return err(EROFS);
  take(n->message->serial, n->file);
  return Unit{};
}

Result<Unit> MailFs::rmdir(const Context& ctx, const op::Rmdir& a) {
  if (a.name == ".") return err(EINVAL);
  if (a.name == "..") return err(ENOTEMPTY);
  auto dir = node(a.dir);
  if (!dir) return dir.error();
  auto n = child(*dir, a.name, ctx.cancel);
  if (!n) return n.error();
  if (!n->is_dir()) return err(ENOTDIR);
  if (store_->read_only()) return err(EROFS);
  if (n->folder) return err(EPERM);
  if (n->file != kMessageItself) {
    take(n->message->serial, n->file);
    return Unit{};
  }
  Status done = store_->remove(*n->message, ctx.cancel);
  if (done) {
    std::lock_guard lock(taken_m_);
    taken_.erase(n->message->serial);
  }
  return done;
}

Result<StatFs> MailFs::statfs(const Context&, const op::Statfs&) {
  StatFs s;
  s.files = mailbox_->count();
  return s;
}

}  // namespace isthmus::fs::mail
