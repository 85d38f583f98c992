#include "cli/begin.h"
#include "ctl/net/net_schemes.h"

namespace isthmus::cli {

void begin(int, char**) { ctl::add_schemes(ctl::net_schemes()); }

}  // namespace isthmus::cli
