// The one binary. CLI11 stays in this file: it takes seconds to compile.
#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "ctl/exit_codes.h"
#include "ctl/logging.h"
#include "ctl/mounts.h"

namespace isthmus::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  isthmus mount ~/Documents ~/mnt            a folder\n"
    "  isthmus mount photos.zip ~/mnt             an archive\n"
    "  isthmus mount 'mem:?size=1g' ~/mnt         a file system in memory\n"
    "  isthmus mount -f --trace mem: ~/mnt        with every operation on the screen\n"
    "  isthmus mount -o ro,allow_other /srv ~/mnt\n"
    "  isthmus unmount ~/mnt\n"
    "  isthmus run -- sshfs host: ~/mnt           a FUSE program on our libfuse\n"
    "  isthmus list\n"
    "  isthmus doctor\n\n";

struct Parsed {
  MountArguments mount;
  UnmountArguments unmount;
  RunArguments run;
  bool list_json = false, doctor_json = false;
  std::string topic, log_level = "warning", trace_format = "text";
};

/// A flag, so that `--trace mem:` does not take the source for a format.
CLI::Option* add_trace(CLI::App& c, std::string& format, std::string& file, const std::string& what) {
  auto* trace = c.add_flag("--trace{text}", format, what + "; or --trace=json")->check(CLI::IsMember({"text", "json"}));
  c.add_option("--trace-file", file, "where to; default: standard error")->type_name("FILE");
  return trace;
}

CLI::App* add_mount(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("mount", "mount SOURCE on MOUNTPOINT and serve it until it is unmounted");
  c->add_option("source", p.mount.source, "a folder, an archive file or a URL (isthmus help sources)")
      ->type_name("SOURCE")
      ->required();
  c->add_option("mountpoint", p.mount.mountpoint, "an existing folder, or a file where the source is one; or /dev/fd/N")
      ->type_name("MOUNTPOINT")
      ->required();
  c->add_option("-o,--options", p.mount.options, "mount options, separated by commas (isthmus help mount-options)")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  c->add_flag("-f,--foreground", p.mount.foreground, "do not go to the background");
  c->add_option("-s,--set", p.mount.source_options, "an option of the source, as behind '?' in its URL")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  c->add_option("--cache", p.mount.cache, "the same as -s cache=...: how much the kernel may believe of a folder")
      ->type_name("none|auto|always")
      ->check(CLI::IsMember({"none", "auto", "always"}));
  auto* trace = add_trace(*c, p.trace_format, p.mount.trace_file, "write down every operation, as trace+ does");
  c->add_option("--log", p.mount.log_file,
                "write the log to the end of FILE; default: standard error, in the background "
                "the journal")
      ->type_name("FILE");
  c->add_option("--timeout", p.mount.timeout, "how long the mount may take until it answers; default 30")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  c->add_flag("--no-progress", p.mount.no_progress, "no progress bar while an archive is indexed");
  c->footer("\nReturns when the mount answers. SIGTERM unmounts; a second one cuts users off.\n\n" +
            std::string(kExamples) + exit_status_help());
  c->final_callback([&p, trace] {
    if (trace->count() > 0) p.mount.trace = p.trace_format;
  });
  return c;
}

CLI::App* add_unmount(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("unmount", "unmount FUSE mounts, ours or others', alive or stale");
  c->alias("umount");
  c->add_option("mountpoint", p.unmount.mountpoints, "what to unmount")->type_name("MOUNTPOINT")->required();
  c->add_flag("-l,--lazy", p.unmount.lazy, "out of sight now, gone when the last user leaves");
  c->add_flag("--force", p.unmount.force, "make requests under way fail, for a server that hangs; data may be lost");
  c->footer("\nNames the processes that keep a mount busy. Waits until the server has finished its work.\n\n" +
            exit_status_help());
  return c;
}

