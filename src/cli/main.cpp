// The command line. CLI11 stays in this file: it takes seconds to compile.
#include <CLI/CLI.hpp>

#include "cli/begin.h"
#include "cli/commands.h"
#include "ctl/exit_codes.h"
#include "ctl/logging.h"
#include "ctl/mounts.h"
#include "ctl/ways.h"

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
    "  isthmus host -- rclone mount remote: ~/mnt any FUSE daemon, as it is\n"
    "  isthmus list\n"
    "  isthmus doctor\n\n";

struct Parsed {
  MountArguments mount;
  ServeArguments serve;
  UnmountArguments unmount;
  RunArguments run;
  ctl::HostJob host;
  ctl::FuseTestJob fusetest;
  bool list_json = false, list_prometheus = false, doctor_json = false;
  std::string topic, log_level = "warning", trace_format = "text";
};

/// A flag, so that `--trace mem:` does not take the source for a format.
CLI::Option* add_trace(CLI::App& c, std::string& format, std::string& file, const std::string& what) {
  auto* trace = c.add_flag("--trace{text}", format, what + "; or --trace=json")->check(CLI::IsMember({"text", "json"}));
  c.add_option("--trace-file", file, "where to; default: standard error")->type_name("FILE");
  return trace;
}

/// Options of commands that open a source.
void add_source(CLI::App& c, SourceArguments& a, std::string& trace_format) {
  c.add_option("source", a.source, "a folder, an archive file or a URL (isthmus help sources)")
      ->type_name("SOURCE")
      ->required();
  c.add_option("-s,--set", a.source_options, "an option of the source, as behind '?' in its URL")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  c.add_option("--cache", a.cache, "the same as -s cache=...: how much the kernel may believe of a folder")
      ->type_name("none|auto|always")
      ->check(CLI::IsMember({"none", "auto", "always"}));
  auto* trace = add_trace(c, trace_format, a.trace_file, "write down every operation, as trace+ does");
  c.add_flag("--no-progress", a.no_progress, "no progress bar while an archive is indexed");
  c.final_callback([&a, &trace_format, trace] {
    if (trace->count() > 0) a.trace = trace_format;
  });
}

CLI::App* add_mount(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("mount", "mount SOURCE on MOUNTPOINT and serve it until it is unmounted");
  add_source(*c, p.mount, p.trace_format);
  c->add_option("mountpoint", p.mount.mountpoint, "an existing folder, or a file where the source is one; or /dev/fd/N")
      ->type_name("MOUNTPOINT")
      ->required();
  c->add_option("-o,--options", p.mount.options, "mount options, separated by commas (isthmus help mount-options)")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  c->add_option(
       "--via", p.mount.via,
       "the way: fuse, the kernel's driver (default); smb or webdav, a client of this system (cifs; davfs2, gio); "
       "auto, the best there is here")
      ->type_name("WAY")
      ->check(CLI::IsMember(ctl::via_names()));
  c->add_flag("-f,--foreground", p.mount.foreground, "do not go to the background");
  c->add_option("--log", p.mount.log_file,
                "write the log to the end of FILE; default: standard error, in the background "
                "the journal")
      ->type_name("FILE");
  c->add_option("--timeout", p.mount.timeout, "how long the mount may take until it answers; default 30")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  c->footer("\nReturns when the mount answers. SIGTERM unmounts; a second one cuts users off.\n\n" +
            std::string(kExamples) + exit_status_help());
  return c;
}

