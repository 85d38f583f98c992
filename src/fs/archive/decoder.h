#pragma once
#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "fs/archive/cursor.h"
#include "fs/archive/scan.h"
#include "fs/archive/spool.h"
#include "vfs/buffer.h"
#include "vfs/context.h"

namespace isthmus::fs::archive {

/// Random reads of compressed entries: a few cursors that move forward through the archive and put what they decode
/// into the spool. A read takes what is cached, then sends the nearest cursor behind the rest to fetch it, or waits for
/// one that is on its way there, or starts a new one. Any thread; reads block.
///
/// Locks: m_ guards the list of cursors, what is known of them, and faults; the thread that set `busy` owns the cursor
/// itself. m_ may be held when the spool's mutex is taken. Neither is held while decoding or reading the archive.
class Decoder {
 public:
  Decoder(const Archive& a, Spool& spool, const Secret* passphrase, const std::string& charset);

  /// `size` bytes at `offset` of a file with Plan::jump or stream, fewer only at its end. EIO, once logged, for what is
  /// damaged; EINTR when cancelled; EACCES when it is encrypted and there is no passphrase.
  Result<Buffer> read(const Context& ctx, uint32_t node, uint64_t offset, size_t size);

  /// How often a reader was started at some entry or at the archive's beginning: for tests.
  uint64_t starts() const { return starts_.load(std::memory_order_relaxed); }

 private:
  struct Fault {
    uint64_t piece;  // from here on
    Errno code;
  };
  /// A cursor and what others may know of it. `cursor` belongs to the thread that set `busy`; the rest is under m_.
  struct Slot {
    std::unique_ptr<Cursor> cursor;
    bool busy = true;
    uint32_t jumped_to = kNone;  // node of a cursor that knows only this one entry
    uint32_t entry = 0;
    uint64_t coming = 0;  // piece; UINT64_MAX: through with the entry
    uint64_t line = 0;    // the place as a number of decoded bytes, to compare distances
    uint64_t last_use = 0;
  };
  struct Need {
    const Context& ctx;
    uint32_t node;
    uint64_t base;  // number of have[0]
    std::vector<std::optional<Spool::Piece>> have;
    uint64_t first = 0, last = 0;  // of those that are missing
  };
  class Busy;

  bool collect(Need& need);
  std::shared_ptr<Slot> choose(const Need& need);
  Errno fetch(Slot& slot, Need& need);
  Errno open(Slot& slot, const Need& need);
  Errno reach(Slot& slot, Need& need);
  Errno pass_entry(Slot& slot, const Need& need);
  void publish(Slot& slot);
  Errno fail(const Cursor* c, uint32_t node, uint64_t piece, const std::string& why, bool lasting);
  bool wanted(uint32_t ordinal);
  bool hole(uint32_t node, uint64_t piece) const;
  Buffer assemble(const Need& need, uint64_t offset, size_t size) const;

  const Archive& a_;
  Spool& spool_;
  const Secret* passphrase_;
  std::string charset_;
  std::vector<uint32_t> node_of_entry_;  // by ordinal, for entries with a stream plan

  std::mutex m_;
  std::condition_variable moved_;  // a cursor went on, or became idle
  std::list<std::shared_ptr<Slot>> cursors_;
  std::multiset<uint32_t> waited_for_;  // ordinals whose pieces a waiting thread wants kept
  std::unordered_map<uint32_t, Fault> faults_;
  uint32_t dead_from_ = kNone;  // ordinal: no cursor from the beginning gets past this entry
  uint64_t clock_ = 0;
  std::atomic<uint64_t> starts_{0};
};

}  // namespace isthmus::fs::archive
