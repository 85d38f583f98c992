// The flows of operations of attributes with names, lists and queries.
#include "vfs/volume/flow.h"

namespace isthmus::volume {

template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::GetXattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::SetXattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::ListXattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::RemoveXattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::GetReparse>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::SetReparse>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::ListStreams>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::GetAcl>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::SetAcl>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::OpenQuery>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::ReadQuery>&);

}  // namespace isthmus::volume
