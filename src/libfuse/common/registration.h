#pragma once
#include <memory>

#include "control/control.h"

struct fuse_session;

namespace isthmus::libfuse {

/// Lets `isthmus list` see a session that serves, where the environment wants that (`isthmus run` sets ISTHMUS_LIST=1),
/// by a thread that lives as long as what is returned; `se` must live longer. Null: not wanted, not a mount, or it
/// cannot be, which is logged.
std::unique_ptr<control::ControlServer> register_session(fuse_session& se);

}  // namespace isthmus::libfuse
