#include "vfs/op_names.h"

#include <algorithm>

namespace isthmus {
namespace {

std::optional<Op> op_named(std::string_view name) {
  for (size_t i = 0; i < kOpCount; i++)
    if (name_of(static_cast<Op>(i)) == name) return static_cast<Op>(i);
  return {};
}

}  // namespace

std::optional<Capabilities> parse_op_names(std::string_view list, char separator, std::string_view& wrong) {
  Capabilities named;
  while (!list.empty()) {
    std::string_view name = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    auto op = op_named(name);
    if (!op) {
      wrong = name;
      return {};
    }
    named.set(*op);
  }
  return named;
}

}  // namespace isthmus
