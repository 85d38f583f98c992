// conformance_model --dir=DIR --reference=REF [--seed=N] [--steps=N] [--compare-every=N] [--traits=LIST]: the same
// random operations on both folders; results, errors and, every so often, the whole trees must agree. The first
// difference ends the run and prints the seed.
#include "tests/conformance/model/operations.h"
#include "tests/conformance/traits.h"
#include "tests/conformance/tree.h"

#include <sys/stat.h>
#include <unistd.h>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

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
};

bool number(std::string_view text, std::uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc{} && end == text.data() + text.size();
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
    } else if (option == "--compare-every") {
      if (!number(value, &arguments->compare_every) || arguments->compare_every == 0) return false;
    } else {
      return false;
    }
  }
  return !arguments->dir.empty() && !arguments->reference.empty();
}

bool same_trees(const World& world, const Traits& traits) {
  TreeRules rules;
  rules.owners = traits.owners;
  rules.xattrs = traits.xattrs;
  rules.dir_nlink = traits.dir_nlink;
  rules.time_ns = traits.time_ns;
  rules.recent_from = kRecent;
  const auto differences = compare_trees(world.reference_top(), world.tested_top(), rules);
  for (const auto& line : differences) printf("  %s\n", line.c_str());
  return differences.empty();
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
  printf("conformance_model: --seed=%llu --steps=%llu\n", static_cast<unsigned long long>(arguments.seed),
         static_cast<unsigned long long>(arguments.steps));
  World world(arguments.dir, arguments.reference, arguments.seed, traits);
  if (!world.ready()) return 1;
  for (std::uint64_t step = 0; step < arguments.steps; ++step) {
    const Outcome outcome = world.step();
    if (!outcome.same()) {
      printf("step %llu: %s\n  expected (reference): %s\n  got: %s\n", static_cast<unsigned long long>(step),
             outcome.what.c_str(), outcome.expected.c_str(), outcome.got.c_str());
      world.print_history();
      return 1;
    }
    if ((step + 1) % arguments.compare_every == 0 && !same_trees(world, traits)) {
      printf("step %llu: the trees differ, see above (expected: reference)\n", static_cast<unsigned long long>(step));
      world.print_history();
      return 1;
    }
  }
  world.close_all();
  if (!same_trees(world, traits)) return 1;
  printf("%llu operations agree, %llu of them succeeded\n", static_cast<unsigned long long>(arguments.steps),
         static_cast<unsigned long long>(world.successes()));
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
        "[--traits=LIST]\n",
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
