#include "libfuse/common/trace.h"

#include <fmt/format.h>

#include <cstdlib>

#include "fs/trace/trace.h"

namespace isthmus::libfuse {

Expected<std::unique_ptr<FileSystem>> make_trace(FileSystem& files, bool debug) {
  const char* format = secure_getenv("ISTHMUS_TRACE");
  const bool only_debug = !format && debug;
  if (only_debug) format = "text";
  if (!format) return std::unique_ptr<FileSystem>();
  const char* file = secure_getenv("ISTHMUS_TRACE_FILE");
  std::pair<std::string, std::string> keys[] = {{"trace.format", format}, {"trace.file", file ? file : ""}};
  fs::trace::Options options;
  std::string why;
  if (!fs::trace::parse_options(keys, options, why)) return Problem{err(EINVAL), "ISTHMUS_TRACE: " + why, {}};
  auto made = fs::trace::Trace::make(files, options);
  if (!made && only_debug) return std::unique_ptr<FileSystem>();  // there is nowhere to write to
  if (!made)
    return Problem{made.error(), fmt::format("ISTHMUS_TRACE_FILE: {}: {}", options.file, text_of(made.error())), {}};
  return std::move(*made);
}

}  // namespace isthmus::libfuse
