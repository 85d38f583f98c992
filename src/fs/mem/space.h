#pragma once
#include <array>
#include <cstdint>
#include <map>

#include "base/result.h"
#include "base/rw_lock.h"

namespace isthmus::fs::mem {

/// A limit, 0 meaning none, for bytes and for files.
struct Limits {
  uint64_t bytes = 0, inodes = 0;
};

/// What may be held, and what is. Each thread draws on a share of its own, which is filled from the whole in steps, so
/// that threads do not meet; near a limit the shares are collected first, so that the limit is exact: take() fails only
/// when what is asked for does not fit.
class Account {
 public:
  explicit Account(Limits limits);
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  /// False: it does not fit, and nothing is charged.
  bool take(uint64_t bytes, uint64_t inodes);
  void give(uint64_t bytes, uint64_t inodes);
  /// What is charged.
  Limits used() const;
  const Limits& limits() const { return limits_; }

 private:
  struct alignas(64) Share {
    mutable RwLock m;  // before m_
    Limits free;       // taken from the whole, and not charged
  };
  static constexpr size_t kShares = 64;
  static constexpr uint64_t kStepBytes = uint64_t{1} << 20, kStepInodes = 256;

  bool fill(Share& s, uint64_t bytes, uint64_t inodes);
  bool take_exactly(uint64_t bytes, uint64_t inodes);

  const Limits limits_;
  std::array<Share, kShares> shares_;
  mutable RwLock m_;  // a leaf
  Limits left_;       // of the whole, in no share
};

/// Who holds how much: the file system as a whole (ENOSPC) and users with a quota (EDQUOT). Data counts in whole pages,
/// extended attributes in bytes. Quotas bind everybody, uid 0 too. Any thread.
class Space {
 public:
  Space(Limits all, const std::map<uint32_t, Limits>& quotas);

  /// Charges a file of `uid`. ENOSPC, EDQUOT, with nothing charged.
  Status take(uint32_t uid, uint64_t bytes, uint64_t inodes = 0);
  void give(uint32_t uid, uint64_t bytes, uint64_t inodes = 0);
  /// chown(2): EDQUOT when the new owner has no room.
  Status move(uint32_t from, uint32_t to, uint64_t bytes, uint64_t inodes);

  /// What all files hold together.
  Limits used() const { return all_.used(); }
  uint64_t bytes() const { return used().bytes; }
  uint64_t inodes() const { return used().inodes; }
  const Limits& limits() const { return all_.limits(); }

 private:
  Account* quota(uint32_t uid) {
    auto it = quotas_.find(uid);
    return it == quotas_.end() ? nullptr : &it->second;
  }
  Account all_;
  std::map<uint32_t, Account> quotas_;  // its keys never change
};

/// Where the pages of one file are charged.
struct Payer {
  Space& space;
  uint32_t uid = 0;
};

}  // namespace isthmus::fs::mem
