#include "providers/libfuse/common/args.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {

int no_memory() {
  message(FUSE_LOG_ERR, "fuse: memory allocation failed\n");
  return -1;
}

int add_arg(fuse_args& args, const char* arg) {
  assert(!args.argv || args.allocated);
  char* copy = strdup(arg);
  if (!copy) return no_memory();
  // One more for the null pointer that ends every argv.
  auto* list = static_cast<char**>(realloc(args.argv, (static_cast<size_t>(args.argc) + 2) * sizeof(char*)));
  if (!list) {
    free(copy);
    return no_memory();
  }
  list[args.argc++] = copy;
  list[args.argc] = nullptr;
  args.argv = list;
  args.allocated = 1;
  return 0;
}

int insert_arg(fuse_args& args, int pos, const char* arg) {
  assert(pos >= 0 && pos <= args.argc);
  if (add_arg(args, arg) < 0) return -1;
  std::rotate(args.argv + pos, args.argv + args.argc - 1, args.argv + args.argc);
  return 0;
}

void free_args(fuse_args& args) {
  if (args.argv && args.allocated) {
    for (int i = 0; i < args.argc; i++) free(args.argv[i]);
    free(args.argv);
  }
  args = {0, nullptr, 0};
}

int add_opt(char*& opts, const char* opt, bool escape) {
  size_t before = opts ? strlen(opts) : 0;
  auto* grown = static_cast<char*>(realloc(opts, before + 1 + 2 * strlen(opt) + 1));
  if (!grown) return no_memory();
  opts = grown;
  char* end = grown + before;
  if (before > 0) *end++ = ',';
  for (; *opt; opt++) {
    if (escape && (*opt == ',' || *opt == '\\')) *end++ = '\\';
    *end++ = *opt;
  }
  *end = '\0';
  return 0;
}

}  // namespace isthmus::libfuse
