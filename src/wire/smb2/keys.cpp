#include "wire/smb2/keys.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/endian.h"

namespace isthmus::smb2 {
namespace {

using namespace std::string_view_literals;

using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;

constexpr size_t kSessionKey = 16;  // bytes

struct Purpose {
  std::string_view label, context;  // context of 3.0; 3.1.1 has the preauthentication hash instead
};

struct Purposes {
  Purpose signing, encryption, decryption, application;
};

constexpr Purposes k30 = {{"SMB2AESCMAC\0"sv, "SmbSign\0"sv},
                          {"SMB2AESCCM\0"sv, "ServerOut\0"sv},
                          {"SMB2AESCCM\0"sv, "ServerIn \0"sv},
                          {"SMB2APP\0"sv, "SmbRpc\0"sv}};
constexpr Purposes k311 = {
    {"SMBSigningKey\0"sv, {}}, {"SMBS2CCipherKey\0"sv, {}}, {"SMBC2SCipherKey\0"sv, {}}, {"SMBAppKey\0"sv, {}}};

}  // namespace

bool PreauthHash::add(std::span<const Bytes> message) {
  std::array<std::byte, 64> next;
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || !fetched_sha512() || EVP_DigestInit_ex2(context.get(), fetched_sha512(), nullptr) != 1) return false;
  if (EVP_DigestUpdate(context.get(), value.data(), value.size()) != 1) return false;
  for (Bytes part : message)
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return false;
  if (EVP_DigestFinal_ex(context.get(), uchars(next.data()), nullptr) != 1) return false;
  value = next;
  return true;
}

std::optional<Key> derive_key(Bytes key, std::string_view label, Bytes context, size_t size) {
  // One block of HMAC-SHA256 is all that is ever asked for.
  std::array<std::byte, 32> out;
  if (size > out.size()) return std::nullopt;
  std::string counter, bits;
  append_be<uint32_t>(counter, 1);
  append_be<uint32_t>(bits, static_cast<uint32_t>(8 * size));
  const Bytes parts[] = {as_bytes(counter), as_bytes(label), as_bytes("\0"sv), context, as_bytes(bits)};
  const MacContext mac = hmac_sha256(key);
  if (!mac || !mac_of(*mac, parts, out)) return std::nullopt;
  Key derived(Bytes(out).first(size));
  OPENSSL_cleanse(out.data(), out.size());
  return derived;
}

std::optional<SessionKeys> derive_session_keys(Dialect dialect, Cipher cipher, Bytes session_key,
                                               const PreauthHash& preauth) {
  std::array<std::byte, kSessionKey> first{};
  std::copy_n(session_key.begin(), std::min(session_key.size(), first.size()), first.begin());
  const Key short_key{Bytes(first)};
  OPENSSL_cleanse(first.data(), first.size());
  if (dialect < Dialect::smb300) return SessionKeys{short_key, {}, {}, {}};
  const bool newest = dialect == Dialect::smb311;
  auto derive = [&](const Purpose& purpose, Bytes key, size_t size) {
    return derive_key(key, purpose.label, newest ? Bytes(preauth.value) : as_bytes(purpose.context), size);
  };
  const Purposes& all = newest ? k311 : k30;
  const size_t size = newest ? key_size(cipher) : kSessionKey;
  const Bytes cipher_key = size > kSessionKey ? session_key : short_key.bytes();
  const auto signing = derive(all.signing, short_key.bytes(), kSessionKey);
  const auto encryption = derive(all.encryption, cipher_key, size);
  const auto decryption = derive(all.decryption, cipher_key, size);
  const auto application = derive(all.application, short_key.bytes(), kSessionKey);
  if (!signing || !encryption || !decryption || !application) return std::nullopt;
  return SessionKeys{*signing, *encryption, *decryption, *application};
}

}  // namespace isthmus::smb2
