#pragma once
#include "libfuse/common/session.h"

namespace isthmus::libfuse {

/// What fuse_set_signal_handlers() and fuse_remove_signal_handlers() do. 0 or -1.
int set_signal_handlers(fuse_session& se);
void remove_signal_handlers(fuse_session& se);

}  // namespace isthmus::libfuse
