#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "fs/mail/imap_store.h"
#include "fs/mail/names.h"

/// Mailboxes of a server: which there are, and what is in them.
namespace isthmus::fs::mail {
namespace {

constexpr uint32_t kMostInBox = 2'000'000;  // of a mailbox
constexpr size_t kAskedAtOnce = 500;
constexpr size_t kMostBoxes = 20'000, kMostKeywords = 32, kMostKeyword = 64;
constexpr std::string_view kInbox = "INBOX", kUsualTrash = "Trash";

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// INBOX is so in whatever case, and in front of other names.
bool below(std::string_view name, std::string_view parent, char delimiter) {
  if (!delimiter || name.size() <= parent.size() + 1 || name[parent.size()] != delimiter) return false;
  const auto front = name.substr(0, parent.size());
  return same_name(parent, kInbox) ? same_name(front, parent) : front == parent;
}

std::string shown(std::string_view part) { return utf8_of_mailbox(part).value_or(std::string(part)); }

/// As a user writes it: "Archive/2024".
std::string shown_path(std::string_view name, char delimiter) {
  std::string out;
  for (;;) {
    const size_t end = delimiter ? name.find(delimiter) : name.npos;
    out += shown(name.substr(0, end));
    if (end == name.npos) return out;
    out += '/';
    name.remove_prefix(end + 1);
  }
}

bool is_keyword(std::string_view text) {
  return !text.empty() && text.size() <= kMostKeyword && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '\\' && c != ',' && c != '+';
  });
}

}  // namespace

imap::Client::Reply ImapStore::command(const std::string& text) {
  return client_->run(text, [this](const imap::Response& r) { hear(r); });
}

// ---- what there is ----

Status ImapStore::list() {
  std::map<std::string, Listed> all;
  on_list_ = &all;
  const bool special = client_->has("SPECIAL-USE") && client_->has("LIST-EXTENDED");
  auto said = command(special ? R"(LIST "" "*" RETURN (SPECIAL-USE))" : R"(LIST "" "*")");
  on_list_ = nullptr;
  if (!said.status) return said.status;
  const std::string& folder = address_.folder;
  if (!folder.empty() && !same_name(folder, kInbox)) {
    const auto it = std::find_if(all.begin(), all.end(), [&](auto& l) {
      return l.first == folder || shown_path(l.first, l.second.delimiter) == folder;
    });
    if (it == all.end()) {
      log(LogLevel::error, "{}: there is no folder {}", address_.host, scrub_line(folder));
      return err(ENOENT);
    }
    root_name_ = it->first;
  }
  add_boxes(all);
  return Unit{};
}

void ImapStore::add_boxes(const std::map<std::string, Listed>& all) {
  trash_name_.clear();
  for (auto& [name, l] : all) {
    if (l.delimiter) delimiter_ = l.delimiter;
    if (l.trash && l.holds_messages && trash_name_.empty()) trash_name_ = name;
  }
  boxes_[kRootFolder].name = root_name_;
  const bool whole_account = same_name(root_name_, kInbox);
  std::set<std::string> wanted;
  Mailbox::AllNews news;
  for (auto& [name, l] : all) {
    if (whole_account ? same_name(name, kInbox) : !below(name, root_name_, l.delimiter)) continue;
    // Each component is a folder, whether the server lists it or not.
    uint32_t parent = kRootFolder;
    size_t at = below(name, root_name_, l.delimiter) ? root_name_.size() + 1 : 0;
    while (at < name.size()) {
      const size_t end = l.delimiter ? std::min(name.find(l.delimiter, at), name.size()) : name.size();
      const std::string place = name.substr(0, end);
      const auto there = all.find(place);
      const auto index = mailbox_.add_folder(parent, shown(std::string_view(name).substr(at, end - at)), place,
                                             there != all.end() && there->second.holds_messages, news);
      if (!index) break;
      boxes_[*index].name = place;
      wanted.insert(place);
      parent = *index;
      at = end + 1;
    }
  }
  for (const Folder& f : mailbox_.all_folders()) {
    if (f.index == kRootFolder || wanted.contains(f.place)) continue;
    auto gone = mailbox_.remove_folder(f.index);
    news.insert(news.end(), gone.begin(), gone.end());
    boxes_.erase(f.index);
    if (selected_ == f.index) selected_ = UINT32_MAX;
    const std::lock_guard lock(m_);
    loaded_.erase(f.index);
  }
  if (!options_.trash.empty()) {
    const auto f = mailbox_.folder_by_path(options_.trash);
    trash_name_ = f && boxes_.contains(f->index) ? boxes_[f->index].name : std::string();
  } else if (trash_name_.empty()) {
    for (auto& [name, l] : all) {
      const auto last = std::string_view(name).substr(l.delimiter ? name.rfind(l.delimiter) + 1 : 0);
      const bool on_top = last.size() == name.size() || below(name, kInbox, l.delimiter);
      if (on_top && l.holds_messages && same_name(last, kUsualTrash)) trash_name_ = name;
    }
  }
  mailbox_.publish(news);
}

