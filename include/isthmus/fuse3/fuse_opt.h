/// Parsing of options: the interface of libfuse 2.6 to 3.x, which programs written for FUSE use. C and C++.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One row of a table of options, which ends with a row whose templ is null (FUSE_OPT_END).
///
/// templ, matched against an argument ("-x", "--long") or one part of an -o list:
///   "foo"     this text and no other
///   "foo="    begins with "foo="; the rest is the parameter, and `value` is stored, or the function is called
///   "foo=%u"  the same; the parameter is stored as scanf(3) says, "%s" as a copy by malloc that replaces what was
///   there
///   "-x "     begins with "-x"; the parameter follows at once or is the next argument. "-x %s" likewise
///
/// offset: where the value is, from the `data` of fuse_opt_parse(); or -1U: the function is called with `value` as key.
struct fuse_opt {
  const char* templ;
  unsigned long offset;
  int value;
};

#define FUSE_OPT_KEY(templ, key) \
  { templ, -1U, key }
#define FUSE_OPT_END \
  { NULL, 0, 0 }

/// Arguments. allocated: argv and what it points to came from malloc.
struct fuse_args {
  int argc;
  char** argv;
  int allocated;
};

#define FUSE_ARGS_INIT(argc, argv) \
  { argc, argv, 0 }

/// Keys that the function is called with for what no row matches: an option, an argument that is none.
#define FUSE_OPT_KEY_OPT -1
#define FUSE_OPT_KEY_NONOPT -2
/// Keys of rows that act without the function: the argument is kept, or dropped.
#define FUSE_OPT_KEY_KEEP -3
#define FUSE_OPT_KEY_DISCARD -4

/// Answers 1 to keep the argument, 0 to drop it, -1 to fail. outargs: the arguments kept so far, which it may change.
typedef int (*fuse_opt_proc_t)(void* data, const char* arg, int key, struct fuse_args* outargs);

/// Parses `args` and leaves in it what was kept; the parts kept of all -o lists come first, as one list.
/// opts and proc may be null. 0, or -1 after an error, which has been logged: `args` is as it was then.
int fuse_opt_parse(struct fuse_args* args, void* data, const struct fuse_opt opts[], fuse_opt_proc_t proc);

/// Appends to a list of options in memory of malloc, which may be null at first. 0, or -1: no memory.
int fuse_opt_add_opt(char** opts, const char* opt);
/// The same with commas and backslashes of `opt` escaped.
int fuse_opt_add_opt_escaped(char** opts, const char* opt);

/// Appends a copy. `args` must be empty or allocated. 0, or -1: no memory.
int fuse_opt_add_arg(struct fuse_args* args, const char* arg);
/// Inserts a copy before the argument `pos`, from 0 to argc.
int fuse_opt_insert_arg(struct fuse_args* args, int pos, const char* arg);
/// Frees what is allocated, and leaves `args` empty.
void fuse_opt_free_args(struct fuse_args* args);

/// Whether a row of `opts` matches `opt`.
int fuse_opt_match(const struct fuse_opt opts[], const char* opt);

#ifdef __cplusplus
}
#endif
