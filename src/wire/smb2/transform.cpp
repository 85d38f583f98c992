#include "wire/smb2/transform.h"

#include <algorithm>

#include "base/endian.h"
#include "wire/smb2/keys.h"

namespace isthmus::smb2 {
namespace {

constexpr uint32_t kSealedId = 0x424D53FD;
constexpr uint16_t kEncrypted = 1;  // Flags of 3.1.1, and AES-128-CCM in the same place of 3.0
constexpr size_t kTagAt = 4, kNonceAt = 20, kSizeAt = 36, kSealedFlagsAt = 42, kSessionAt = 44;
constexpr int kTag = 16, kCcmNonce = 11;  // bytes

bool is_ccm(Cipher cipher) { return cipher == Cipher::aes128_ccm || cipher == Cipher::aes256_ccm; }

CipherContext keyed_cipher(Cipher cipher, Bytes key, bool encrypt) {
  const EVP_CIPHER* fetched = fetched_cipher(cipher);
  if (!fetched || key.size() != key_size(cipher)) return nullptr;
  CipherContext context(EVP_CIPHER_CTX_new());
  const int mode = encrypt ? 1 : 0;
  if (!context || EVP_CipherInit_ex2(context.get(), fetched, nullptr, nullptr, mode, nullptr) != 1) return nullptr;
  if (is_ccm(cipher) && (EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, kCcmNonce, nullptr) != 1 ||
                         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, nullptr) != 1))
    return nullptr;
  if (EVP_CipherInit_ex2(context.get(), nullptr, uchars(key.data()), nullptr, mode, nullptr) != 1) return nullptr;
  return context;
}

/// Nonce and additional data of the frame's header; CCM wants the size of the text first.
bool start(EVP_CIPHER_CTX& context, bool ccm, Bytes frame, int mode) {
  int n = 0;
  if (EVP_CipherInit_ex2(&context, nullptr, nullptr, uchars(frame.data() + kNonceAt), mode, nullptr) != 1) return false;
  if (ccm && EVP_CipherUpdate(&context, nullptr, &n, nullptr, static_cast<int>(frame.size() - kTransformHeader)) != 1)
    return false;
  return EVP_CipherUpdate(&context, nullptr, &n, uchars(frame.data() + kNonceAt),
                          static_cast<int>(kTransformHeader - kNonceAt)) == 1;
}

bool crypt(EVP_CIPHER_CTX& context, Bytes from, std::byte* to) {
  int n = 0;
  const int size = static_cast<int>(from.size());
  return EVP_CipherUpdate(&context, uchars(to), &n, uchars(from.data()), size) == 1 && n == size;
}

bool finish(EVP_CIPHER_CTX& context) {
  std::array<std::byte, 16> none;
  int n = 0;
  return EVP_CipherFinal_ex(&context, uchars(none.data()), &n) == 1;
}

}  // namespace

std::optional<uint64_t> sealed_session(Bytes frame) {
  if (frame.size() < kTransformHeader + kHeader || frame.size() > kMaxFrame ||
      protocol_of(frame) != Protocol::transform || load_le<uint16_t>(frame, kSealedFlagsAt) != kEncrypted ||
      load_le<uint32_t>(frame, kSizeAt) != frame.size() - kTransformHeader)
    return std::nullopt;
  return load_le<uint64_t>(frame, kSessionAt);
}

std::optional<Sealer> Sealer::make(Cipher cipher, Bytes key, uint32_t id) {
  Sealer s;
  s.context_ = keyed_cipher(cipher, key, true);
  s.ccm_ = is_ccm(cipher);
  s.id_ = id & 0xFFFFFF;
  if (!s.context_) return std::nullopt;
  return s;
}

bool Sealer::seal(uint64_t session_id, std::span<const Bytes> parts, MutableBytes out) {
  size_t size = 0;
  for (Bytes part : parts) {
    if (part.size() > kMaxFrame) return false;
    size += part.size();
  }
  if (size == 0 || size > kMaxFrame - kTransformHeader || out.size() != size + kTransformHeader) return false;
  if (sealed_ == UINT64_MAX) return false;
  std::string head;
  append_le<uint32_t>(head, kSealedId);
  head.resize(kNonceAt);
  append_le<uint64_t>(head, ++sealed_);
  append_le<uint32_t>(head, id_);
  head.resize(kSizeAt);
  append_le<uint32_t>(head, static_cast<uint32_t>(size));
  append_le<uint16_t>(head, 0);
  append_le<uint16_t>(head, kEncrypted);
  append_le<uint64_t>(head, session_id);
  std::copy_n(as_bytes(head).begin(), kTransformHeader, out.begin());
  if (!start(*context_, ccm_, out, 1)) return false;
  // CCM takes its text in one piece.
  std::byte* at = out.data() + kTransformHeader;
  for (Bytes part : parts) {
    if (part.empty()) continue;
    if (ccm_)
      std::copy(part.begin(), part.end(), at);
    else if (!crypt(*context_, part, at))
      return false;
    at += part.size();
  }
  if (ccm_ && !crypt(*context_, out.subspan(kTransformHeader), out.data() + kTransformHeader)) return false;
  return finish(*context_) &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTag, out.data() + kTagAt) == 1;
}

std::optional<Opener> Opener::make(Cipher cipher, Bytes key) {
  Opener o;
  o.context_ = keyed_cipher(cipher, key, false);
  o.ccm_ = is_ccm(cipher);
  if (!o.context_) return std::nullopt;
  return o;
}

std::optional<MutableBytes> Opener::open(MutableBytes frame) {
  if (!sealed_session(frame)) return std::nullopt;
  const MutableBytes text = frame.subspan(kTransformHeader);
  if (EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTag, frame.data() + kTagAt) != 1 ||
      !start(*context_, ccm_, frame, 0) || !crypt(*context_, text, text.data()))
    return std::nullopt;
  // CCM has verified by now and knows no end.
  if (!ccm_ && !finish(*context_)) return std::nullopt;
  return text;
}

}  // namespace isthmus::smb2
