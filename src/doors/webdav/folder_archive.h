#pragma once
#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

/// The folder of the path as a zip or tar archive, made while it is sent. Links stay links, special files are left out.
/// What cannot be read is named in a file isthmus-left-out.txt of the archive.
Answer folder_archive(Exchange& x, bool zip);

}  // namespace isthmus::webdav
