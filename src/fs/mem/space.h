#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"

namespace isthmus::fs::mem {

/// A limit, 0 meaning none, for bytes and for files.
struct Limits {
  uint64_t bytes = 0, inodes = 0;
};

/// Who holds how much: the file system as a whole (ENOSPC) and users with a quota (EDQUOT). Data counts in whole pages,
/// extended attributes in bytes. Quotas bind everybody, uid 0 too. Any thread; no locks.
class Space {
 public:
  Space(Limits all, const std::map<uint32_t, Limits>& quotas);
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  /// Charges a file of `uid`. ENOSPC, EDQUOT, with nothing charged.
  Status take(uint32_t uid, uint64_t bytes, uint64_t inodes = 0);
  void give(uint32_t uid, uint64_t bytes, uint64_t inodes = 0);
  /// chown(2): EDQUOT when the new owner has no room.
  Status move(uint32_t from, uint32_t to, uint64_t bytes, uint64_t inodes);

  uint64_t bytes() const { return all_.bytes.load(std::memory_order_relaxed); }
  uint64_t inodes() const { return all_.inodes.load(std::memory_order_relaxed); }
  const Limits& limits() const { return all_.limits; }

 private:
  struct Account {
    Limits limits;
    std::atomic<uint64_t> bytes{0}, inodes{0};
    bool take(uint64_t b, uint64_t i);
    void give(uint64_t b, uint64_t i);
  };
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
