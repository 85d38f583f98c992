#include "doors/webdav/locks.h"

#include <fmt/format.h>

#include <algorithm>

#include "doors/common/secret.h"

namespace isthmus::webdav {
namespace {

constexpr uint32_t kDefaultSeconds = 3600, kMostSeconds = 7 * 24 * 3600;

/// A random UUID (RFC 9562 version 4) as URI.
std::string make_token() {
  auto bytes = random_bytes<16>();
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string token = "urn:uuid:";
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) token += '-';
    token += fmt::format("{:02x}", bytes[i]);
  }
  return token;
}

}  // namespace

uint32_t LockTable::Lock::left(Clock::time_point now) const {
  return static_cast<uint32_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(until - now).count()));
}

void LockTable::expire() {
  const auto now = Clock::now();
  if (now < earliest_) return;  // asked for each file of a listing
  std::erase_if(locks_, [&](const auto& entry) { return entry.second.until <= now; });
  earliest_ = Clock::time_point::max();
  for (const auto& entry : locks_) earliest_ = std::min(earliest_, entry.second.until);
}

void LockTable::add_covering(std::string_view path, std::vector<Lock>& to) {
  for (std::string_view at = path;; at = at.substr(0, at.rfind('/'))) {
    auto [begin, end] = locks_.equal_range(at);
    for (auto it = begin; it != end; ++it)
      if (it->second.infinite || at.size() == path.size()) to.push_back(it->second);
    if (at.empty()) return;
  }
}

std::pair<LockTable::ByPath::iterator, LockTable::ByPath::iterator> LockTable::range_below(std::string_view path) {
  // '0' follows '/': what begins with "path/" lies between.
  return {locks_.lower_bound(std::string(path) + '/'), locks_.lower_bound(std::string(path) + '0')};
}

std::variant<LockTable::Lock, LockTable::Refused> LockTable::lock(std::string path, bool exclusive, bool infinite,
                                                                  std::string owner, uint32_t seconds,
                                                                  std::vector<std::string>* in_the_way) {
  std::lock_guard guard(m_);
  expire();
  if (locks_.size() >= most_) return Refused::too_many;
  std::vector<Lock> others;
  add_covering(path, others);
  if (infinite) {
    auto [begin, end] = range_below(path);
    for (auto it = begin; it != end; ++it) others.push_back(it->second);
  }
  std::erase_if(others, [&](const Lock& other) { return !exclusive && !other.exclusive; });
  if (!others.empty()) {
    if (in_the_way)
      for (Lock& other : others) in_the_way->push_back(std::move(other.path));
    return Refused::conflict;
  }
  Lock made{make_token(),
            path,
            exclusive,
            infinite,
            std::move(owner),
            std::min(seconds ? seconds : kDefaultSeconds, kMostSeconds),
            {}};
  made.until = Clock::now() + std::chrono::seconds(made.seconds);
  earliest_ = std::min(earliest_, made.until);
  locks_.emplace(std::move(path), made);
  return made;
}

std::optional<LockTable::Lock> LockTable::refresh(std::string_view path, std::string_view token, uint32_t seconds) {
  std::lock_guard guard(m_);
  expire();
  for (std::string_view at = path;; at = at.substr(0, at.rfind('/'))) {
    auto [begin, end] = locks_.equal_range(at);
    for (auto it = begin; it != end; ++it) {
      Lock& lock = it->second;
      if (lock.token != token || !(lock.infinite || at.size() == path.size())) continue;
      if (seconds) lock.seconds = std::min(seconds, kMostSeconds);
      lock.until = Clock::now() + std::chrono::seconds(lock.seconds);
      earliest_ = std::min(earliest_, lock.until);  // it may be a shorter time
      return lock;
    }
    if (at.empty()) return std::nullopt;
  }
}

bool LockTable::unlock(std::string_view path, std::string_view token) {
  std::lock_guard guard(m_);
  expire();
  for (std::string_view at = path;; at = at.substr(0, at.rfind('/'))) {
    auto [begin, end] = locks_.equal_range(at);
    for (auto it = begin; it != end; ++it) {
      if (it->second.token != token || !(it->second.infinite || at.size() == path.size())) continue;
      locks_.erase(it);
      return true;
    }
    if (at.empty()) return false;
  }
}

std::vector<LockTable::Lock> LockTable::covering(std::string_view path) {
  std::vector<Lock> found;
  std::lock_guard guard(m_);
  if (locks_.empty()) return found;
  expire();
  add_covering(path, found);
  return found;
}

std::vector<LockTable::Lock> LockTable::below(std::string_view path) {
  std::vector<Lock> found;
  std::lock_guard guard(m_);
  expire();
  auto [begin, end] = range_below(path);
  for (auto it = begin; it != end; ++it) found.push_back(it->second);
  return found;
}

void LockTable::removed(std::string_view path) {
  std::lock_guard guard(m_);
  if (locks_.empty()) return;
  auto [begin, end] = range_below(path);
  locks_.erase(begin, end);
  auto [first, last] = locks_.equal_range(path);
  locks_.erase(first, last);
}

size_t LockTable::size() {
  std::lock_guard guard(m_);
  expire();
  return locks_.size();
}

}  // namespace isthmus::webdav
