// Security descriptors, reparse points and names as a Windows client sends them. The first byte chooses which.
#include <sys/stat.h>

#include "base/utf16.h"
#include "tests/fuzz/check.h"
#include "windows/identity.h"
#include "windows/names.h"
#include "windows/reparse.h"
#include "windows/security.h"

using namespace isthmus;
using namespace isthmus::windows;

namespace {

void security(Bytes input) {
  auto d = read_security(input);
  if (!d) return;
  check(read_security(as_bytes(to_bytes(*d))) == d);
  const Sid owner = d->owner.value_or(kNobody), group = d->group.value_or(kNobody);
  for (bool directory : {false, true}) check((mode_of_security(*d, directory, owner, group) & ~01777u) == 0);
  (void)Identities().identity_of(owner);
  check(parse_sid(to_text(owner)) == owner);
}

void reparse(Bytes input) {
  auto special = from_reparse(input);
  if (!special) return;
  check(reparse_tag(special->type).has_value());
  auto again = to_reparse(*special);
  // A link of NFS or WSL may be longer than one of Windows.
  if (again) check(from_reparse(as_bytes(*again)) == special);
}

void name(Bytes input) {
  auto text = utf8_of(input);
  if (!text) return;
  check(utf16_of(*text) == as_text(input));
  auto ours = from_client(*text, NameRules::windows);
  const bool is_name = ours && ours->find('\0') == std::string::npos && ours->find('/') == std::string::npos &&
                       *ours != "." && *ours != ".." && !ours->empty();
  if (is_name) check(from_client(to_client(*ours, NameRules::windows), NameRules::windows) == ours);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes input = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 3) {
    case 0:
      security(input);
      break;
    case 1:
      reparse(input);
      break;
    default:
      name(input);
  }
  return 0;
}
