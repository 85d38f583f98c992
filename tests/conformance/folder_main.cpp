// conformance_folder --dir=PATH [--traits=LIST] [--expect=TREE] [--small=DIR] [--native=DIR]
// [--threads=N] [--patience=N] [gtest options]
#include "tests/conformance/folder.h"

#include <gtest/gtest.h>
#include <charconv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using isthmus::conformance::Options;
using isthmus::conformance::options;
using isthmus::conformance::Traits;

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of the CTest entries
constexpr int kUsage = 2;

int usage(const char* complaint) {
  if (complaint != nullptr) fprintf(stderr, "conformance_folder: %s\n", complaint);
  fprintf(stderr,
          "usage: conformance_folder --dir=PATH [--traits=LIST] [--expect=TREE] [--small=DIR] [--native=DIR] "
          "[--threads=N] [--patience=N] [gtest options]\n"
          "Tests the POSIX behaviour of the file system PATH lies on; run as root.\n"
          "  --traits=LIST   comma list applied in order to what is known of the file system:\n"
          "                  presets all, tmpfs, ext4; `trait`, `-trait`, `trait=value`\n"
          "  --expect=TREE   read-only file systems: a native folder with the same content\n"
          "  --small=DIR     a folder on a file system of a few MiB, for ENOSPC\n"
          "  --native=DIR    a folder on another, native file system (default /tmp)\n"
          "  --threads=N     that do the same at the same time in the Concurrency tests, even (default 8)\n"
          "  --patience=N    time limits are N times longer, 1 to 100 (default 1), for emulated machines\n"
          "Exit status: 0 passed, 1 failed, 2 usage, 3 a test hung, 77 not root.\nTraits:\n%s",
          isthmus::conformance::trait_list().c_str());
  return complaint != nullptr ? kUsage : 0;
}

bool take(std::string_view argument, std::string_view option, std::string* value) {
  if (!argument.starts_with(option)) return false;
  *value = argument.substr(option.size());
  return true;
}

// 0 if it is none.
int number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::string traits;
  std::string threads;
  std::string patience;
  Options& given = options();
  given.native = "/tmp";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") return usage(nullptr);
    if (!take(argument, "--dir=", &given.dir) && !take(argument, "--traits=", &traits) &&
        !take(argument, "--expect=", &given.expect) && !take(argument, "--small=", &given.small) &&
        !take(argument, "--native=", &given.native) && !take(argument, "--threads=", &threads) &&
        !take(argument, "--patience=", &patience)) {
      return usage(("unknown argument " + std::string(argument)).c_str());
    }
  }
  if (given.dir.empty() && !GTEST_FLAG_GET(list_tests)) return usage("--dir is missing");
  if (!given.dir.empty() && given.dir.front() != '/') return usage("--dir must be an absolute path");
  if (!threads.empty()) given.threads = number(threads);
  if (given.threads < 2 || given.threads > 256 || given.threads % 2 != 0)
    return usage("--threads must be even, 2 to 256");
  if (!patience.empty()) given.patience = number(patience);
  if (given.patience < 1 || given.patience > 100) return usage("--patience must be 1 to 100");
  given.traits = Traits::of_folder(given.dir);
  while (!traits.empty()) {
    const auto comma = traits.find(',');
    const std::string word = traits.substr(0, comma);
    traits = comma == std::string::npos ? "" : traits.substr(comma + 1);
    if (!word.empty() && !given.traits.apply(word)) return usage(("no trait named " + word).c_str());
  }
  if (geteuid() != 0 && !GTEST_FLAG_GET(list_tests)) {
    printf("SKIPPED: all conformance tests of %s: they switch users and make devices, which needs root\n",
           given.dir.c_str());
    return kSkipped;
  }
  // Times are printed in full, and no test depends on the locale.
  setlocale(LC_ALL, "C");
  return RUN_ALL_TESTS();
}
