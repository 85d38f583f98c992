// The flows of operations of files and of the whole file system.
#include "vfs/volume/flow.h"

namespace isthmus::volume {

template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Getattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Setattr>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Read>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Write>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::CopyRange>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Flush>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Fsync>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Fallocate>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::SeekHole>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Statfs>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Sync>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Access>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Ioctl>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Poll>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Bmap>&);

}  // namespace isthmus::volume
