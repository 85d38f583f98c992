#include "fs/mail/mailbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/text.h"

namespace isthmus::fs::mail {

std::string number_name(uint32_t number) { return fmt::format("{:03}", number); }

std::optional<uint32_t> number_of_name(std::string_view name) {
  if (!is_number_name(name)) return std::nullopt;
  const auto number = parse_number(name, UINT32_MAX);
  if (!number || *number == 0 || number_name(static_cast<uint32_t>(*number)) != name) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

Mailbox::Mailbox() {
  folders_.emplace_back();
  folders_[0].view.changed = now();
}

// ---- folders ----

std::optional<uint32_t> Mailbox::add_folder(uint32_t parent, std::string_view name, const std::string& place,
                                            bool holds_messages, AllNews& news) {
  std::lock_guard lock(m_);
  if (!record(parent)) return std::nullopt;
  const auto known = places_.find(place);
  if (known == places_.end() && folders_.size() >= kMostFolders) return std::nullopt;
  const auto index = known == places_.end() ? static_cast<uint32_t>(folders_.size()) : known->second;
  if (known == places_.end()) {
    std::string safe = safe_name(name, "_");
    // A number is a message's once one has had it, else the folder's.
    if (const auto n = number_of_name(safe); n && *n <= folders_[parent].last_number) safe += '~';
    Record& made = folders_.emplace_back();
    made.view.index = index;
    made.view.parent = parent;
    made.view.name = folders_[parent].names.add(safe);
    made.view.place = place;
    made.gone = true;
    places_.emplace(place, index);
  }
  Record& there = folders_[index];
  there.view.holds_messages = holds_messages;
  if (!there.gone) return index;
  there.gone = false;
  Record& in = folders_[there.view.parent];
  in.view.folders++;
  in.view.changed = there.view.changed = now();
  news.push_back({News::Kind::folder_added, folder_node(in.view.index), folder_node(index), there.view.name});
  return index;
}

Mailbox::AllNews Mailbox::remove_folder(uint32_t index) {
  std::lock_guard lock(m_);
  Record* r = record(index);
  if (!r || index == kRootFolder) return {};
  AllNews news;
  while (!r->messages.empty()) erase(*r, std::string(r->messages.begin()->second.facts.key), news);
  news.clear();  // their directory goes with them
  r->gone = true;
  r->listed = false;
  Record& in = folders_[r->view.parent];
  in.view.folders--;
  in.view.changed = now();
  news.push_back({News::Kind::folder_removed, folder_node(r->view.parent), folder_node(index), r->view.name});
  return news;
}

Mailbox::Record* Mailbox::record(uint32_t index) {
  return index < folders_.size() && !folders_[index].gone ? &folders_[index] : nullptr;
}
const Mailbox::Record* Mailbox::record(uint32_t index) const {
  return index < folders_.size() && !folders_[index].gone ? &folders_[index] : nullptr;
}

std::optional<Folder> Mailbox::folder(uint32_t index) const {
  std::lock_guard lock(m_);
  const Record* r = record(index);
  return r ? std::optional(r->view) : std::nullopt;
}

std::optional<Folder> Mailbox::find_folder(uint32_t parent, std::string_view name) const {
  std::lock_guard lock(m_);
  for (const Record& r : folders_)
    if (!r.gone && r.view.index != kRootFolder && r.view.parent == parent && r.view.name == name) return r.view;
  return std::nullopt;
}

std::optional<Folder> Mailbox::folder_at(std::string_view place) const {
  std::lock_guard lock(m_);
  const auto it = places_.find(std::string(place));
  return it == places_.end() || folders_[it->second].gone ? std::nullopt : std::optional(folders_[it->second].view);
}

std::optional<Folder> Mailbox::folder_by_path(std::string_view path) const {
  auto at = folder(kRootFolder);
  while (at && !path.empty()) {
    const auto name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    if (!name.empty()) at = find_folder(at->index, name);
  }
  return at;
}

std::vector<Folder> Mailbox::folders_behind(uint32_t parent, uint32_t index, size_t most) const {
  std::lock_guard lock(m_);
  std::vector<Folder> found;
  for (size_t i = size_t{index} + 1; i < folders_.size() && found.size() < most; i++)
    if (!folders_[i].gone && folders_[i].view.parent == parent) found.push_back(folders_[i].view);
  return found;
}

std::vector<Folder> Mailbox::all_folders() const {
  std::lock_guard lock(m_);
  std::vector<Folder> found;
  for (const Record& r : folders_)
    if (!r.gone) found.push_back(r.view);
  return found;
}

// ---- messages ----

void Mailbox::insert(Record& in, Facts facts, AllNews& news) {
  do {
    if (in.last_number == UINT32_MAX) return;
    in.last_number++;
  } while (in.names.has(number_name(in.last_number)));
  const uint32_t number = in.last_number;
  const uint64_t serial = ++last_serial_;
  in.numbers.emplace(facts.key, number);
  const auto made =
      in.messages.emplace_hint(in.messages.end(), number, Message{serial, in.view.index, number, std::move(facts)});
  serials_.emplace(serial, &made->second);
  in.view.messages++;
  in.view.changed = now();
  // Nobody can have asked for the names of a folder that was never read.
  if (in.listed)
    news.push_back({News::Kind::added, folder_node(in.view.index), message_node(serial, 0), number_name(number)});
}

void Mailbox::erase(Record& from, const std::string& key, AllNews& news) {
  const auto it = from.numbers.find(key);
  if (it == from.numbers.end()) return;
  const auto at = from.messages.find(it->second);
  const uint64_t serial = at->second.serial;
  news.push_back({News::Kind::removed, folder_node(from.view.index), message_node(serial, 0), number_name(at->first)});
  from.view.messages--;
  from.view.changed = now();
  serials_.erase(serial);
  from.numbers.erase(it);
  from.messages.erase(at);
}

void Mailbox::note_flags(const Message& m, Flags changed, bool keywords, AllNews& news) {
  if (!changed && !keywords) return;
  news.push_back({.kind = News::Kind::flags,
                  .dir = message_node(m.serial, kFlagsDir),
                  .node = message_node(m.serial, kFlagList),
                  .name = {},
                  .serial = m.serial,
                  .changed = changed});
}

void Mailbox::take_over(Message& m, Facts facts, AllNews& news) {
  note_flags(m, m.facts.flags ^ facts.flags, m.facts.keywords != facts.keywords, news);
  const bool moved = m.facts.size && facts.size && m.facts.size != facts.size;
  if (!facts.size) facts.size = m.facts.size;
  if (facts.time == Time{}) facts.time = m.facts.time;
  m.facts = std::move(facts);
  if (moved)
    news.push_back({News::Kind::size, message_node(m.serial, 0), message_node(m.serial, kRaw), {}, m.serial, 0});
}

Message* Mailbox::find_message(Record& in, const std::string& key) {
  const auto it = in.numbers.find(key);
  return it == in.numbers.end() ? nullptr : &in.messages.at(it->second);
}

Mailbox::AllNews Mailbox::replace(uint32_t folder, std::vector<Facts> all) {
  AllNews news;
  std::lock_guard lock(m_);
  Record* r = record(folder);
  if (!r) return news;
  std::vector<std::string> gone;
  {
    std::unordered_set<std::string_view> keys;
    for (const Facts& f : all) keys.insert(f.key);
    for (auto& [key, number] : r->numbers)
      if (!keys.contains(key)) gone.push_back(key);
  }
  for (auto& key : gone) erase(*r, key, news);
  put(*r, std::move(all), news);
  r->listed = true;
  return news;
}

void Mailbox::put(Record& in, std::vector<Facts> some, AllNews& news) {
  for (Facts& f : some) {
    if (Message* m = find_message(in, f.key))
      take_over(*m, std::move(f), news);
    else
      insert(in, std::move(f), news);
  }
}

Mailbox::AllNews Mailbox::add(uint32_t folder, std::vector<Facts> some) {
  AllNews news;
  std::lock_guard lock(m_);
  if (Record* r = record(folder)) put(*r, std::move(some), news);
  return news;
}

Mailbox::AllNews Mailbox::remove(uint32_t folder, const std::string& key) {
  AllNews news;
  std::lock_guard lock(m_);
  if (Record* r = record(folder)) erase(*r, key, news);
  return news;
}

Mailbox::AllNews Mailbox::set_flags(uint32_t folder, const std::string& key, Flags flags, const std::string& keywords) {
  AllNews news;
  std::lock_guard lock(m_);
  Record* r = record(folder);
  if (Message* m = r ? find_message(*r, key) : nullptr) {
    note_flags(*m, m->facts.flags ^ flags, m->facts.keywords != keywords, news);
    m->facts.flags = flags;
    m->facts.keywords = keywords;
  }
  return news;
}

Mailbox::AllNews Mailbox::set_place(uint32_t folder, const std::string& key, const std::string& place, Flags flags) {
  AllNews news;
  std::lock_guard lock(m_);
  Record* r = record(folder);
  if (Message* m = r ? find_message(*r, key) : nullptr) {
    note_flags(*m, m->facts.flags ^ flags, false, news);
    m->facts.flags = flags;
    m->facts.place = place;
  }
  return news;
}

Mailbox::AllNews Mailbox::set_size(uint64_t serial, uint64_t size) {
  AllNews news;
  std::lock_guard lock(m_);
  const auto it = serials_.find(serial);
  if (it == serials_.end()) return news;
  Message& m = *it->second;
  if (m.facts.size && m.facts.size != size)
    news.push_back({News::Kind::size, message_node(serial, 0), message_node(serial, kRaw), {}, serial, 0});
  m.facts.size = size;
  return news;
}

std::optional<Message> Mailbox::message(uint64_t serial) const {
  std::lock_guard lock(m_);
  const auto it = serials_.find(serial);
  return it == serials_.end() ? std::nullopt : std::optional(*it->second);
}

std::optional<Message> Mailbox::find(uint32_t folder, uint32_t number) const {
  std::lock_guard lock(m_);
  const Record* r = record(folder);
  if (!r) return std::nullopt;
  const auto it = r->messages.find(number);
  return it == r->messages.end() ? std::nullopt : std::optional(it->second);
}

std::optional<Message> Mailbox::find_key(uint32_t folder, const std::string& key) const {
  std::lock_guard lock(m_);
  const Record* r = record(folder);
  if (!r) return std::nullopt;
  const auto it = r->numbers.find(key);
  return it == r->numbers.end() ? std::nullopt : std::optional(r->messages.at(it->second));
}

std::vector<Message> Mailbox::behind(uint32_t folder, uint32_t number, size_t most) const {
  std::lock_guard lock(m_);
  std::vector<Message> found;
  const Record* r = record(folder);
  if (!r) return found;
  for (auto it = r->messages.upper_bound(number); it != r->messages.end() && found.size() < most; ++it)
    found.push_back(it->second);
  return found;
}

uint64_t Mailbox::count() const {
  std::lock_guard lock(m_);
  return serials_.size();
}

// ---- news ----

void Mailbox::publish(const AllNews& news) {
  Upcalls* up = up_;
  if (news.empty() || !up) return;
  NodeId listed = NodeId::none;  // whose listing was told of last
  for (const News& n : news) {
    switch (n.kind) {
      case News::Kind::added:
      case News::Kind::folder_added:
        up->invalidate_entry(n.dir, n.name);
        break;
      case News::Kind::removed:
      case News::Kind::folder_removed:
        up->deleted(n.dir, n.node, n.name);
        break;
      case News::Kind::flags:
        up->invalidate_node(n.node, 0, 0);
        for (size_t i = 0; i < kFlagNames.size(); i++)
          if (n.changed & kFlagNames[i].flag)
            up->invalidate_node(message_node(n.serial, kFirstFlag + static_cast<uint32_t>(i)), 0, 0);
        continue;
      case News::Kind::size:
        up->invalidate_node(n.node, 0, 0);
        continue;
    }
    if (n.dir != listed) up->invalidate_node(n.dir, 0, 0);
    listed = n.dir;
  }
}

}  // namespace isthmus::fs::mail
