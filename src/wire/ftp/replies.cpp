#include "wire/ftp/replies.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace isthmus::wire::ftp {
namespace {

using V = std::string_view;

std::string lower(V text) {
  std::string s(text);
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

}  // namespace

std::vector<Reply> replies_in(const std::vector<std::string>& lines) {
  std::vector<Reply> found;
  std::string open;  // the code of a reply of several lines
  for (const std::string& line : lines) {
    const bool coded = line.size() >= 3 && parse_number(V(line).substr(0, 3)) && line[0] != '0';
    if (open.empty() && coded && line.size() > 3 && line[3] == '-') {
      open = line.substr(0, 3);
      continue;
    }
    if (!coded || (line.size() > 3 && line[3] != ' ')) continue;
    if (!open.empty() && line.compare(0, 3, open) != 0) continue;
    open.clear();
    found.push_back({static_cast<int>(*parse_number(V(line).substr(0, 3))), line.size() > 4 ? line.substr(4) : ""});
  }
  return found;
}

Features parse_features(const std::vector<std::string>& lines) {
  Features f;
  for (const std::string& line : lines) {
    // Each feature's line begins with a blank; some servers put the code in front, all the same.
    V rest = line;
    if (rest.starts_with("211-")) rest.remove_prefix(4);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string feature = lower(rest);
    const V word = V(feature).substr(0, feature.find(' '));
    if (word == "mlst" || word == "mlsd")
      f.machine_lists = true;
    else if (word == "size")
      f.size = true;
    else if (word == "mdtm")
      f.modified = true;
    else if (word == "mfmt")
      f.set_modified = true;
    else if (feature.starts_with("rest stream"))
      f.restart = true;
    else if (word == "utf8")
      f.utf8 = true;
  }
  return f;
}

Errno reason(int code, V text) {
  // "Can't open NAME: Permission denied": what stands behind the last colon is the system's word, and no name's.
  const size_t colon = text.rfind(": ");
  const std::string said = lower(colon == V::npos ? text : text.substr(colon + 2));
  auto says = [&](std::initializer_list<V> words) {
    return std::any_of(words.begin(), words.end(), [&](V w) { return said.find(w) != std::string::npos; });
  };
  switch (code) {
    case 530:
    case 532:
      return err(EACCES);
    case 452:
      return err(says({"quota"}) ? EDQUOT : ENOSPC);
    case 552:
      return err(says({"space", "disk full"}) ? ENOSPC : EDQUOT);
    case 500:
    case 502:
    case 504:
      return err(EOPNOTSUPP);
    default:
      break;
  }
  if (code < 400) return Errno{};
  if (says({"no such file", "not found", "does not exist", "doesn't exist", "cannot find", "can't find"}))
    return err(ENOENT);
  if (says({"not a directory"})) return err(ENOTDIR);
  if (says({"is a directory"})) return err(EISDIR);
  if (says({"not empty"})) return err(ENOTEMPTY);
  if (says({"file exists", "already exists"})) return err(EEXIST);
  if (says({"quota exceeded", "disk quota", "over quota"})) return err(EDQUOT);
  if (says({"no space", "disk full", "insufficient"})) return err(ENOSPC);
  if (says({"read-only"})) return err(EROFS);
  if (says({"name too long"})) return err(ENAMETOOLONG);
  if (says({"permission denied", "access denied", "access is denied", "not permitted", "not allowed", "prohibited"}))
    return err(EACCES);
  if (code == 553) return err(EACCES);
  if (code == 501) return err(EINVAL);
  return Errno{};
}

std::string printable(V text) {
  constexpr size_t kMost = 200;
  std::string s;
  for (char c : text.substr(0, kMost)) s += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text.size() > kMost ? s + "..." : s;
}

}  // namespace isthmus::wire::ftp
