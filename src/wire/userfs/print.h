#pragma once
#include <string>

#include "wire/userfs/packets.h"

namespace isthmus::wire::userfs {

/// One packet on one line, for logs: `#5 lookup dir=1 name="a"`; a reply's is `#5 lookup = ...`. Data is counted, not
/// shown. `body` may be anything.
std::string print(const Header& header, Bytes body);

}  // namespace isthmus::wire::userfs
