// What a client of SMB 2 and 3 sends. The first byte chooses how the rest is read: as a frame of messages, as one
// message of a kind, or as a sealed frame. What was understood is written and must be understood as the same.
#include "tests/fuzz/check.h"
#include "wire/smb2/compound.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/ioctl.h"
#include "wire/smb2/keys.h"
#include "wire/smb2/negotiate.h"
#include "wire/smb2/session.h"
#include "wire/smb2/signing.h"
#include "wire/smb2/smb1.h"
#include "wire/smb2/transform.h"

using namespace isthmus;
using namespace isthmus::smb2;

namespace {

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";

void header(Bytes frame) {
  (void)read_frame_length(frame);
  (void)read_smb1_negotiate(frame);
  (void)read_error(frame);
  const auto h = read_header(frame);
  if (!h) return;
  std::string again;
  append_header(again, *h);
  check(as_text(frame.first(kHeader)) == again);
}

void compound(Bytes frame) {
  const auto all = split_compound(frame, 1000);
  if (!all) return;
  size_t at = 0;
  for (const Pdu& pdu : *all) {
    check(pdu.bytes.data() == frame.data() + at && pdu.bytes.size() >= kHeader);
    at += pdu.bytes.size();
  }
  check(at == frame.size());
  for (SigningAlgorithm a : {SigningAlgorithm::hmac_sha256, SigningAlgorithm::aes_cmac, SigningAlgorithm::aes_gmac}) {
    auto signer = Signer::make(a, as_bytes(kKey.substr(0, 16)));
    check(signer && !signer->verify(all->front().bytes));
    std::string copy(as_text(all->front().bytes));
    const MutableBytes bytes = std::as_writable_bytes(std::span(copy.data(), copy.size()));
    const Bytes rest = bytes.subspan(kHeader);
    check(signer->sign(bytes.first(kHeader), std::span(&rest, 1)) && signer->verify(bytes));
  }
}

template <class M>
void message(Bytes input) {
  const auto m = read_message<M>(input);
  if (!m) return;
  const std::string once = std::string(kHeader, '\0') + write_message(*m);
  const auto again = read_message<M>(as_bytes(once));
  check(again && std::string(kHeader, '\0') + write_message(*again) == once);
}

void negotiate(Bytes input) {
  if (const auto m = read_negotiate_request(input)) {
    const std::string again = std::string(kHeader, '\0') + write_negotiate_request(*m);
    check(read_negotiate_request(as_bytes(again)) == m);
  }
  if (const auto m = read_negotiate_response(input)) {
    const std::string again = std::string(kHeader, '\0') + write_negotiate_response(*m);
    const auto read = read_negotiate_response(as_bytes(again));
    check(read && read->contexts == m->contexts && as_text(read->token) == as_text(m->token));
  }
  if (const auto m = read_validate_negotiate(input))
    check(read_validate_negotiate(as_bytes(write_validate_negotiate(*m))) == m);
}

/// `input` as a sealed frame, then as the text of one.
void transform(Bytes input) {
  for (Cipher c : {Cipher::aes128_ccm, Cipher::aes128_gcm, Cipher::aes256_ccm, Cipher::aes256_gcm}) {
    const Bytes key = as_bytes(kKey.substr(0, key_size(c)));
    auto sealer = Sealer::make(c, key);
    auto opener = Opener::make(c, key);
    check(sealer && opener);
    std::string frame(as_text(input));
    check(!opener->open(std::as_writable_bytes(std::span(frame.data(), frame.size()))));
    if (input.size() < kHeader) continue;
    frame.resize(kTransformHeader + input.size());
    const MutableBytes room = std::as_writable_bytes(std::span(frame.data(), frame.size()));
    const Bytes parts[] = {input.first(kHeader), input.subspan(kHeader)};
    check(sealer->seal(1, parts, room));
    const auto text = opener->open(room);
    check(text && as_text(*text) == as_text(input));
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes input = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 5) {
    case 0:
      header(input);
      break;
    case 1:
      compound(input);
      break;
    case 2:
      negotiate(input);
      break;
    case 3:
      message<SessionSetupRequest>(input);
      message<SessionSetupResponse>(input);
      message<TreeConnectRequest>(input);
      message<TreeConnectResponse>(input);
      message<EmptyMessage>(input);
      message<IoctlRequest>(input);
      message<IoctlResponse>(input);
      break;
    default:
      transform(input);
  }
  return 0;
}
