#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace isthmus::smb {

class Chain;

/// Frames are answered side by side, but a CLOSE comes after what its connection has asked of the file before: frames
/// of one connection, by the opens that they name. Any thread; they enter in the order that they came in.
class CloseOrder {
 public:
  static constexpr size_t kMostWaitingBytes = size_t{16} << 20;
  /// Of a frame, under the order's mutex.
  struct Place {
    std::vector<uint64_t> counted;  ///< files whose `under_way` counts it
    size_t waits_for = 0;           ///< files that others are to leave first
  };

  /// False: it has a CLOSE that waits for others, and is one of those that leave() answers in time. Beyond what may
  /// wait nothing does.
  bool enter(const std::shared_ptr<Chain>& chain);
  /// One that is sealed still, and may be about any file; what it closes itself waits for nothing. The number is for
  /// leave_unknown().
  uint64_t enter_unknown();
  /// It has been answered, or waits for something that is no answer. Those that are to be run now.
  std::vector<std::shared_ptr<Chain>> leave(const Chain& chain);
  std::vector<std::shared_ptr<Chain>> leave_unknown(uint64_t number);
  /// Those that wait are not answered any more.
  void drop();

 private:
  struct File {
    size_t under_way = 0;                           // frames that came before a CLOSE
    std::vector<std::shared_ptr<Chain>> closing{};  // that wait for them
  };
  void leave_file(uint64_t id, std::vector<std::shared_ptr<Chain>>& ready);
  std::mutex m_;                    // a leaf
  std::map<uint64_t, File> files_;  // by temporary id; from kUnknown on what may be about any
  static constexpr uint64_t kUnknown = uint64_t{1} << 63;
  uint64_t unknown_ = kUnknown;  // of those that come now; another one after each CLOSE that waits for them
  size_t waiting_bytes_ = 0;
};

}  // namespace isthmus::smb
