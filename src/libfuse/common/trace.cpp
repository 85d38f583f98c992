#include "libfuse/common/trace.h"

#include <fmt/format.h>

#include <cstdlib>

#include "fs/trace/trace.h"

namespace isthmus::libfuse {

Expected<std::unique_ptr<FileSystem>> trace_by_environment(FileSystem& files) {
  const char* format = secure_getenv("ISTHMUS_TRACE");
  if (!format) return std::unique_ptr<FileSystem>();
  const char* file = secure_getenv("ISTHMUS_TRACE_FILE");
  std::pair<std::string, std::string> keys[] = {{"trace.format", format}, {"trace.file", file ? file : ""}};
  fs::trace::Options options;
  std::string why;
  if (!fs::trace::parse_options(keys, options, why)) return Problem{err(EINVAL), "ISTHMUS_TRACE: " + why, {}};
  auto made = fs::trace::Trace::make(files, options);
  if (!made)
    return Problem{made.error(), fmt::format("ISTHMUS_TRACE_FILE: {}: {}", options.file, text_of(made.error())), {}};
  return std::move(*made);
}

}  // namespace isthmus::libfuse
