#pragma once
#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

/// A directory as a page for people. It tells all without a script; that of web/ makes a file manager of it.
Answer listing_page(Exchange& x, const Found& dir);

}  // namespace isthmus::webdav
