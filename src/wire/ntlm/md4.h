#pragma once
#include "wire/ntlm/key.h"

namespace isthmus::ntlm {

/// RFC 1320. Broken as a digest; NT hashes of passwords are made with it, and OpenSSL 3 has it in its legacy provider
/// only.
Key md4(Bytes message);

}  // namespace isthmus::ntlm