CLI::App* add_run(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("run", "run a FUSE program on our libfuse, in the place of the system's");
  // What follows is the program's, options and all.
  c->prefix_command();
  c->fallthrough(false);
  c->add_flag("--check", p.run.check, "say whether the program can be run so and what it needs; nothing is executed");
  c->add_option("--via", p.run.via, "the door that its files are served by; default fuse, the only one")
      ->type_name("DOOR");
  auto* trace = add_trace(*c, p.trace_format, p.run.trace_file, "write down every operation of the program's files");
  c->footer(
      "\nUsage: isthmus run [--via DOOR] [--trace] [--] PROGRAM [ARGUMENT...]\n"
      "       isthmus run --check PROGRAM\n\n"
      "The program takes the place of isthmus: its exit status and signals are its own.\n\n" +
      exit_status_help());
  c->final_callback([&p, c, trace] {
    if (trace->count() > 0) p.run.trace = p.trace_format;
    p.run.command = c->remaining();
  });
  return c;
}

/// Where the options of `app`, from `at` on, end: at a word, "--" or the end.
size_t behind_options(const CLI::App& app, const std::vector<std::string>& words, size_t at) {
  for (; at < words.size() && words[at].starts_with('-') && words[at] != "--"; at++) {
    const CLI::Option* option = app.get_option_no_throw(words[at]);
    if (option && option->get_items_expected_min() > 0) at++;
  }
  return at;
}

/// The words behind the program's name, in CLI11's order: the last one first. It would leave `run` at "--", which is
/// taken out where it only separates.
std::vector<std::string> words_for(const CLI::App& app, const CLI::App& run, int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  size_t command = behind_options(app, words, 0);
  if (command < words.size() && words[command] == run.get_name()) {
    size_t mark = behind_options(run, words, command + 1);
    if (mark < words.size() && words[mark] == "--") words.erase(words.begin() + static_cast<ptrdiff_t>(mark));
  }
  return {words.rbegin(), words.rend()};
}

int dispatch(int argc, char** argv) {
  Parsed p;
  CLI::App app("File systems as programs, mounted", "isthmus");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", ctl::version());
  app.add_option("--log-level", p.log_level, "debug, info, warning, error or off; default warning")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}));

  auto* mount = add_mount(app, p);
  auto* unmount = add_unmount(app, p);
  auto* run = add_run(app, p);
  auto* list = app.add_subcommand("list", "show what is mounted, by whom and how busy it is");
  list->add_flag("--json", p.list_json, "for programs");
  auto* doctor = app.add_subcommand("doctor", "show what this machine can do, and how to change what it cannot");
  doctor->add_flag("--json", p.doctor_json, "for programs");
  doctor->footer("\nExit status 0 if this user can mount, else 4.\n");
  auto* help = app.add_subcommand("help", "more help: sources, mount-options, exit-status");
  help->add_option("topic", p.topic, "what about")->type_name("TOPIC");
  // For the manual page and the shells' completions: man, mount-options, sources.
  auto* generate = app.add_subcommand("generate", "")->group("");
  generate->add_option("what", p.topic, "")->required();

  app.footer("\n" + std::string(kExamples) + "isthmus COMMAND --help tells more.\n");  // last: sub-commands copy it

  try {
    app.parse(words_for(app, *run, argc, argv));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    std::cerr << "isthmus: " << e.what() << "\n  isthmus --help\n";
    return ctl::kExitUsage;
  }
  set_log_level(*ctl::parse_log_level(p.log_level));
  if (*mount) return mount_command(p.mount);
  if (*unmount) return unmount_command(p.unmount);
  if (*run) return run_command(p.run);
  if (*list) return list_command(p.list_json);
  if (*doctor) return doctor_command(p.doctor_json);
  if (*generate) return generate_command(p.topic);
  if (*help && !p.topic.empty()) return help_command(p.topic);
  if (*help) std::cout << app.help();
  return ctl::kExitOk;
}

}  // namespace
}  // namespace isthmus::cli

int main(int argc, char** argv) {
  try {
    return isthmus::cli::dispatch(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "isthmus: " << e.what() << "\n";
    return isthmus::ctl::kExitFailure;
  }
}
