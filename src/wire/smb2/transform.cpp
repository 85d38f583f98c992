#include "wire/smb2/transform.h"

#include <algorithm>
#include <vector>

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

/// Nonce and additional data of a header; CCM wants the size of the text first.
bool start(EVP_CIPHER_CTX& context, bool ccm, Bytes header, size_t size, int mode) {
  int n = 0;
  const unsigned char* nonce = uchars(header.data() + kNonceAt);
  if (EVP_CipherInit_ex2(&context, nullptr, nullptr, nonce, mode, nullptr) != 1) return false;
  if (ccm && EVP_CipherUpdate(&context, nullptr, &n, nullptr, static_cast<int>(size)) != 1) return false;
  return EVP_CipherUpdate(&context, nullptr, &n, nonce, static_cast<int>(kTransformHeader - kNonceAt)) == 1;
}

bool crypt_in_place(EVP_CIPHER_CTX& context, MutableBytes text) {
  if (text.empty()) return true;
  int n = 0;
  const int size = static_cast<int>(text.size());
  return EVP_CipherUpdate(&context, uchars(text.data()), &n, uchars(text.data()), size) == 1 && n == size;
}

/// CCM takes its text in one piece.
bool crypt_as_one(EVP_CIPHER_CTX& context, std::span<const MutableBytes> parts, size_t size) {
  std::vector<std::byte> all;
  all.reserve(size);
  for (MutableBytes part : parts) all.insert(all.end(), part.begin(), part.end());
  if (!crypt_in_place(context, all)) return false;
  auto at = all.begin();
  for (MutableBytes part : parts) {
    std::copy_n(at, part.size(), part.begin());
    at += static_cast<ptrdiff_t>(part.size());
  }
  return true;
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

bool Sealer::seal(uint64_t session_id, std::span<const MutableBytes> parts, MutableBytes header) {
  size_t size = 0;
  for (MutableBytes part : parts) {
    if (part.size() > kMaxFrame) return false;
    size += part.size();
  }
  if (size == 0 || size > kMaxFrame - kTransformHeader || header.size() != kTransformHeader) return false;
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
  std::copy_n(as_bytes(head).begin(), kTransformHeader, header.begin());
  if (!start(*context_, ccm_, header, size, 1)) return false;
  const auto whole = [&] {
    return std::all_of(parts.begin(), parts.end(), [&](MutableBytes part) { return crypt_in_place(*context_, part); });
  };
  if (ccm_ && parts.size() > 1 ? !crypt_as_one(*context_, parts, size) : !whole()) return false;
  return finish(*context_) &&
         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTag, header.data() + kTagAt) == 1;
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
      !start(*context_, ccm_, frame, text.size(), 0) || !crypt_in_place(*context_, text))
    return std::nullopt;
  // CCM has verified by now and knows no end.
  if (!ccm_ && !finish(*context_)) return std::nullopt;
  return text;
}

}  // namespace isthmus::smb2
