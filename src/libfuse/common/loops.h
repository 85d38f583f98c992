#pragma once
#include "libfuse/common/session.h"

namespace isthmus::libfuse {

/// Serves on the caller's thread until unmounted or told to exit: 0, the number of a signal, or -errno.
int loop_here(fuse_session& se);
/// The same on a line of up to `max_threads`.
int loop_on_threads(fuse_session& se, unsigned max_threads);
/// Reads one message. Bytes; 0: the session is over; or -errno.
int receive(fuse_session& se, MutableBytes into);
/// Has a message processed that receive() gave, or that the program has elsewhere. A lack of memory is told.
void process(fuse_session& se, const fuse_buf& message);
/// Has loops return. Also from a signal handler.
void ask_to_exit(fuse_session& se);
/// After a loop, by itself up to libfuse3.so.3: it may run again.
void reset(fuse_session& se);

}  // namespace isthmus::libfuse
