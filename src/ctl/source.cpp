#include "ctl/source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "base/text.h"
#include "ctl/registry.h"

namespace isthmus::ctl {
namespace {

using V = std::string_view;

std::string quote(V s) { return "'" + std::string(s) + "'"; }

/// The name in front of `mark` ('+' or ':') if the text begins like one, else empty.
V name_before(V text, char mark) {
  size_t n = 0;
  while (n < text.size() && ((text[n] >= 'a' && text[n] <= 'z') || (n > 0 && text[n] >= '0' && text[n] <= '9'))) n++;
  return n > 0 && n < text.size() && text[n] == mark ? text.substr(0, n) : V();
}

bool exists(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0;
}

/// Absolute, as the server will stand in "/" later. The scheme's own checks say more about what is there.
Expected<std::string> absolute(const std::string& path) {
  if (char* real = realpath(path.c_str(), nullptr)) {
    std::string result(real);
    free(real);
    return result;
  }
  Errno e = last_errno();
  std::string hint;
  if (e == err(ENOENT)) hint = "check the spelling; `isthmus help sources` shows what a source can be";
  if (e == err(ENOTCONN)) hint = "it lies on a mount whose server is gone: `isthmus unmount` takes that away";
  return Problem{e, "source " + quote(path) + ": " + std::string(text_of(e)), hint};
}

Expected<Unit> parse_query(V query, Source& source) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    V item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.empty()) continue;
    size_t eq = item.find('=');
    auto key = percent_decode(item.substr(0, eq));
    if (!key) return key.problem();
    auto value = percent_decode(eq == V::npos ? V() : item.substr(eq + 1));
    if (!value) return value.problem();
    if (key->empty()) return Problem{err(EINVAL), "source option without a name: " + quote(item), "write key=value"};
    source.options.emplace_back(std::move(*key), std::move(*value));
  }
  return Unit{};
}

Expected<Unit> scheme_of_path(Source& source) {
  auto real = absolute(source.path);
  if (!real) return real.problem();
  source.path = *real;
  struct stat st {};
  if (stat(source.path.c_str(), &st) < 0)
    return Problem{last_errno(), "source " + quote(source.path) + ": " + std::string(text_of(last_errno())), ""};
  if (S_ISDIR(st.st_mode))
    source.scheme = "dir";
  else if (S_ISREG(st.st_mode))
    source.scheme = "archive";
  else
    return Problem{err(EINVAL), "source " + quote(source.path) + " is neither a folder nor a file",
                   "`isthmus help sources` shows what a source can be"};
  return Unit{};
}

Problem unknown_scheme(V name) {
  std::vector<V> names;
  std::string all;
  for (auto& s : schemes()) {
    names.push_back(s.name);
    all += (all.empty() ? "" : ", ") + std::string(s.name) + ":";
  }
  V near = nearest(name, names);
  return {err(EINVAL), "unknown source scheme '" + std::string(name) + ":'",
          (near.empty() ? "" : "did you mean '" + std::string(near) + ":'? ") + std::string("there are ") + all +
              "; write ./" + std::string(name) + ":... for a path with a colon"};
}

}  // namespace

Expected<std::string> percent_decode(V text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1,
        low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0))
      return Problem{err(EINVAL), "source: '%' in " + quote(text) + " is not followed by a byte in hexadecimal",
                     "write %25 for a percent sign"};
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string Source::label() const {
  std::string s;
  for (auto& d : decorators) s += d + "+";
  if (scheme == "dir" || scheme == "archive") return s + path;
  // What a program is told may be secret.
  if (scheme == "run" || scheme == "host" || scheme == "userfs" || scheme == "userfs+ssh")
    return s + scheme + ":" + path.substr(0, path.find(' '));
  return s + scheme + ":" + path;
}

Expected<Source> parse_source(V text) {
  if (text.empty()) return Problem{err(EINVAL), "the source is empty", "`isthmus help sources` shows what it can be"};
  if (text.find('\0') != V::npos) return Problem{err(EINVAL), "the source holds a NUL byte", ""};
  Source source;
  V rest = text;
  for (V name = name_before(rest, '+'); !name.empty() && find_decorator(name); name = name_before(rest, '+')) {
    source.decorators.emplace_back(name);
    rest.remove_prefix(name.size() + 1);
  }
  V scheme = name_before(rest, ':');
  // Some have a '+' in their names.
  if (const V whole = rest.substr(0, rest.find(':'));
      scheme.empty() && whole.size() < rest.size() && find_scheme(whole))
    scheme = whole;
  const Scheme* known = scheme.empty() ? nullptr : find_scheme(scheme);
  if (!scheme.empty() && !known && !exists(std::string(rest))) return unknown_scheme(scheme);

  if (!known && source.decorators.empty()) {
    source.path = std::string(text);
    if (auto done = scheme_of_path(source); !done) return done.problem();
    return source;
  }
  if (known) {
    source.scheme = std::string(scheme);
    rest.remove_prefix(scheme.size() + 1);
    if (known->takes_command) {
      source.path = std::string(rest);
      return source;
    }
  }
  size_t question = std::min(rest.find('?'), rest.size());
  auto path = percent_decode(rest.substr(0, question));
  if (!path) return path.problem();
  source.path = std::move(*path);
  if (auto done = parse_query(rest.substr(std::min(question + 1, rest.size())), source); !done) return done.problem();

  if (!known) {
    if (source.path.empty())
      return Problem{err(EINVAL), "source " + quote(text) + " ends behind the decorator",
                     "add a path or a scheme, for example " + source.decorators[0] + "+mem:"};
    if (auto done = scheme_of_path(source); !done) return done.problem();
  } else if (known->takes_path) {
    if (source.path.empty())
      return Problem{err(EINVAL), "source " + quote(text) + " lacks a path", "write " + source.scheme + ":PATH"};
    auto real = absolute(source.path);
    if (!real) return real.problem();
    source.path = *real;
  } else if (!source.path.empty() && known->place.empty()) {
    return Problem{err(EINVAL), "source " + quote(text) + ": " + source.scheme + ": takes no path",
                   "options follow a question mark: " + source.scheme + ":?key=value"};
  }
  return source;
}

}  // namespace isthmus::ctl
