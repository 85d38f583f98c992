#pragma once
#include <memory>

#include "base/problem.h"
#include "vfs/filesystem.h"

namespace isthmus::libfuse {

/// A trace (fs/trace/trace.h) around `files`, as the environment asks for, else as text for `debug` (-d), else null:
///   ISTHMUS_TRACE=text|json     every operation, one a line
///   ISTHMUS_TRACE_FILE=PATH     where to, appended; default: what standard error is now
/// `files` must live longer. A program with more rights than its caller is not traced (secure_getenv(3)).
Expected<std::unique_ptr<FileSystem>> make_trace(FileSystem& files, bool debug);

}  // namespace isthmus::libfuse
