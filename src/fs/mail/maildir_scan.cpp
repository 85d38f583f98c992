#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/log.h"
#include "base/text.h"
#include "fs/mail/maildir.h"
#include "fs/mail/maildir_names.h"

/// Which folders there are, and which messages in them.
namespace isthmus::fs::mail {
namespace {

constexpr int kDeepestFolder = 16;
constexpr size_t kMostFoldersRead = 20'000;
constexpr int kMostLooks = 10;                   // at a directory that changes meanwhile
constexpr int64_t kClockOfDirs = 1'100'000'000;  // ns; a directory may change twice within a step of its time stamp

/// f(name, type) for each name but "." and ".."; false: it cannot be read.
template <class F>
bool for_each_name(int root, const std::string& folder, F f) {
  Fd fd(::openat(root, join(folder, "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* dir = fd ? ::fdopendir(fd.get()) : nullptr;
  if (!dir) return false;
  (void)fd.release();
  while (const dirent* e = ::readdir(dir)) {
    const std::string_view name = e->d_name;
    if (name != "." && name != "..") f(name, e->d_type);
  }
  ::closedir(dir);
  return true;
}

bool is_regular(int root, const std::string& path, int type) {
  struct stat st {};
  return type == DT_REG ||
         (type == DT_UNKNOWN && ::fstatat(root, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode));
}

/// The seconds that a name begins with; else the file's own time.
Time delivered(int root, const std::string& path, std::string_view key) {
  const auto seconds = parse_number(key.substr(0, key.find('.')), INT64_MAX);
  constexpr int64_t kDay = 86'400;
  if (seconds && *seconds > 0 && static_cast<int64_t>(*seconds) < now().sec + kDay)
    return {static_cast<int64_t>(*seconds), 0};
  struct stat st {};
  return ::fstatat(root, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 ? to_time(st.st_mtim) : Time{};
}

std::string decoded(std::string_view name) { return utf8_of_mailbox(name).value_or(std::string(name)); }

struct Wanted {
  std::string parent, name;
  bool holds_messages = false;
};
using AllWanted = std::map<std::string, Wanted>;  // by place: parents come before what is in them

/// ".Sent.2024" lies in ".Sent", whether that is there or not.
void want_plus_folder(AllWanted& all, const std::string& place, bool holds_messages) {
  const size_t dot = place.rfind('.');
  auto& w = all[place];
  w.parent = dot == 0 ? "" : place.substr(0, dot);
  w.name = decoded(std::string_view(place).substr(dot + 1));
  w.holds_messages |= holds_messages;
  if (dot != 0) want_plus_folder(all, w.parent, false);
}

void want_folders_in(int root, AllWanted& all, const std::string& place, int depth) {
  std::vector<std::string> found;
  for_each_name(root, place, [&](std::string_view name, int type) {
    const bool may_be = type == DT_DIR || type == DT_LNK || type == DT_UNKNOWN;
    if (may_be && name[0] != '.' && name != "cur" && name != "new" && name != "tmp") found.push_back(join(place, name));
  });
  for (auto& path : found) {
    if (all.size() >= kMostFoldersRead || !is_maildir(root, path)) continue;
    all[path] = {place, decoded(std::string_view(path).substr(place.empty() ? 0 : place.size() + 1)), true};
    if (depth < kDeepestFolder) want_folders_in(root, all, path, depth + 1);
  }
}

}  // namespace

Mailbox::AllNews Maildir::find_folders() {
  const std::lock_guard lock(folders_m_);  // what was seen first is told first
  AllWanted all;
  for_each_name(root_.get(), "", [&](std::string_view name, int type) {
    const std::string place(name);
    // No empty components; a place that begins with two dots is nobody's.
    const bool plain = name.size() > 1 && name[0] == '.' && name.back() != '.' && name.find("..") == name.npos;
    if (plain && type != DT_REG && all.size() < kMostFoldersRead && is_maildir(root_.get(), place))
      want_plus_folder(all, place, true);
  });
  want_folders_in(root_.get(), all, "", 0);
  Mailbox::AllNews news;
  for (auto& [place, w] : all) {
    const auto parent = w.parent.empty() ? mailbox_.folder(kRootFolder) : mailbox_.folder_at(w.parent);
    if (parent) mailbox_.add_folder(parent->index, w.name, place, w.holds_messages, news);
  }
  for (const Folder& f : mailbox_.all_folders()) {
    if (f.index == kRootFolder || all.contains(f.place)) continue;
    auto gone = mailbox_.remove_folder(f.index);
    news.insert(news.end(), gone.begin(), gone.end());
    const std::lock_guard looks(m_);
    looks_.erase(f.index);
  }
  return news;
}

Status Maildir::read_folder(uint32_t folder, bool only_if_changed) {
  const auto f = mailbox_.folder(folder);
  if (!f) return err(ENOENT);
  watch_folder(*f);  // before it is read: nothing falls between
  Mailbox::AllNews news;
  Status done = [&]() -> Status {
    const std::lock_guard lock(m_);
    Look& look = looks_[folder];
    const auto times = [&](Time(&to)[2]) -> Status {
      const char* const kParts[] = {"new", "cur"};
      for (int i = 0; i < 2; i++) {
        struct stat st {};
        if (::fstatat(root_.get(), join(f->place, kParts[i]).c_str(), &st, 0) == 0)
          to[i] = to_time(st.st_mtim);
        else if (errno == ENOENT && folder == kRootFolder)
          to[i] = {};  // a folder of Maildirs
        else
          return last_errno();
      }
      return Unit{};
    };
    Time before[2], after[2];
    if (Status s = times(before); !s) return s;
    if (only_if_changed && look.valid && before[0] == look.times[0] && before[1] == look.times[1] && !look.young)
      return Unit{};
    // By key. A message that moves from new to cur meanwhile is met twice, or found by another look.
    std::unordered_map<std::string, Facts> all;
    for (int i = 0; i < kMostLooks; i++) {
      all.clear();
      for (const std::string part : {"new", "cur"})
        for_each_name(root_.get(), join(f->place, part), [&](std::string_view name, int type) {
          if (name[0] == '.') return;
          const std::string place = part + "/" + std::string(name), path = join(f->place, place);
          if (!is_regular(root_.get(), path, type)) return;
          const MessageName parts = MessageName::of(place);
          Facts& facts = all[std::string(parts.key)];
          facts.key = parts.key;
          facts.flags = flags_of_letters(parts.letters);
          facts.time = delivered(root_.get(), path, parts.key);
          facts.place = place;
        });
      if (Status s = times(after); !s) return s;
      if (after[0] == before[0] && after[1] == before[1]) break;
      before[0] = after[0];
      before[1] = after[1];
    }
    look.times[0] = after[0];
    look.times[1] = after[1];
    const Time read_at = now();
    look.young = std::any_of(std::begin(after), std::end(after), [&](Time t) {
      return (read_at.sec - t.sec) * kNsPerSec + int64_t{read_at.nsec} - int64_t{t.nsec} < kClockOfDirs;
    });
    look.valid = true;
    std::vector<Facts> in_order;
    in_order.reserve(all.size());
    for (auto& [key, facts] : all) in_order.push_back(std::move(facts));
    std::sort(in_order.begin(), in_order.end(), [](const Facts& a, const Facts& b) {
      return a.time != b.time ? a.time < b.time : ::strverscmp(a.key.c_str(), b.key.c_str()) < 0;
    });
    news = mailbox_.replace(folder, std::move(in_order));
    return Unit{};
  }();
  mailbox_.publish(news);
  return done;
}

}  // namespace isthmus::fs::mail
