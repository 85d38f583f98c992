// A logon by SPNEGO: tokens of a client, each behind 2 bytes of its length.
#include <string>

#include "base/endian.h"
#include "tests/fuzz/check.h"
#include "wire/spnego/acceptor.h"

using namespace isthmus;
using namespace isthmus::spnego;

namespace {

void readers(Bytes token) {
  if (auto init = read_init(token)) {
    size_t size = 0;
    for (Bytes type : init->mech_types) size += type.size();
    check(!init->mech_types.empty() && size < init->mech_list.size() && init->mech_list.size() < token.size());
  }
  // Strict DER has one way to say a thing.
  if (auto resp = read_resp(token)) check(to_bytes(*resp) == as_text(token));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ntlm::Settings settings;
  settings.names = {"SERVER", "DOMAIN", "server.example", ""};
  settings.account = [](std::string_view, std::string_view) { return ntlm::nt_hash("Password"); };
  settings.anonymous = true;
  Acceptor acceptor(settings, {}, {});
  bool over = false;
  for (Bytes rest = std::as_bytes(std::span(data, size)); auto length = load_le<uint16_t>(rest, 0);) {
    if (rest.size() - 2 < *length) break;
    const Bytes token = rest.subspan(2, *length);
    rest = rest.subspan(size_t{2} + *length);
    readers(token);
    const auto answer = acceptor.step(token);
    if (over) check(answer.state == Acceptor::State::refused && answer.why == err(EPROTO));
    over = answer.state != Acceptor::State::go_on;
    check(answer.state != Acceptor::State::accepted || acceptor.logon());
    check(answer.token.empty() || ntlm::is_ntlmssp(as_bytes(answer.token)) || read_resp(as_bytes(answer.token)));
  }
  return 0;
}
