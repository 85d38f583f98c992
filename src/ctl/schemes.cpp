#include "ctl/schemes.h"

#include <array>
#include <vector>

namespace isthmus::ctl {

namespace {

std::vector<Scheme>& table() {
  static std::vector<Scheme> all{kDirScheme,        kArchiveScheme,   kMemScheme,      kAddonScheme,
                                 kRunScheme,        kHostScheme,      kUserfsScheme,   kUserfsFdScheme,
                                 kUserfsUnixScheme, kUserfsTcpScheme, kUserfsSshScheme};
  return all;
}

}  // namespace

std::span<const Scheme> schemes() { return table(); }

void add_schemes(std::span<const Scheme> more) { table().insert(table().end(), more.begin(), more.end()); }

std::span<const DecoratorKind> decorators() {
  static const std::array kAll{kTraceDecorator, kFaultDecorator, kCompressDecorator};
  return kAll;
}

std::vector<std::pair<std::string, std::string>> own_options(const Source& source) {
  std::vector<std::pair<std::string, std::string>> own;
  for (auto& kv : source.options)
    if (!find_decorator(std::string_view(kv.first).substr(0, kv.first.find('.')))) own.push_back(kv);
  return own;
}

Problem bad_option(const Source& source, const std::string& why) {
  return {err(EINVAL), "source '" + source.label() + "': " + why, "`isthmus help sources` lists the options"};
}

}  // namespace isthmus::ctl
