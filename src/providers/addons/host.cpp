/// isthmus-addon OBJECT NAME [ARG...]: loads a FUSE program that was built as a shared object, and runs its main() with
/// NAME and the arguments. What it is, of paths or of nodes, it says itself, by calling fuse_new() or
/// fuse_session_new(). `isthmus mount addon:OBJECT` starts this with our libfuses in LD_LIBRARY_PATH.
#include <dlfcn.h>
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

/// The object must name its libfuse (DT_NEEDED): layouts differ, and which ones it was compiled for cannot be seen.
void* load(const char* object) {
  void* made = dlopen(object, RTLD_NOW | RTLD_GLOBAL);
  if (made) return made;
  std::string why = dlerror();
  bool no_libfuse = why.find("undefined symbol: fuse") != std::string::npos;
  fprintf(stderr, "isthmus-addon: %s%s\n", why.c_str(), no_libfuse ? "; link the object with -lfuse3 or -lfuse" : "");
  return nullptr;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc < 3) {
    fprintf(stderr, "usage: isthmus-addon OBJECT NAME [ARG...]\n");
    return 2;
  }
  void* object = load(argv[1]);
  if (!object) return 126;
  auto program = reinterpret_cast<int (*)(int, char**, char**)>(dlsym(object, "main"));
  if (!program) {
    fprintf(stderr, "isthmus-addon: %s has no main(): it is no FUSE program built as a shared object\n", argv[1]);
    return 126;
  }
  program_invocation_name = program_invocation_short_name = argv[2];
  prctl(PR_SET_NAME, argv[2]);
  return program(argc - 2, argv + 2, environ);
}
