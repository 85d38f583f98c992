#include "cli/begin.h"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ctl/libraries.h"
#include "ctl/net/net_schemes.h"

namespace isthmus::cli {
namespace {

/// `word` as a source: its scheme, behind its decorators. Empty: it has none.
std::string_view scheme_of(std::string_view word) {
  const std::string_view front = word.substr(0, word.find(':'));
  if (front.size() == word.size()) return {};
  const size_t plus = front.rfind('+');
  return plus == std::string_view::npos ? front : front.substr(plus + 1);
}

/// A word that wants the other program. Null: none.
const char* wanted_by(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const std::string_view word = argv[i];
    if (word == "--") break;
    // These tell of all sources.
    if (i == 1 && (word == "generate" || (word == "help" && argc > 2))) return argv[i];
    const std::string_view scheme = scheme_of(word);
    if (std::count(ctl::kNetSchemeNames.begin(), ctl::kNetSchemeNames.end(), scheme)) return argv[i];
  }
  return nullptr;
}

}  // namespace

void begin(int argc, char** argv) {
  const char* word = wanted_by(argc, argv);
  if (!word) return;
  const auto program = ctl::net_program();
  if (!program) throw std::runtime_error(program.problem().what);
  ::execv(program->c_str(), argv);
  throw std::runtime_error("'" + std::string(word) + "' is for " + *program + ", which cannot be run (" +
                           std::string(text_of(last_errno())) + "): install isthmus again, or build it: ninja isthmus");
}

}  // namespace isthmus::cli
