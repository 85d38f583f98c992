#pragma once
#include <isthmus/fuse3/fuse_opt.h>

/// Lists of arguments and of options as C programs hold them: memory of malloc, -1 and a message when there is none.
/// fuse_opt.h says what each does.
namespace isthmus::libfuse {

int add_arg(fuse_args& args, const char* arg);
int insert_arg(fuse_args& args, int pos, const char* arg);
void free_args(fuse_args& args);
/// escape: commas and backslashes of `opt`.
int add_opt(char*& opts, const char* opt, bool escape);

/// Says that there is no memory. -1.
int no_memory();

}  // namespace isthmus::libfuse
