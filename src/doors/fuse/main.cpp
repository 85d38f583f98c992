#include "doors/fuse/main.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "doors/fuse/serve.h"

namespace isthmus::fuse {
namespace {

constexpr int kUsage = 2;

int exit_status(const ServeOutcome& outcome) {
  switch (outcome.stage) {
    case ServeStage::done:
      return 0;
    case ServeStage::serving:
      return 1;
    case ServeStage::mounting:
      return 3;
    case ServeStage::opening:
      return 5;
  }
  return 1;
}

void help(const char* program) {
  printf(
      "usage: %s [-f] [-d] [-s] [-o OPTIONS] MOUNTPOINT\n\n"
      "  -f          stay in the foreground\n"
      "  -d          stay in the foreground and log everything\n"
      "  -s          one thread\n"
      "  -o OPTIONS  mount options, separated by commas:\n\n%s",
      program, options_help().c_str());
}

int complain(const char* program, const Problem& p) {
  fprintf(stderr, "%s: %s\n", program, p.text().c_str());
  return kUsage;
}

}  // namespace

std::string options_help(size_t width) {
  constexpr size_t kIndent = 28;
  std::string text;
  for (auto& o : option_table()) {
    if (o.place == OptionPlace::refused || o.place == OptionPlace::ignored) continue;
    std::string line = "  " + option_synopsis(o);
    line.resize(std::max(line.size() + 2, kIndent), ' ');
    if (line.size() > kIndent) {
      text += line + "\n";
      line.assign(kIndent, ' ');
    }
    for (std::string_view rest = o.help; !rest.empty();) {
      size_t end = std::min(rest.find(' '), rest.size());
      if (line.size() + end > width && line.size() > kIndent) {
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        line.assign(kIndent, ' ');
      }
      line += std::string(rest.substr(0, end)) + " ";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

int run_main(int argc, char** argv, FileSystem& fs) {
  const char* slash = argc > 0 ? strrchr(argv[0], '/') : nullptr;
  const char* program = slash ? slash + 1 : argc > 0 ? argv[0] : "file system";
  ServeRequest request;
  if (argc == 2 && strcmp(argv[1], "--help") == 0) return help(program), 0;
  opterr = 0;
  optind = 1;
  for (int c; (c = getopt(argc, argv, "-fdsho:")) != -1;) {
    if (c == 'f' || c == 'd') request.foreground = true;
    if (c == 'd') set_log_level(LogLevel::debug);
    if (c == 's') request.options.threads = 1;
    if (c == 'h') return help(program), 0;
    if (c == 'o')
      if (auto parsed = parse_options(optarg, request.options); !parsed) return complain(program, parsed.problem());
    if (c == 1) {
      if (!request.mountpoint.empty())
        return complain(program, {err(EINVAL), std::string("unexpected argument '") + optarg + "'", "-h for help"});
      request.mountpoint = optarg;
    }
    if (c == '?')
      return complain(
          program,
          {err(EINVAL), std::string("wrong or incomplete option '-") + static_cast<char>(optopt) + "'", "-h for help"});
  }
  if (request.mountpoint.empty() && optind < argc) request.mountpoint = argv[optind];
  if (request.mountpoint.empty()) return complain(program, {err(EINVAL), "no mountpoint given", "-h for help"});
  if (request.options.debug) set_log_level(LogLevel::debug);

  ServeHooks hooks;
  hooks.open = [&fs]() -> Expected<FileSystem*> { return &fs; };
  ServeOutcome outcome = serve(request, hooks);
  if (outcome.stage != ServeStage::done && !outcome.reported)
    fprintf(stderr, "%s: %s\n", program, outcome.problem.text().c_str());
  return exit_status(outcome);
}

}  // namespace isthmus::fuse
