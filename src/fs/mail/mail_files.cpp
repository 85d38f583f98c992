#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <span>

#include "fs/mail/mail_fs.h"

/// Files and listings.
namespace isthmus::fs::mail {
namespace {

constexpr size_t kListedAtOnce = 256;
constexpr size_t kMostWritten = 4096;  // bytes that may say something of flags
// Cookies of listings: 1 and 2 are the dots. In a folder its folders follow, then the messages, by number.
constexpr uint64_t kDots = 2, kMessages = uint64_t{1} << 32;

}  // namespace

// ---- files ----

Result<Opened> MailFs::open(const Context& ctx, const op::Open& a) {
  auto n = node(a.node);
  if (!n) return n.error();
  if (n->is_dir()) return err(EISDIR);
  const bool writes = (a.flags & O_ACCMODE) != O_RDONLY || (a.flags & O_TRUNC);
  if (writes && store_->read_only()) return err(EROFS);
  if (writes && !n->is_flag_file()) return err(EPERM);
  auto file = std::make_shared<OpenFile>();
  Opened o;
  if (n->is_flag_file()) {
    o.flags = kOpenedDirectIo | kOpenedNoFlush;
  } else {
    auto all = data(*n, ctx.cancel);
    if (!all) return all.error();
    file->attr = plain_attr(*n);
    set_size(file->attr, (*all)->size());
    file->data = std::move(*all);
    o.flags = kOpenedNoFlush | (store_->lasting() ? kOpenedKeepCache : 0u);
  }
  std::lock_guard lock(open_m_);
  o.handle = HandleId{next_handle_++};
  open_.emplace(raw(o.handle), std::move(file));
  return o;
}

Result<Unit> MailFs::release(const Context&, const op::Release& a) {
  std::shared_ptr<const OpenFile> last;  // closed without the lock
  std::lock_guard lock(open_m_);
  const auto it = open_.find(raw(a.handle));
  if (it == open_.end()) return err(EBADF);
  last = std::move(it->second);
  open_.erase(it);
  return Unit{};
}

std::shared_ptr<const MailFs::OpenFile> MailFs::opened(HandleId handle) {
  std::lock_guard lock(open_m_);
  const auto it = open_.find(raw(handle));
  return it == open_.end() ? nullptr : it->second;
}

Result<Buffer> MailFs::read(const Context& ctx, const op::Read& a) {
  std::shared_ptr<const Blob> from;
  if (a.handle != HandleId::none) {
    const auto file = opened(a.handle);
    if (!file) return err(EBADF);
    from = file->data;
  }
  if (!from) {
    auto n = node(a.node);
    if (!n) return n.error();
    if (n->is_dir()) return err(EISDIR);
    auto all = data(*n, ctx.cancel);
    if (!all) return all.error();
    from = std::move(*all);
  }
  return from->read(a.offset, a.size);
}

Result<size_t> MailFs::write(const Context& ctx, const op::Write& a) {
  auto n = node(a.node);
  if (!n) return n.error();
  if (store_->read_only()) return err(EROFS);
  if (!n->is_flag_file()) return err(EPERM);
  const size_t size = a.data->size();
  if (size > kMostWritten) return err(EINVAL);
  std::string room;
  auto bytes = a.data->in_one_piece(room);
  if (!bytes) return bytes.error();
  // The end of a line that came alone.
  if (a.offset > 0 && as_text(*bytes).find_first_not_of(" \t\r\n") == std::string_view::npos) return size;
  FlagChange change;
  if (const auto flag = n->flag()) {
    const auto value = parse_flag_value(as_text(*bytes));
    if (!value) return err(EINVAL);
    (*value ? change.set : change.clear) = kFlagNames[*flag].flag;
  } else {
    const auto list = parse_flag_list(as_text(*bytes), n->message->facts.keywords);
    if (!list) return err(EINVAL);
    change = *list;
  }
  if (Status done = store_->change_flags(*n->message, change, ctx.cancel); !done) return done.error();
  return size;
}

// ---- listings ----

Result<Opened> MailFs::open_dir(const Context&, const op::OpenDir& a) {
  auto n = node(a.node);
  if (!n) return n.error();
  if (!n->is_dir()) return err(ENOTDIR);
  return Opened{};
}

bool MailFs::cheap_entry(const Node& n, Entry& e) {
  Attr a = plain_attr(n);
  if (!n.is_dir()) {
    if (n.file == kBody || n.file >= kFirstAttachment) {
      const auto known = contents_.find(key(*n.message));
      if (!known) return false;  // that would be to read the whole message
      const uint32_t i = n.file - kFirstAttachment;
      if (n.file != kBody && i >= known->attachments.size()) return false;
      set_size(a, n.file == kBody ? known->body->size() : known->attachments[i].data->size());
    } else {
      auto bytes = size(n, nullptr);
      if (!bytes) return false;
      set_size(a, *bytes);
    }
  }
  e = entry(n, a);
  return true;
}

void MailFs::name_in_list(DirEntry& d, const Node& n, uint64_t cookie) const {
  d.ino = raw(n.id);
  d.type = n.is_dir() ? DT_DIR : DT_REG;
  d.cookie = cookie;
}

Result<Unit> MailFs::read_dir(const Context& ctx, const op::ReadDir& a) {
  auto dir = node(a.node);
  if (!dir) return dir.error();
  if (!dir->is_dir()) return err(ENOTDIR);
  if (a.cookie == 0 && dir->folder)
    if (Status fresh = store_->refresh(dir->folder->index, ctx.cancel); !fresh) return fresh;
  for (uint64_t at = a.cookie; at < kDots; at++) {
    auto n = child(*dir, at == 0 ? "." : "..", ctx.cancel);
    if (!n) return n.error();
    DirEntry d;
    name_in_list(d, *n, at + 1);
    d.name = at == 0 ? "." : "..";
    if (!a.sink->add(d)) return Unit{};
  }
  return dir->folder ? list_folder(*dir, a, ctx.cancel) : list_message(*dir, a, ctx.cancel);
}

Status MailFs::list_folder(const Node& dir, const op::ReadDir& a, Cancel* cancel) {
  const auto add = [&](const Node& n, std::string_view name, uint64_t cookie) {
    DirEntry d;
    Entry with;
    name_in_list(d, n, cookie);
    d.name = name;
    if (a.with_attr && cheap_entry(n, with)) d.with = &with;
    return a.sink->add(d);
  };
  const uint32_t folder = dir.folder->index;
  if (a.cookie < kMessages) {
    auto index = static_cast<uint32_t>(a.cookie > kDots ? a.cookie - kDots : 0);
    for (;;) {
      auto some = mailbox_->folders_behind(folder, index, kListedAtOnce);
      if (some.empty()) break;
      for (Folder& f : some) {
        index = f.index;
        const std::string name = f.name;
        const Node n{.id = folder_node(index), .file = index, .message = std::nullopt, .folder = std::move(f)};
        if (!add(n, name, kDots + index)) return Unit{};
      }
    }
  }
  uint32_t number = a.cookie >= kMessages ? static_cast<uint32_t>(a.cookie - kMessages) : 0;
  for (;;) {
    const auto some = mailbox_->behind(folder, number, kListedAtOnce);
    if (some.empty()) return Unit{};
    for (const Message& m : some) {
      number = m.number;
      if (!add(node_of(m, kMessageItself), number_name(number), kMessages + number)) return Unit{};
    }
    if (cancel && cancel->requested()) return err(EINTR);
  }
}

template <class F>
Status MailFs::for_each_file(const Node& dir, uint64_t behind, Cancel* cancel, F f) {
  const auto give = [&](uint32_t file, std::string_view name) {
    return file <= behind || is_taken(dir.message->serial, file) || f(file, name);
  };
  if (dir.file == kFlagsDir) {
    if (!give(kFlagList, "list")) return Unit{};
    for (size_t i = 0; i < kFlagNames.size(); i++)
      if (!give(kFirstFlag + static_cast<uint32_t>(i), kFlagNames[i].name)) break;
    return Unit{};
  }
  if (dir.file == kAttachments) {
    auto all = content(*dir.message, cancel);
    if (!all) return all.error();
    for (size_t i = 0; i < (*all)->attachments.size(); i++)
      if (!give(kFirstAttachment + static_cast<uint32_t>(i), (*all)->attachments[i].name)) break;
    return Unit{};
  }
  constexpr std::pair<uint32_t, std::string_view> kOurs[] = {
      {kRaw, "raw"}, {kBody, "body"}, {kAttachments, "attachments"}, {kFlagsDir, "flags"}};
  for (auto& [file, name] : kOurs)
    if (!give(file, name)) return Unit{};
  auto all = heads(*dir.message, cancel);
  if (!all) return all.error();
  for (const auto& h : (*all)->files())
    if (!give(kFirstHeader + h.number, names_.name_of(h.number))) break;
  return Unit{};
}

Status MailFs::list_message(const Node& dir, const op::ReadDir& a, Cancel* cancel) {
  const uint64_t behind = a.cookie > kDots ? a.cookie - kDots : 0;
  return for_each_file(dir, behind, cancel, [&](uint32_t file, std::string_view name) {
    const Node n = node_of(*dir.message, file);
    DirEntry d;
    Entry with;
    name_in_list(d, n, kDots + file);
    d.name = name;
    if (a.with_attr && cheap_entry(n, with)) d.with = &with;
    return a.sink->add(d);
  });
}

}  // namespace isthmus::fs::mail