CLI::App* add_serve(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("serve", "serve SOURCE to clients of this machine: doors that need no driver");
  add_source(*c, p.serve, p.trace_format);
  c->add_option("--webdav", p.serve.webdav_at, "open a WebDAV door; default: a free port of 127.0.0.1")
      ->type_name("[ADDRESS:]PORT")
      ->expected(0, 1)
      ->default_str("");
  c->add_option("--smb", p.serve.smb_at, "open an SMB door; default: a free port of 127.0.0.1")
      ->type_name("[ADDRESS:]PORT")
      ->expected(0, 1)
      ->default_str("");
  c->add_option("--userfs", p.serve.userfs,
                "serve a peer over two open descriptors, READ,WRITE; -: standard input and output")
      ->type_name("-|READ,WRITE");
  c->add_option("--fuse", p.serve.fuse, "and mount it by the kernel's FUSE driver")->type_name("MOUNTPOINT");
  c->add_option("-o,--options", p.serve.options, "mount options of --fuse (isthmus help mount-options)")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  c->add_option("--auth", p.serve.webdav.auth, "ask for a password besides the secret in the URL")
      ->type_name("none|digest|basic")
      ->check(CLI::IsMember({"none", "digest", "basic"}));
  c->add_option("--user", p.serve.webdav.user, "for --auth and --smb; default isthmus")->type_name("NAME");
  c->add_option("--password-file", p.serve.webdav.password_file,
                "its first line is the password; default: a random one, told at the start")
      ->type_name("FILE");
  c->add_option("--tls", p.serve.webdav.tls, "speak HTTPS, with the certificate and the key of these PEM files")
      ->type_name("CERT,KEY");
  c->add_option("--allow-uid", p.serve.webdav.allow_uids, "let this user's programs in, too (davfs2's daemon)")
      ->type_name("USER")
      ->allow_extra_args(false);
  c->add_option("--host", p.serve.webdav.hosts, "a further value of Host that is ours")
      ->type_name("NAME:PORT")
      ->allow_extra_args(false);
  c->add_flag("--no-secret", p.serve.webdav.no_secret, "leave the random part of the URL out");
  c->add_flag("--read-only", p.serve.webdav.read_only, "refuse all changes that come by WebDAV, SMB or userfs");
  c->add_option("--share", p.serve.smb.share, "name of the share of --smb; default isthmus")->type_name("NAME");
  c->add_option("--encrypt", p.serve.smb.encrypt, "whether SMB's messages are sealed, besides being signed")
      ->type_name("off|offered|required")
      ->check(CLI::IsMember({"off", "offered", "required"}));
  c->add_option("--signing", p.serve.smb.signing, "whether SMB's messages have to be signed")
      ->type_name("required|offered")
      ->check(CLI::IsMember({"required", "offered"}));
  c->add_flag("--case-sensitive", p.serve.smb.case_sensitive, "names that differ in case alone are two, also by SMB");
  c->add_flag("--show-dot-files", p.serve.smb.show_dot_files,
              "names with a dot in front are not hidden from SMB's clients");
  c->add_option("--uidmap", p.serve.smb.uidmap, "SIDs of users for SMB's clients")->type_name("UID:SID[;UID:SID...]");
  c->add_option("--log", p.serve.log_file, "write the log to the end of FILE; default: standard error")
      ->type_name("FILE");
  c->footer(
      "\nServes until SIGTERM or Ctrl-C; with --userfs alone, until its peer is gone. Only this user's programs and "
      "root's are let in.\n\n" +
      exit_status_help());
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
  c->add_option("--via", p.run.via, "the way that it mounts, as of `isthmus mount`; default fuse")
      ->type_name("WAY")
      ->check(CLI::IsMember(ctl::via_names()));
  auto* trace = add_trace(*c, p.trace_format, p.run.trace_file, "write down every operation of the program's files");
  c->footer(
      "\nUsage: isthmus run [--via WAY] [--trace] [--] PROGRAM [ARGUMENT...]\n"
      "       isthmus run --check PROGRAM\n\n"
      "By fuse, the program takes the place of isthmus: its exit status and signals are its own.\n\n" +
      exit_status_help());
  c->final_callback([&p, c, trace] {
    if (trace->count() > 0) p.run.trace = p.trace_format;
    p.run.command = c->remaining();
  });
  return c;
}

CLI::App* add_host(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("host", "host a FUSE daemon as it is, and mount its files: no /dev/fuse, no privilege");
  c->prefix_command();
  c->fallthrough(false);
  c->add_option("--via", p.host.via, "the way its files are mounted, as of `isthmus mount`; default auto")
      ->type_name("WAY")
      ->check(CLI::IsMember(ctl::via_names()));
  c->add_option(
       "--in", p.host.way_in,
       "how it gets its device: seccomp (its mount calls are answered), fusermount (ours is first on its $PATH), "
       "fd (/dev/fd/N is its mountpoint), libfuse (ours is loaded), preload (a library of ours in it asks); auto, what "
       "works here (default)")
      ->type_name("WAY")
      ->check(CLI::IsMember(ctl::ways_in()));
  c->add_flag("--isolate", p.host.isolated, "give it namespaces of its own: users, mounts, processes");
  c->add_flag("-f,--foreground", p.host.foreground, "do not go to the background");
  c->add_option("--log", p.host.log_file, "write the log, and what the daemon says, to the end of FILE")
      ->type_name("FILE");
  c->add_option("--timeout", p.host.answer_seconds, "how long the mount may take until it answers; default 30")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400));
  c->footer(
      "\nUsage: isthmus host [OPTIONS] [--] DAEMON [ARGUMENT...]\n\n"
      "Any daemon: static, Go, Python, with a libfuse of its own or none. `isthmus run` is for programs linked to\n"
      "libfuse that are to run on ours, by the kernel's driver with no process between, or traced.\n"
      "Without a mountpoint: isthmus serve 'host:DAEMON ARGUMENT... {}' --webdav --smb\n\n" +
      exit_status_help());
  c->final_callback([&p, c] { p.host.command = c->remaining(); });
  return c;
}

