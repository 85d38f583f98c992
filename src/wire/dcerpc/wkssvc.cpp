// MS-WKST: what kind of computer this is.
#include "wire/dcerpc/interfaces.h"

namespace isthmus::dcerpc {
namespace {

/// NetrWkstaGetInfo (section 3.2.4.1), levels of sections 2.2.5.1 to 2.2.5.3.
Fault workstation_get_info(Session& session, NdrReader& in, NdrWriter& out) {
  in.unique_text();
  const auto level = in.number<uint32_t>();
  if (!in.ok()) return Fault::ndr;
  if (level < 100 || level > 102) return Fault::invalid_tag;
  out.number<uint32_t>(level);
  out.pointer();
  out.number<uint32_t>(kPlatformNt);
  out.text_pointer(session.environment.server_name);
  out.text_pointer(session.environment.workgroup);
  out.number<uint32_t>(kVersionMajor);
  out.number<uint32_t>(kVersionMinor);
  if (level > 100) out.text_pointer("");
  if (level > 101) out.number<uint32_t>(1);  // users logged on
  out.pointees();
  return answer(out, NetError::ok);
}

constexpr Operation kWorkstationOperations[] = {{0, workstation_get_info}};

}  // namespace

constinit const Interface kWkssvc{"wkssvc", syntax(0x6bffd098, 0xa112, 0x3610, 0x983346c3f87e345a, 1),
                                  kWorkstationOperations};

}  // namespace isthmus::dcerpc
