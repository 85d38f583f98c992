// A logon by NTLM: the first 2 bytes are the length of NEGOTIATE, then it, then AUTHENTICATE. The server knows every
// name, so that an answer can only be refused for what it is.
#include <string>

#include "base/endian.h"
#include "tests/fuzz/check.h"
#include "wire/ntlm/server.h"

using namespace isthmus;

namespace {

void readers(Bytes message) {
  (void)ntlm::read_negotiate(message);
  if (auto response = ntlm::read_ntlmv2_response(message))
    check(response->proof.size() + response->blob.size() == message.size());
  if (auto read = ntlm::read_authenticate(message)) (void)ntlm::read_ntlmv2_response(read->nt_response);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes input = std::as_bytes(std::span(data, size));
  const auto first = load_le<uint16_t>(input, 0);
  if (!first || input.size() - 2 < *first) return 0;
  const Bytes negotiate = input.subspan(2, *first), authenticate = input.subspan(size_t{2} + *first);
  readers(negotiate);
  readers(authenticate);

  ntlm::Settings settings;
  settings.names = {"SERVER", "DOMAIN", "server.example", ""};
  settings.account = [](std::string_view, std::string_view) { return ntlm::nt_hash("Password"); };
  settings.anonymous = true;
  ntlm::Server server(settings, {}, {});
  auto challenge = server.challenge(negotiate);
  check(challenge.ok() || challenge.code() == EBADMSG || challenge.code() == ENOTSUP);
  auto logon = server.authenticate(authenticate);
  check(challenge.ok() || logon.code() == EPROTO);
  check(logon || logon.code() != ENOSYS);
  check(server.authenticate(authenticate).code() == EPROTO);
  return 0;
}