// ---- what is in one ----

std::string ImapStore::key_of(const Box& box, uint32_t uid) { return fmt::format("{}.{}", box.validity, uid); }

Facts ImapStore::facts_of(const Box& box, const Fetched& f) const {
  Facts facts;
  facts.key = key_of(box, f.uid);
  facts.offset = f.uid;
  facts.flags = f.flags;
  facts.keywords = f.keywords;
  if (f.date) facts.time = {*f.date, 0};
  facts.size = f.size;
  return facts;
}

Status ImapStore::select(uint32_t folder) {
  if (selected_ == folder) return Unit{};
  auto it = boxes_.find(folder);
  if (it == boxes_.end()) return err(ENOENT);
  const auto name = imap::quoted(it->second.name);
  if (!name) return err(EINVAL);
  selected_ = UINT32_MAX;
  exists_ = validity_ = 0;
  uids_.clear();
  auto said = command(fmt::format("{} {}", options_.read_only ? "EXAMINE" : "SELECT", *name));
  if (!said.status) {
    if (said.status.error() != err(EACCES)) return said.status;
    log(LogLevel::warning, "{}: {} cannot be opened: {}", address_.host, scrub_line(it->second.name),
        scrub_line(said.response.text));
    it->second.loaded = false;
    (void)list();  // it may have gone
    return err(EIO);
  }
  selected_ = folder;
  return sync(folder, it->second);
}

Status ImapStore::sync(uint32_t folder, Box& box) {
  if (exists_ > kMostInBox) return err(EFBIG);
  const bool anew = !box.loaded || box.validity != validity_;
  if (anew) box.hidden.clear();
  box.validity = validity_;
  std::vector<Facts> all;
  std::vector<uint32_t> unknown;
  uids_.assign(exists_, 0);
  const auto take = [&](uint32_t, const Fetched& f) {
    if (f.uid == 0 || !f.has_flags || box.hidden.contains(f.uid) || all.size() >= kMostInBox) return;
    all.push_back(facts_of(box, f));
    if (!anew && !mailbox_.find_key(folder, all.back().key)) unknown.push_back(f.uid);
  };
  if (exists_ > 0) {
    Status done = fetch(anew ? "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)" : "FETCH 1:* (UID FLAGS)", take);
    if (!done) return done;
  }
  std::map<uint32_t, Fetched> more;
  std::sort(unknown.begin(), unknown.end());
  // Servers do not take lines of any length.
  for (size_t i = 0; i < unknown.size(); i += kAskedAtOnce) {
    const auto end = unknown.begin() + static_cast<ptrdiff_t>(std::min(i + kAskedAtOnce, unknown.size()));
    const std::vector<uint32_t> some(unknown.begin() + static_cast<ptrdiff_t>(i), end);
    Status done = fetch(fmt::format("UID FETCH {} (UID INTERNALDATE RFC822.SIZE)", imap::number_set(some)),
                        [&](uint32_t, const Fetched& f) {
                          if (f.uid) more[f.uid] = f;
                        });
    if (!done) return done;
  }
  for (Facts& f : all)
    if (const auto it = more.find(static_cast<uint32_t>(f.offset)); it != more.end()) {
      f.size = it->second.size;
      if (it->second.date) f.time = {*it->second.date, 0};
    }
  std::sort(all.begin(), all.end(), [](const Facts& a, const Facts& b) { return a.offset < b.offset; });
  all.erase(std::unique(all.begin(), all.end(), [](auto& a, auto& b) { return a.offset == b.offset; }), all.end());
  box.loaded = true;
  box.synced_ns = monotonic_ns();
  mailbox_.publish(mailbox_.replace(folder, std::move(all)));
  const std::lock_guard lock(m_);
  loaded_.insert(folder);
  return Unit{};
}

