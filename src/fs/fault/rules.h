#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/ops.h"

/// The rules of fault injection, without the file system around them.
///   RULES = RULE[;RULE...]        RULE = OPS:ACTION[:CONDITION...]
///   OPS = * or operation names joined by '+' (read+write)
///   ACTION = an errno name (ENOSPC) | delay=N(us|ms|s) | short=N (read or write at most N bytes) | short=N%
///   CONDITION = p=0.1 (chance) | after=N (let N pass first) | count=N (at most N times) | every=N | name=GLOB
///   (operations with a name)
/// Every rule counts the operations that match its OPS and name. The first rule that fires decides, but delays add up.
namespace isthmus::fs::fault {

struct Rule {
  enum class Action : uint8_t { fail, delay, shorten };
  uint64_t operations = 0;  ///< bit Capabilities::bit(op)
  Action action = Action::fail;
  int error = 0;
  uint64_t amount = 0;  ///< delay: ns; shorten: bytes or percent
  bool percent = false;
  double chance = 1;
  uint64_t after = 0, count = UINT64_MAX, every = 1;
  std::string name;  ///< fnmatch(3) pattern; empty: any
};

/// False: `why` names the rule, what is wrong with it, and what is accepted.
bool parse_rules(std::string_view text, std::vector<Rule>& out, std::string& why);

}  // namespace isthmus::fs::fault
