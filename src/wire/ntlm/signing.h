#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "wire/ntlm/key.h"
#include "wire/ntlm/rc4.h"

namespace isthmus::ntlm {

enum class Sender : uint8_t { client, server };

constexpr size_t kSignatureSize = 16;  // bytes

/// Signatures of one direction with extended session security (MS-NLMP sections 3.4.4.2 and 3.4.5). Both ends count.
class Signing {
 public:
  /// flags: those both agreed to. None: no MD5.
  static std::optional<Signing> start(const Key& exported, uint32_t flags, Sender sender);

  /// For the next message. None: no MD5.
  std::optional<std::string> sign(Bytes message);
  /// Whether that is the signature of the next message. After a wrong one the two ends are no more in step.
  bool verify(Bytes message, Bytes signature);

 private:
  Signing(const Key& sign_key, Bytes seal_key, bool encrypts)
      : sign_key_(sign_key), cipher_(seal_key), encrypts_(encrypts) {}

  Key sign_key_;
  Rc4 cipher_;
  bool encrypts_;  // a key exchange took place
  uint32_t sequence_ = 0;
};

}  // namespace isthmus::ntlm
