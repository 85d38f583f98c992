#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "windows/security.h"

namespace isthmus::windows {

/// Rights that a list gives to somebody who is all of `who` (MS-DTYP section 2.5.3.2). The owner may read and change
/// the list, unless it says otherwise of S-1-3-4.
uint32_t allowed_rights(const SecurityDescriptor& descriptor, std::span<const Sid> who, bool is_owner);

/// The list of what is made in a folder that has `folder` (MS-DTYP section 2.5.3.4), without owner and group. None:
/// nothing is inherited.
std::optional<SecurityDescriptor> inherited(const SecurityDescriptor& folder, bool directory, const Sid& owner,
                                            const Sid& group);

}  // namespace isthmus::windows
