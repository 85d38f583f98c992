#pragma once
#include <optional>

#include "doors/webdav/exchange.h"
#include "doors/webdav/replace.h"

namespace isthmus::webdav {

/// Why new content cannot come to what `at` is, by its kind, by the request's conditions and by locks.
std::optional<Answer> refused_content(Exchange& x, const Found& at);
/// Makes the file that the content goes to, with room for `size` bytes where the file system can reserve it. An answer:
/// it cannot be. whole: as Replacement::create().
std::optional<Answer> begin_content(Exchange& x, const Found& at, uint64_t size, bool whole,
                                    std::optional<Replacement>& made);
/// The content is complete: looks again at what is there now, and gives it the name.
Answer finish_content(Exchange& x, Replacement& replacement);

}  // namespace isthmus::webdav