Status ImapStore::settle() {
  // A server that goes on telling of more is listened to the next time.
  for (int i = 0; i < 3 && selected_ != UINT32_MAX && exists_ > uids_.size(); i++) {
    if (exists_ > kMostInBox) return err(EFBIG);
    Box& box = boxes_.at(selected_);
    std::vector<Facts> some;
    const auto first = uids_.size() + 1;
    uids_.resize(exists_, 0);
    Status done = fetch(fmt::format("FETCH {}:* (UID FLAGS INTERNALDATE RFC822.SIZE)", first),
                        [&](uint32_t seq, const Fetched& f) {
                          if (f.uid && f.has_flags && seq >= first && !box.hidden.contains(f.uid) && f.date)
                            some.push_back(facts_of(box, f));
                        });
    if (!done) return done;
    mailbox_.publish(mailbox_.add(selected_, std::move(some)));
  }
  return Unit{};
}

Status ImapStore::fetch(const std::string& text, const std::function<void(uint32_t, const Fetched&)>& f) {
  on_fetch_ = f;
  auto said = command(text);
  on_fetch_ = nullptr;
  return said.status;
}

// ---- what the server tells ----

void ImapStore::hear(const imap::Response& r) {
  if (!r.status.empty()) {
    if (r.has_code("UIDVALIDITY") && r.code.size() > 1)
      validity_ = static_cast<uint32_t>(r.code[1].number(UINT32_MAX).value_or(0));
    if (r.has_code("ALERT")) log(LogLevel::warning, "{} says: {}", address_.host, scrub_line(r.text.substr(0, 500)));
    return;
  }
  const auto& v = r.values;
  if (v.size() >= 4 && v[0].is("LIST") && v[1].kind == imap::Value::Kind::list && v[3].is_text()) {
    const std::string& name = v[3].text;
    if (!on_list_ || on_list_->size() >= kMostBoxes || name.empty() || name.size() > 1000 || !imap::quoted(name))
      return;
    Listed l;
    if (v[2].is_text() && v[2].text.size() == 1) l.delimiter = v[2].text[0];
    for (auto& attribute : v[1].list) {
      l.holds_messages &= !attribute.is("\\Noselect") && !attribute.is("\\NonExistent");
      l.trash |= attribute.is("\\Trash");
    }
    (*on_list_)[same_name(name, kInbox) ? std::string(kInbox) : name] = l;
    return;
  }
  if (v.size() < 2) return;
  const auto number = v[0].number(UINT32_MAX);
  if (!number) return;
  const auto n = static_cast<uint32_t>(*number);
  if (v[1].is("EXISTS"))
    exists_ = std::max(n, static_cast<uint32_t>(uids_.size()));  // it shrinks by EXPUNGE alone
  else if (v[1].is("EXPUNGE"))
    hear_expunge(n);
  else if (v[1].is("FETCH") && v.size() >= 3 && v[2].kind == imap::Value::Kind::list)
    hear_fetch(n, v[2]);
}

void ImapStore::hear_expunge(uint32_t seq) {
  if (seq == 0 || seq > exists_) return;
  exists_--;
  if (seq > uids_.size()) return;
  const uint32_t uid = uids_[seq - 1];
  uids_.erase(uids_.begin() + (seq - 1));
  if (!uid || selected_ == UINT32_MAX) return;
  mailbox_.publish(mailbox_.remove(selected_, key_of(boxes_.at(selected_), uid)));
}

