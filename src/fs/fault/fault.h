#pragma once
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fs/fault/rules.h"
#include "vfs/decorator.h"

namespace isthmus::fs::fault {

struct Options {
  std::vector<Rule> rules;
  uint64_t seed = 0;  ///< of the chances; 0: a random one, written to the log
};

using KeyValues = std::span<const std::pair<std::string, std::string>>;

/// Keys fault.rules=RULES (rules.h) and fault.seed=N. Other keys are left alone. False: `why` says what is wrong.
bool parse_options(KeyValues keys, Options& out, std::string& why);

/// Fails, delays or shortens chosen operations before the inner file system sees them: a failed one never reaches it. A
/// delay sleeps on the calling thread (and ends when the operation is cancelled), so with delays this file system may
/// block. Any thread.
class Fault final : public Decorator<Fault> {
 public:
  Fault(std::unique_ptr<FileSystem> inner, Options options);

  template <class T>
  void around(Pending<T>& p);
  /// The inner one's, but that doors must not leave out an operation that a rule names (`*` names none).
  Traits traits() const override;

  /// How often rule `i` fired.
  uint64_t fired(size_t i) const;

 private:
  struct Verdict {
    int error = 0;
    uint64_t delay_ns = 0;
    const Rule* shorten = nullptr;
  };
  struct Count {
    uint64_t seen = 0, fired = 0;
  };
  /// name: the operation's, or empty.
  Verdict judge(Op op, std::string_view name);

  const std::vector<Rule> rules_;
  mutable std::mutex m_;  // a leaf lock: guards random_ and counts_
  std::mt19937_64 random_;
  std::vector<Count> counts_;
};

}  // namespace isthmus::fs::fault
