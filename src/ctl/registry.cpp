#include "ctl/registry.h"

#include <algorithm>
#include <exception>

#include "ctl/schemes.h"

namespace isthmus::ctl {
namespace {

template <class T>
const T* find(std::span<const T> all, std::string_view name) {
  auto it = std::find_if(all.begin(), all.end(), [&](auto& s) { return s.name == name; });
  return it == all.end() ? nullptr : &*it;
}

std::string entry(std::string_view synopsis, std::string_view help, size_t indent, size_t column) {
  constexpr size_t kWidth = 80;
  std::string text, line = std::string(indent, ' ') + std::string(synopsis);
  if (line.size() + 2 > column) {
    text = line + "\n";
    line.clear();
  }
  line.resize(column, ' ');
  while (!help.empty()) {
    size_t end = std::min(help.find(' '), help.size());
    if (line.size() + end > kWidth && line.size() > column) {
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line.assign(column, ' ');
    }
    line += std::string(help.substr(0, end)) + " ";
    help.remove_prefix(std::min(end + 1, help.size()));
  }
  return text + line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

const Scheme* find_scheme(std::string_view name) { return find(schemes(), name); }
const DecoratorKind* find_decorator(std::string_view name) { return find(decorators(), name); }

Expected<std::unique_ptr<FileSystem>> open_source(const Source& source, const SourceHooks& hooks) {
  try {
    for (auto& [key, value] : source.options) {
      // "trace.file" belongs to trace+; in front of a source without it, it is a mistake and not silence.
      size_t dot = key.find('.');
      std::string_view owner = std::string_view(key).substr(0, dot);
      if (dot != std::string::npos && find_decorator(owner) &&
          std::find(source.decorators.begin(), source.decorators.end(), owner) == source.decorators.end())
        return Problem{err(EINVAL), "source option '" + key + "' belongs to " + std::string(owner) + "+",
                       "write " + std::string(owner) + "+" + source.label()};
    }
    auto made = find_scheme(source.scheme)->make(source, hooks);
    if (made && hooks.made) hooks.made(**made);
    for (auto d = source.decorators.rbegin(); made && d != source.decorators.rend(); ++d)
      made = find_decorator(*d)->make(std::move(*made), source);
    return made;
  } catch (const std::bad_alloc&) {
    return Problem{err(ENOMEM), "source '" + source.label() + "': not enough memory", ""};
  } catch (const std::exception& e) {
    return Problem{err(EIO), "source '" + source.label() + "': " + e.what(), ""};
  }
}

std::string sources_help() {
  std::string s =
      "SOURCE is a path, or a URL:\n\n"
      "  PATH                      a folder (as dir:PATH) or an archive file (as archive:PATH)\n";
  for (auto& k : schemes()) {
    s += entry(std::string(k.name) + ":" +
                   (k.takes_command ? "PROGRAM ARGS..."
                    : k.takes_path  ? "PATH[?OPTIONS]"
                                    : std::string(k.place) + "[?OPTIONS]"),
               k.help, 2, 28);
    for (auto& o : k.options) s += entry(o.synopsis, o.help, 6, 32);
  }
  s += "\nand in front of either, as many as you like, the outermost first:\n\n";
  for (auto& d : decorators()) {
    s += entry(std::string(d.name) + "+", d.help, 2, 28);
    for (auto& o : d.options) s += entry(o.synopsis, o.help, 6, 32);
  }
  s += "\nOPTIONS are key=value joined by '&'. In a URL, and behind a decorator, %XX is a byte.\n"
       "A path that looks like a URL is written with ./ in front.\n\n"
       "  isthmus mount ~/Documents ~/mnt\n"
       "  isthmus mount photos.zip ~/mnt\n"
       "  isthmus mount 'mem:?size=1g' ~/mnt\n"
       "  isthmus mount 'trace+dir:/srv/data?trace.file=/tmp/ops.log' ~/mnt\n"
       "  isthmus mount 'fault+mem:?fault.rules=write:ENOSPC:after=100' ~/mnt\n";
  return s;
}

}  // namespace isthmus::ctl
