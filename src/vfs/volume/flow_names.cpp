// The flows of operations of names and directories.
#include "vfs/volume/flow.h"

namespace isthmus::volume {

template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Lookup>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Readlink>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Mknod>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Mkdir>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Unlink>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Rmdir>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Symlink>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Rename>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Link>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Tmpfile>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Create>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::Open>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::OpenDir>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::ReadDir>&);
template void run_flow(Core&, std::shared_ptr<const PortFacts>, Pending<op::FsyncDir>&);

}  // namespace isthmus::volume
