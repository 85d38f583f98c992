// conformance_model --dir=DIR --reference=REF [--seed=N] [--steps=N] [--compare-every=N] [--threads=N]
// [--injected=ERRNO,...] [--traits=LIST]: the same random operations on both folders; results, errors and, every so
// often, the whole trees must agree. The first difference ends the run and prints the seed. With several threads each
// works in folders of its own, on the same two file systems at the same time.
#include "tests/conformance/model/operations.h"
#include "tests/conformance/traits.h"
#include "tests/conformance/tree.h"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace isthmus::conformance {
namespace {

constexpr int kUsage = 2;
constexpr std::int64_t kRecent = 1'500'000'000;  // the model sets older times only; later ones are the clock's

struct Arguments {
  std::string dir;
  std::string reference;
  std::string traits;
  std::uint64_t seed = 0;
  std::uint64_t steps = 20000;
  std::uint64_t compare_every = 500;
  std::uint64_t threads = 1;
  std::vector<int> injected;
};

constexpr int kLastErrno = 133;
// Trees are compared again if errors are injected: one of them hides a file.
constexpr int kComparisons = 300;

bool number(std::string_view text, std::uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool error_list(std::string_view text, std::vector<int>* errors) {
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    int error = 1;
    while (error <= kLastErrno && error_name(error) != name) ++error;
    if (error > kLastErrno) return false;
    errors->push_back(error);
  }
  return true;
}

bool parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto equal = argument.find('=');
    if (equal == std::string_view::npos) return false;
    const auto option = argument.substr(0, equal);
    const auto value = argument.substr(equal + 1);
    if (option == "--dir") {
      arguments->dir = value;
    } else if (option == "--reference") {
      arguments->reference = value;
    } else if (option == "--traits") {
      arguments->traits = value;
    } else if (option == "--seed") {
      if (!number(value, &arguments->seed)) return false;
    } else if (option == "--steps") {
      if (!number(value, &arguments->steps)) return false;
    } else if (option == "--threads") {
      if (!number(value, &arguments->threads) || arguments->threads == 0) return false;
    } else if (option == "--injected") {
      if (!error_list(value, &arguments->injected)) return false;
    } else if (option == "--compare-every") {
      if (!number(value, &arguments->compare_every) || arguments->compare_every == 0) return false;
    } else {
      return false;
    }
  }
  return !arguments->dir.empty() && !arguments->reference.empty();
}

bool same_trees(const World& world, const Traits& traits, bool injected) {
  TreeRules rules;
  rules.owners = traits.owners;
  rules.xattrs = traits.xattrs;
  rules.dir_nlink = traits.dir_nlink;
  rules.dir_mtime = traits.dir_mtime;
  rules.time_ns = traits.time_ns;
  rules.recent_from = kRecent;
  std::vector<std::string> differences;
  for (int i = 0; i < (injected ? kComparisons : 1); ++i) {
    differences = compare_trees(world.reference_top(), world.tested_top(), rules);
    if (differences.empty()) return true;
  }
  for (const auto& line : differences) printf("  %s\n", line.c_str());
  return false;
}

struct Totals {
  std::atomic<std::uint64_t> successes{0};
  std::atomic<std::uint64_t> injections{0};
  std::atomic<bool> failed{false};  // the other threads stop, too
};

// One thread's share. A failure is printed.
bool walk(const Arguments& arguments, std::uint64_t seed, const Traits& traits, Totals* totals) {
  World world({arguments.dir, arguments.reference, seed, arguments.injected}, traits);
  const bool injected = !arguments.injected.empty();
  if (!world.ready()) return false;
  for (std::uint64_t step = 0; step < arguments.steps / arguments.threads && !totals->failed; ++step) {
    const Outcome outcome = world.step();
    const bool same = outcome.same();
    if (same && ((step + 1) % arguments.compare_every != 0 || same_trees(world, traits, injected))) continue;
    printf("seed %llu step %llu: %s\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(step),
           outcome.what.c_str());
    if (same) {
      printf("  the trees differ, see above (expected: reference)\n");
    } else {
      printf("  expected (reference): %s\n  got: %s\n", outcome.expected.c_str(), outcome.got.c_str());
    }
    world.print_history();
    return false;
  }
  world.close_all();
  totals->successes += world.successes();
  totals->injections += world.injections();
  return same_trees(world, traits, injected);
}

int run(const Arguments& arguments) {
  Traits traits = Traits::of_folder(arguments.dir);
  for (std::string_view rest = arguments.traits; !rest.empty();) {
    const auto comma = rest.find(',');
    if (!traits.apply(rest.substr(0, comma))) {
      fprintf(stderr, "conformance_model: no trait named %s\n", std::string(rest.substr(0, comma)).c_str());
      return kUsage;
    }
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  printf("conformance_model: --seed=%llu --steps=%llu --threads=%llu\n",
         static_cast<unsigned long long>(arguments.seed), static_cast<unsigned long long>(arguments.steps),
         static_cast<unsigned long long>(arguments.threads));
  Totals totals;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < arguments.threads; ++i) {
    threads.emplace_back([&, seed = arguments.seed + i] {
      if (!walk(arguments, seed, traits, &totals)) totals.failed = true;
    });
  }
  for (auto& thread : threads) thread.join();
  if (totals.failed) return 1;
  if (!arguments.injected.empty() && totals.injections == 0) {
    printf("no error was injected: the run says nothing\n");
    return 1;
  }
  printf("%llu operations agree, %llu of them succeeded, %llu errors were injected\n",
         static_cast<unsigned long long>(arguments.steps), static_cast<unsigned long long>(totals.successes.load()),
         static_cast<unsigned long long>(totals.injections.load()));
  return 0;
}

}  // namespace
}  // namespace isthmus::conformance

int main(int argc, char** argv) {
  isthmus::conformance::Arguments arguments;
  arguments.seed = static_cast<std::uint64_t>(time(nullptr)) * 1000 + static_cast<std::uint64_t>(getpid()) % 1000;
  if (!isthmus::conformance::parse(argc, argv, &arguments)) {
    fputs(
        "usage: conformance_model --dir=DIR --reference=NATIVE_DIR [--seed=N] [--steps=N] [--compare-every=N] "
        "[--threads=N] [--injected=ERRNO,...] [--traits=LIST]\n",
        stderr);
    return isthmus::conformance::kUsage;
  }
  if (geteuid() != 0) {
    printf("SKIPPED: conformance_model: it changes owners and makes devices, which needs root\n");
    return 77;
  }
  umask(022);
  return isthmus::conformance::run(arguments);
}
