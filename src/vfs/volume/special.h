#pragma once
#include "vfs/volume/core.h"

/// Operations that do not take the way of flow.h.
namespace isthmus::volume {

using Facts = std::shared_ptr<const PortFacts>;

/// From the cache, where the caller may search the directory. False: nothing was answered.
bool answer_now(Core& core, const PortFacts& port, Pending<op::Lookup>& p);
void forget_nodes(Core& core, const Facts& port, Pending<op::Forget>& p);
/// Over a provider's Create, or an Open where the name exists.
void create_or_open(Core& core, const Facts& port, Pending<op::Create>& p);
void release(Core& core, const Facts& port, Pending<op::Release>& p);
void release(Core& core, const Facts& port, Pending<op::ReleaseDir>& p);
void flush(Core& core, const Facts& port, Pending<op::Flush>& p);
void set_lock(Core& core, const Facts& port, Pending<op::SetLock>& p);
void get_lock(Core& core, const Facts& port, Pending<op::GetLock>& p);
void set_lease(Core& core, const Facts& port, Pending<op::SetLease>& p);
void node_to_export(Core& core, const Facts& port, Pending<op::NodeToExport>& p);
void export_to_node(Core& core, const Facts& port, Pending<op::ExportToNode>& p);

}  // namespace isthmus::volume
