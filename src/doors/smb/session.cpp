#include "doors/smb/session.h"

#include "doors/smb/link.h"

namespace isthmus::smb {

bool Channel::set_signing(smb2::SigningAlgorithm algorithm, Bytes key) {
  auto verifier = smb2::Signer::make(algorithm, key), signer = smb2::Signer::make(algorithm, key);
  if (!verifier || !signer) return false;
  std::scoped_lock lock(in_m_, out_m_);
  verifier_ = std::move(verifier);
  signer_ = std::move(signer);
  return true;
}

bool Channel::set_sealing(smb2::Cipher cipher, const smb2::SessionKeys& keys, uint32_t number) {
  auto opener = smb2::Opener::make(cipher, keys.decryption.bytes());
  auto sealer = smb2::Sealer::make(cipher, keys.encryption.bytes(), number);
  if (!opener || !sealer) return false;
  std::scoped_lock lock(in_m_, out_m_);
  opener_ = std::move(opener);
  sealer_ = std::move(sealer);
  return true;
}

bool Channel::has_keys() const {
  std::lock_guard lock(out_m_);
  return signer_.has_value();
}

bool Channel::verify(Bytes message) {
  std::lock_guard lock(in_m_);
  return verifier_ && verifier_->verify(message);
}

bool Channel::sign(MutableBytes header, std::span<const Bytes> rest) {
  std::lock_guard lock(out_m_);
  return signer_ && signer_->sign(header, rest);
}

std::optional<MutableBytes> Channel::open(MutableBytes frame) {
  std::lock_guard lock(in_m_);
  if (!opener_) return {};
  return opener_->open(frame);
}

bool Channel::seal(std::span<const MutableBytes> parts, MutableBytes header) {
  std::lock_guard lock(out_m_);
  return sealer_ && sealer_->seal(session->id, parts, header);
}

std::shared_ptr<Channel> Session::live_channel(const std::weak_ptr<Link>& first) const {
  std::lock_guard lock(m);
  std::shared_ptr<Channel> found;
  for (const auto& w : channels) {
    auto channel = w.lock();
    const auto on = channel ? channel->link.lock() : nullptr;
    if (!on || on->ended() || !channel->ready()) continue;
    const bool same = !first.owner_before(channel->link) && !channel->link.owner_before(first);
    if (!found || same) found = std::move(channel);
    if (same) break;
  }
  return found;
}

}  // namespace isthmus::smb
