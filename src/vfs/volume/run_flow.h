#pragma once
#include "vfs/volume/core.h"

namespace isthmus::volume {

/// The way that operations of a port go (flow.h). Each operation's is compiled in one of flow_*.cpp.
template <class T>
void run_flow(Core& core, std::shared_ptr<const PortFacts> port, Pending<T>& outer);

}  // namespace isthmus::volume