CLI::App* add_fusetest(CLI::App& app, Parsed& p) {
  auto* c = app.add_subcommand("fusetest", "test a FUSE daemon: no mount, no /dev/fuse, no privilege");
  c->prefix_command();
  c->fallthrough(false);
  c->add_option("--junit", p.fusetest.junit_file, "write the results to FILE, too, as JUnit's XML")->type_name("FILE");
  c->add_flag("--read-only", p.fusetest.keep_off, "make nothing: only what reads is tested");
  c->add_option("--in", p.fusetest.way_in, "how it gets its device, as of `isthmus host`; default auto")
      ->type_name("WAY")
      ->check(CLI::IsMember(ctl::ways_in()));
  c->add_flag("--isolate", p.fusetest.isolated, "give it namespaces of its own: users, mounts, processes");
  c->footer(
      "\nUsage: isthmus fusetest [OPTIONS] [--] DAEMON [ARGUMENT...]\n\n"
      "{} stands for the mountpoint, an empty folder that is added at the end where it is not named. What the tests "
      "make\n"
      "is in one folder in the root of its file system, and removed.\n\n" +
      exit_status_help());
  c->final_callback([&p, c] { p.fusetest.command = c->remaining(); });
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

/// The words behind the program's name, in CLI11's order: the last one first. It would leave a command of `takers`,
/// which take another program's words, at "--", which is taken out where it only separates.
std::vector<std::string> words_for(const CLI::App& app, std::initializer_list<const CLI::App*> takers, int argc,
                                   char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const size_t command = behind_options(app, words, 0);
  for (const CLI::App* taker : takers) {
    if (command >= words.size() || words[command] != taker->get_name()) continue;
    const size_t mark = behind_options(*taker, words, command + 1);
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
  auto* serve = add_serve(app, p);
  auto* unmount = add_unmount(app, p);
  auto* run = add_run(app, p);
  auto* host = add_host(app, p);
  auto* fusetest = add_fusetest(app, p);
  auto* list = app.add_subcommand("list", "show what is mounted, by whom and how busy it is");
  auto* list_as_json = list->add_flag("--json", p.list_json, "for programs");
  list->add_flag("--prometheus", p.list_prometheus, "figures in Prometheus' text format")->excludes(list_as_json);
  auto* doctor = app.add_subcommand("doctor", "show what this machine can do, and how to change what it cannot");
  doctor->add_flag("--json", p.doctor_json, "for programs");
  doctor->footer("\nExit status 0 if this user can mount, else 4.\n");
  auto* help = app.add_subcommand("help", "more help: sources, mount-options, exit-status");
  help->add_option("topic", p.topic, "what about")->type_name("TOPIC");
  // For the manual page and the shells' completions: man, mount-options, sources.
  auto* generate = app.add_subcommand("generate", "")->group("");
  generate->add_option("what", p.topic, "")->required();

  app.footer("\n" + std::string(kExamples) +
             "No driver here:\n  isthmus serve ~/Documents --webdav         over WebDAV\n\n" +
             "isthmus COMMAND --help tells more.\n");  // last: sub-commands copy it

  try {
    app.parse(words_for(app, {run, host, fusetest}, argc, argv));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    std::cerr << "isthmus: " << e.what() << "\n  isthmus --help\n";
    return ctl::kExitUsage;
  }
  set_log_level(*ctl::parse_log_level(p.log_level));
  if (*mount) return mount_command(p.mount);
  if (*serve) return serve_command(p.serve);
  if (*unmount) return unmount_command(p.unmount);
  if (*run) return run_command(p.run);
  if (*host) return host_command(p.host);
  if (*fusetest) return fusetest_command(p.fusetest);
  if (*list) return list_command(p.list_json, p.list_prometheus);
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
    if (auto status = isthmus::ctl::as_fusermount(argc, argv)) return *status;
    isthmus::cli::begin(argc, argv);
    return isthmus::cli::dispatch(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "isthmus: " << e.what() << "\n";
    return isthmus::ctl::kExitFailure;
  }
}