void ImapStore::hear_fetch(uint32_t seq, const imap::Value& items) {
  Fetched f;
  for (size_t i = 0; i + 1 < items.list.size(); i += 2) {
    const imap::Value& what = items.list[i];
    const imap::Value& value = items.list[i + 1];
    if (what.is("UID")) {
      f.uid = static_cast<uint32_t>(value.number(UINT32_MAX).value_or(0));
    } else if (what.is("FLAGS") && value.kind == imap::Value::Kind::list) {
      f.has_flags = true;
      size_t keywords = 0;
      for (auto& flag : value.list) {
        if (flag.kind != imap::Value::Kind::atom) continue;
        const Flags known = flag_of_imap(flag.text);
        f.flags |= known;
        if (known || !is_keyword(flag.text) || ++keywords > kMostKeywords) continue;
        f.keywords.append(f.keywords.empty() ? "" : " ").append(flag.text);
      }
    } else if (what.is("INTERNALDATE")) {
      f.date = imap::time_of(value.text);
    } else if (what.is("RFC822.SIZE")) {
      f.size = value.number(INT64_MAX);
    } else if (what.kind == imap::Value::Kind::atom && strncasecmp(what.text.c_str(), "BODY[", 5) == 0) {
      if (value.is_text()) f.body = &value.text;
    }
  }
  if (seq >= 1 && seq <= uids_.size()) {
    if (f.uid) uids_[seq - 1] = f.uid;
    if (!f.uid) f.uid = uids_[seq - 1];
  }
  if (on_fetch_) on_fetch_(seq, f);
  if (!f.has_flags || !f.uid || selected_ == UINT32_MAX) return;
  mailbox_.publish(mailbox_.set_flags(selected_, key_of(boxes_.at(selected_), f.uid), f.flags, f.keywords));
}

// ---- the end of a message ----

bool ImapStore::in_trash(const std::string& name) const {
  return name == trash_name_ || below(name, trash_name_, delimiter_);
}

Status ImapStore::find_trash(std::string& name) {
  if (trash_name_.empty())
    if (Status listed = list(); !listed) return listed;  // somebody may have made it
  if (trash_name_.empty()) {
    // Where the others are.
    bool under_inbox = boxes_.size() > 1;
    for (auto& [index, box] : boxes_) under_inbox &= index == kRootFolder || below(box.name, kInbox, delimiter_);
    std::string made = mailbox_of_utf8(options_.trash.empty() ? std::string(kUsualTrash) : options_.trash);
    std::replace(made.begin(), made.end(), '/', delimiter_);
    if (under_inbox) made = fmt::format("{}{}{}", kInbox, delimiter_, made);
    const auto arg = imap::quoted(made);
    if (!arg) return err(EINVAL);
    if (auto said = command("CREATE " + *arg); !said.status) {
      log(LogLevel::warning, "{}: no folder for what is thrown away: {}", address_.host,
          scrub_line(said.response.text));
      return said.status;
    }
    (void)command("SUBSCRIBE " + *arg);
    if (Status listed = list(); !listed) return listed;
    if (trash_name_.empty()) trash_name_ = made;
  }
  name = trash_name_;
  return Unit{};
}

/// Never a plain EXPUNGE, which would take what others have marked.
Status ImapStore::expunge(Box& box, const Message& m, const std::string& uid) {
  const bool alone = client_->has("UIDPLUS");
  if (!alone && in_trash(box.name)) {
    log(LogLevel::warning, "{}: this server cannot delete one message for good (no UIDPLUS)", address_.host);
    return err(EOPNOTSUPP);
  }
  if (auto said = command(fmt::format(R"(UID STORE {} +FLAGS (\Deleted))", uid)); !said.status) return said.status;
  if (alone) return command(fmt::format("UID EXPUNGE {}", uid)).status;
  box.hidden.insert(static_cast<uint32_t>(m.facts.offset));
  return Unit{};
}

Status ImapStore::throw_away(Box& box, const Message& m, const std::string& uid) {
  const std::string to = imap::quoted(trash_name_).value_or("");
  const bool moves = client_->has("MOVE");
  auto said = command(fmt::format("UID {} {} {}", moves ? "MOVE" : "COPY", uid, to));
  if (!said.status && said.response.has_code("TRYCREATE") && command("CREATE " + to).status)
    said = command(fmt::format("UID {} {} {}", moves ? "MOVE" : "COPY", uid, to));
  if (!said.status) {
    if (client_->alive())
      log(LogLevel::warning, "{}: not moved to {}: {}", address_.host, scrub_line(trash_name_),
          scrub_line(said.response.text));
    return said.status;
  }
  for (auto& [index, other] : boxes_)
    if (other.name == trash_name_) other.synced_ns = 0;  // what is known of it is old now
  return moves ? Status(Unit{}) : expunge(box, m, uid);
}

}  // namespace isthmus::fs::mail
