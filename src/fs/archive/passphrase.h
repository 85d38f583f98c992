#pragma once
#include <memory>

#include "fs/archive/options.h"
#include "fs/archive/scan.h"

namespace isthmus::fs::archive {

/// The passphrase for an archive with encrypted entries, from the file or the hook, checked against some of
/// its encrypted entries; asked for up to three times. Null with no error: there is none, and encrypted entries stay
/// shut. Null with an error: wrong, or the file cannot be read.
std::unique_ptr<Secret> find_passphrase(const Archive& a, const ArchiveOptions& o, const ArchiveHooks& hooks,
                                        OpenError& error);

}  // namespace isthmus::fs::archive
