/// fuse_parse_cmdline, fuse_setup, fuse_teardown, fuse_main_real.
#include <limits.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "libfuse/common/signals.h"
#include "libfuse/v2/exports.h"
#include "libfuse/v2/fuse.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/common/no_throw.h"
#include "providers/libfuse/common/opt_parser.h"

namespace isthmus::libfuse::v2 {
namespace {

struct CommandLine {
  int singlethread = 0, foreground = 0, nodefault_subtype = 0;
  char* mountpoint = nullptr;
};

enum Key { kHelp = 1, kHelpWithoutHeader, kVersion };

#define OPTION(templ, member) \
  { templ, offsetof(CommandLine, member), 1 }
const fuse_opt kTable[] = {
    OPTION("-d", foreground),
    OPTION("debug", foreground),
    OPTION("-f", foreground),
    OPTION("-s", singlethread),
    OPTION("fsname=", nodefault_subtype),
    OPTION("subtype=", nodefault_subtype),
    FUSE_OPT_KEY("-h", kHelp),
    FUSE_OPT_KEY("--help", kHelp),
    FUSE_OPT_KEY("-ho", kHelpWithoutHeader),
    FUSE_OPT_KEY("-V", kVersion),
    FUSE_OPT_KEY("--version", kVersion),
    FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("debug", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("fsname=", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("subtype=", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_END,
};
#undef OPTION

int take(void* data, const char* arg, int key, fuse_args* kept) {
  auto& c = *static_cast<CommandLine*>(data);
  switch (key) {
    case kHelp:
      fprintf(stderr,
              "usage: %s mountpoint [options]\n\n"
              "general options:\n"
              "    -o opt,[opt...]        mount options\n"
              "    -h   --help            this text\n"
              "    -V   --version         versions\n\n",
              kept->argv[0]);
      [[fallthrough]];
    case kHelpWithoutHeader:
      fprintf(stderr,
              "FUSE options:\n"
              "    -d   -o debug          log what happens, stay in the foreground\n"
              "    -f                     stay in the foreground\n"
              "    -s                     one thread\n\n");
      return add_arg(*kept, "-h");
    case kVersion:
      fprintf(stderr, "FUSE library version: 2.9.9\n");
      return 1;
    case FUSE_OPT_KEY_NONOPT: {
      if (c.mountpoint) {
        message(FUSE_LOG_ERR, "fuse: invalid argument `%s'\n", arg);
        return -1;
      }
      char path[PATH_MAX];
      if (realpath(arg, path)) return add_opt(c.mountpoint, path, false);
      message(FUSE_LOG_ERR, "fuse: bad mount point `%s': %s\n", arg, strerror(errno));
      return -1;
    }
    default:
      return 1;
  }
}

int parse(fuse_args& args, char** mountpoint, int* multithreaded, int* foreground) {
  CommandLine c;
  OptParser parser(args, &c, kTable, take);
  if (args.argv && args.argc > 0) {
    if (parser.run() < 0) {
      free(c.mountpoint);
      return -1;
    }
    parser.swap_args(args);
    if (!c.nodefault_subtype) {
      const char* program = args.argv[0];
      if (const char* slash = strrchr(program, '/'); slash && slash[1]) program = slash + 1;
      if (add_arg(args, ("-osubtype=" + std::string(program)).c_str()) < 0) {
        free(c.mountpoint);
        return -1;
      }
    }
  }
  if (mountpoint)
    *mountpoint = c.mountpoint;
  else
    free(c.mountpoint);
  if (multithreaded) *multithreaded = !c.singlethread;
  if (foreground) *foreground = c.foreground;
  return 0;
}

struct Program2 {
  fuse* f = nullptr;
  char* mountpoint = nullptr;
  int multithreaded = 1;
};

void take_down(fuse* f, char* mountpoint) {
  remove_signal_handlers(*f->session.core);
  unmount(mountpoint, f->session.chan);
  destroy(f);
  free(mountpoint);
}

/// f null: it has been told why not.
Program2 set_up(fuse_args& args, const Callbacks& callbacks, void* user_data) {
  Program2 p;
  int foreground = 0;
  if (parse(args, &p.mountpoint, &p.multithreaded, &foreground) < 0) return p;
  fuse_chan* ch = mount(p.mountpoint, args);
  if (ch) p.f = make_fuse(ch, args, callbacks, user_data);
  if (ch && !p.f) unmount(ch->mount ? p.mountpoint : nullptr, ch);
  if (p.f && ::fuse_daemonize(foreground) == 0 && set_signal_handlers(*p.f->session.core) == 0) return p;
  if (p.f) {
    unmount(p.mountpoint, p.f->session.chan);
    destroy(p.f);
  }
  free(p.mountpoint);
  return {};
}

Program2 set_up(int argc, char* argv[], const Callbacks& callbacks, void* user_data) {
  fuse_args args = FUSE_ARGS_INIT(argc, argv);
  auto p = no_throw(Program2{}, [&] { return set_up(args, callbacks, user_data); });
  free_args(args);
  return p;
}

fuse* handed_out(const Program2& p, char** mountpoint, int* multithreaded, int* fd) {
  if (!p.f) return nullptr;
  *mountpoint = p.mountpoint;
  *multithreaded = p.multithreaded;
  if (fd) *fd = p.f->session.chan->fd;
  return p.f;
}

/// What main() is to return.
int run(int argc, char* argv[], const Callbacks& callbacks, void* user_data) {
  Program2 p = set_up(argc, argv, callbacks, user_data);
  if (!p.f) return 1;
  int result = loop_cleaning(*p.f->core, p.multithreaded ? kMaxThreads : 1);
  take_down(p.f, p.mountpoint);
  return result < 0 ? 1 : 0;
}

}  // namespace

ISTHMUS_FUNCTION_2(int, fuse_parse_cmdline, fuse_args* args, char** mountpoint, int* multithreaded, int* foreground) {
  return no_throw(-1, [&] { return parse(*args, mountpoint, multithreaded, foreground); });
}

// ---- set up and take down ----

ISTHMUS_FUNCTION_2(fuse*, fuse_setup, int argc, char* argv[], const fuse_operations* op, size_t op_size,
                   char** mountpoint, int* multithreaded, void* user_data) {
  return handed_out(set_up(argc, argv, callbacks_of(op, op_size), user_data), mountpoint, multithreaded, nullptr);
}
ISTHMUS_FUNCTION_2(fuse*, fuse_setup_compat25, int argc, char* argv[], const fuse_operations_compat25* op,
                   size_t op_size, char** mountpoint, int* multithreaded, int* fd) {
  return handed_out(set_up(argc, argv, callbacks_of(op, op_size), nullptr), mountpoint, multithreaded, fd);
}
ISTHMUS_OLD_VERSION(fuse_setup, fuse_setup_compat25, "FUSE_2.5")
ISTHMUS_FUNCTION_2(fuse*, fuse_setup_compat22, int argc, char* argv[], const fuse_operations_compat22* op,
                   size_t op_size, char** mountpoint, int* multithreaded, int* fd) {
  return handed_out(set_up(argc, argv, callbacks_of(op, op_size), nullptr), mountpoint, multithreaded, fd);
}
ISTHMUS_OLD_VERSION(fuse_setup, fuse_setup_compat22, "FUSE_2.2")
ISTHMUS_FUNCTION_2(fuse*, fuse_setup_compat2, int argc, char* argv[], const fuse_operations_compat2* op,
                   char** mountpoint, int* multithreaded, int* fd) {
  return handed_out(set_up(argc, argv, callbacks_of(*op), nullptr), mountpoint, multithreaded, fd);
}
ISTHMUS_OLD_VERSION(__fuse_setup, fuse_setup_compat2, "")

ISTHMUS_FUNCTION_2(void, fuse_teardown, fuse* f, char* mountpoint) { take_down(f, mountpoint); }
ISTHMUS_FUNCTION_2(void, fuse_teardown_compat22, fuse* f, int, char* mountpoint) { take_down(f, mountpoint); }
ISTHMUS_OLD_VERSION(fuse_teardown, fuse_teardown_compat22, "FUSE_2.2")
ISTHMUS_FUNCTION_2_OLD(void, fuse_teardown_compat2, fuse* f, int, char* mountpoint) { take_down(f, mountpoint); }
ISTHMUS_OLD_VERSION(__fuse_teardown, fuse_teardown_compat2, "")

// ---- the whole ----

ISTHMUS_FUNCTION_2(int, fuse_main_real, int argc, char* argv[], const fuse_operations* op, size_t op_size,
                   void* user_data) {
  return run(argc, argv, callbacks_of(op, op_size), user_data);
}
ISTHMUS_FUNCTION_2(int, fuse_main_real_compat25, int argc, char* argv[], const fuse_operations_compat25* op,
                   size_t op_size) {
  return run(argc, argv, callbacks_of(op, op_size), nullptr);
}
ISTHMUS_OLD_VERSION(fuse_main_real, fuse_main_real_compat25, "FUSE_2.5")
ISTHMUS_FUNCTION_2(int, fuse_main_real_compat22, int argc, char* argv[], const fuse_operations_compat22* op,
                   size_t op_size) {
  return run(argc, argv, callbacks_of(op, op_size), nullptr);
}
ISTHMUS_OLD_VERSION(fuse_main_real, fuse_main_real_compat22, "FUSE_2.2")
ISTHMUS_FUNCTION_2(int, fuse_main_compat2, int argc, char* argv[], const fuse_operations_compat2* op) {
  return run(argc, argv, callbacks_of(*op), nullptr);
}
ISTHMUS_OLD_VERSION(fuse_main, fuse_main_compat2, "")
ISTHMUS_FUNCTION_2(void, fuse_main_compat1, int argc, char* argv[], const fuse_operations_compat1* op) {
  run(argc, argv, callbacks_of(*op), nullptr);
}
/// A macro in every header there has been since 2.2.
ISTHMUS_FUNCTION_2_OLD(int, fuse_main) {
  message(FUSE_LOG_ERR, "fuse: fuse_main() is a macro; the program was compiled without the header of libfuse\n");
  return -1;
}

}  // namespace isthmus::libfuse::v2
