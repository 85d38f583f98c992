// What a client of SMB 2 and 3 sends. The first byte chooses how the rest is read: as a frame of messages, as one
// message of a kind, as a sealed frame, or as data inside of a message. What was understood is written and must be
// understood as the same.
#include "tests/fuzz/check.h"
#include "wire/smb2/compound.h"
#include "wire/smb2/create.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/ea.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/fsctl.h"
#include "wire/smb2/io.h"
#include "wire/smb2/ioctl.h"
#include "wire/smb2/keys.h"
#include "wire/smb2/negotiate.h"
#include "wire/smb2/oplock.h"
#include "wire/smb2/query.h"
#include "wire/smb2/session.h"
#include "wire/smb2/set_info.h"
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

constexpr size_t kLongestMessage = 0x8000;  // bytes: offsets of 16 bits reach all that is written again

template <class M>
void message(Bytes input) {
  const auto m = read_message<M>(input);
  if (!m) return;
  const std::string once = std::string(kHeader, '\0') + write_message(*m);
  const auto again = read_message<M>(as_bytes(once));
  check(again && std::string(kHeader, '\0') + write_message(*again) == once);
}

template <class... M>
void messages(Bytes input) {
  if (input.size() > kLongestMessage) return;
  (message<M>(input), ...);
}

template <class M>
void data_of(Bytes input) {
  const auto m = read_data<M>(input);
  if (!m) return;
  const std::string once = write_data(*m);
  const auto again = read_exactly<M>(as_bytes(once));
  check(once.size() <= input.size() && again && write_data(*again) == once);
}

template <class... M>
void data_of_each(Bytes input) {
  (data_of<M>(input), ...);
}

void lists(Bytes input) {
  if (const auto all = read_create_contexts(input)) {
    std::string list;
    for (const CreateContext& c : *all) append_create_context(list, c.name, c.data);
    const auto again = read_create_contexts(as_bytes(list));
    check(again && again->size() == all->size());
    for (size_t i = 0; i < all->size(); i++) {
      check((*again)[i].name == (*all)[i].name && as_text((*again)[i].data) == as_text((*all)[i].data));
    }
  }
  if (const auto all = read_ea_list(input)) check(read_ea_list(as_bytes(write_ea_list(*all))) == all);
  if (const auto m = read_lease(input)) check(read_lease(as_bytes(write_lease(*m))) == m);
  if (const auto m = read_copychunk(input); m && !m->too_many)
    check(read_copychunk(as_bytes(write_copychunk(*m)))->chunks == m->chunks);
  (void)read_ea_names(input);
  (void)read_basic_change(input);
  (void)read_size_change(input);
  (void)read_short_name_change(input);
  (void)read_zero_data(input);
  (void)read_file_range(input);
  (void)read_trim(input);
  for (bool ex : {false, true}) {
    (void)read_name_change(input, ex);
    (void)read_disposition_change(input, ex);
    (void)read_duplicate_extents(input, ex);
  }
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
    frame = std::string(kTransformHeader, '\0').append(as_text(input));
    const MutableBytes room = std::as_writable_bytes(std::span(frame.data(), frame.size()));
    const MutableBytes parts[] = {room.subspan(kTransformHeader, kHeader), room.subspan(kTransformHeader + kHeader)};
    check(sealer->seal(1, parts, room.first(kTransformHeader)));
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
  switch (data[0] % 6) {
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
      messages<SessionSetupRequest, SessionSetupResponse, TreeConnectRequest, TreeConnectResponse, EmptyMessage,
               IoctlRequest, IoctlResponse, CreateRequest, CreateResponse, CloseRequest, CloseResponse, FlushRequest,
               ReadRequest, ReadResponse, WriteRequest, WriteResponse, LockRequest, QueryDirectoryRequest,
               QueryInfoRequest, SetInfoRequest, SetInfoResponse, DataResponse, ChangeNotifyRequest, OplockBreak,
               LeaseBreakNotification, LeaseBreakAck>(input);
      break;
    case 4:
      transform(input);
      break;
    default:
      lists(input);
      data_of_each<DurableRequest, DurableResponse, DurableReconnect, DurableV2Request, DurableV2Response,
                   DurableV2Reconnect, MaximalAccessRequest, MaximalAccessResponse, OnDiskIdResponse,
                   AllocationSizeRequest, TimewarpRequest, AppInstanceIdRequest, AaplRequest, PosixCreateRequest,
                   CopychunkResponse>(input);
  }
  return 0;
}
