#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "vfs/buffer.h"

namespace isthmus::fs::archive {

/// Decoded data, kept for as long as there is room: pieces of files in segments, each an unlinked file (mode 0600) that
/// is written once, front to back. When room is needed the segment that was not used for the longest time goes as a
/// whole; answers on their way keep theirs open, so nothing is ever overwritten that a door or socket may still send.
/// When the disk is full or refuses, a small window in memory stands in. Any thread; one mutex, nothing is called with
/// it held.
class Spool {
 public:
  /// Bytes of a file that are cached and found together.
  static constexpr uint64_t kPiece = uint64_t{128} << 10;

  struct Segment {
    Fd fd;  // none: the bytes are in memory
    std::unique_ptr<std::byte[]> memory;
    uint64_t size = 0, used = 0;  // under Spool::m_
    uint64_t last_use = 0;        // under Spool::m_
    bool live = true;             // under Spool::m_
    std::vector<std::pair<uint32_t, uint64_t>> keys;
  };
  /// A piece, or what there is of it. Keeps its segment.
  struct Piece {
    std::shared_ptr<const Segment> segment;
    uint64_t at = 0;
    uint32_t length = 0;
    /// Puts [from, from + n) of the piece at the end of `to`. The range must lie in it.
    void append_to(Buffer& to, uint64_t from, size_t n) const;
  };

  struct Setup {
    std::string directory;   ///< empty: chosen, see cache_directory() in base/unlinked_file.h
    bool in_memory = false;  ///< memory files (memfd_create(2)) instead
    uint64_t size = uint64_t{1} << 30;
    std::string name;  ///< of the archive, for the log
  };
  explicit Spool(const Setup& s);

  std::optional<Piece> find(uint32_t node, uint64_t number);
  /// Keeps a piece of at most kPiece bytes. big: of a file that would fill the cache; those share a small part of it.
  /// Always gives the piece; it may just not be found again. Throws bad_alloc.
  Piece put(uint32_t node, uint64_t number, Bytes bytes, bool big);

  /// A file of this size is `big`.
  uint64_t big() const { return size_ / 2; }
  uint64_t size() const { return size_; }
  /// Tests: every write to the cache fails from now on, as on a full disk.
  void break_disk_for_test() { broken_.store(true); }

 private:
  enum Pool { kMain, kBig, kPools };
  struct Key {
    uint32_t node;
    uint64_t number;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& k) const {
      return (k.number * 0x9e3779b97f4a7c15) ^ (uint64_t{k.node} * 0xc2b2ae3d27d4eb4f);
    }
  };
  struct Place {
    std::shared_ptr<Segment> segment;
    uint64_t at;
    uint32_t length;
  };
  std::shared_ptr<Segment> reserve(Pool pool, uint64_t length, uint64_t& at);
  std::shared_ptr<Segment> make_segment();
  void drop_oldest(Pool pool);
  Piece loose(Bytes bytes);
  void to_memory(int error);

  std::string name_;
  Fd dir_;
  uint64_t size_, segment_size_;
  std::array<size_t, kPools> most_;
  std::atomic<bool> memory_{false}, broken_{false};

  std::mutex m_;
  std::array<std::vector<std::shared_ptr<Segment>>, kPools> segments_;  // the last one is being filled
  std::unordered_map<Key, Place, KeyHash> places_;
  uint64_t clock_ = 0;
};

}  // namespace isthmus::fs::archive
