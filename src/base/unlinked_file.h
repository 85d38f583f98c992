#pragma once
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isthmus {

/// A new file of mode 0600 without a name in the directory, for reading and writing; none, and errno, where none can be
/// made.
Fd unlinked_file(int directory);

/// The same in a folder, or where none is given in $TMPDIR, /var/tmp or /tmp: the first that takes it.
Result<Fd> unlinked_file(const std::string& folder = {});

/// A directory where such a file can be made: the one given, or the first usable of $XDG_CACHE_HOME/isthmus (made if
/// missing), $TMPDIR, /var/tmp; none if there is none. Opened at once, so that a later mount over it changes nothing.
Fd cache_directory(const std::string& given);

}  // namespace isthmus
