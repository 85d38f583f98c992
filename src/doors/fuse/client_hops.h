#pragma once
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace isthmus::fuse {

/// Notices clients that change CPU with every request. The kernel wakes a client while the thread that answered it
/// still runs, so the CPU it came from looks taken and, where another is idle, it is woken there; its next request then
/// goes to that one's queue, and back the next time: each round trip wakes a sleeping CPU, for 30 us instead of 5. It
/// ends when the CPU that the client just left is not idle for a moment (Ring::hold_cpu). Kept by thread of the client,
/// the last one wherever two share a place: a hint, any thread.
class ClientHops {
 public:
  static constexpr unsigned kMany = 4;  ///< moves in a row from which they are a habit

  /// `client` (a thread, not 0) asks by the queue of `cpu`. Its moves in a row up to this request.
  unsigned note(pid_t client, uint16_t cpu) {
    auto& place = place_of(client);
    Seen seen = unpack(place.load(std::memory_order_relaxed));
    bool known = seen.client == client;
    uint16_t moves = !known || seen.cpu == cpu ? uint16_t{0} : static_cast<uint16_t>(seen.moves + (seen.moves < kLots));
    place.store(pack({client, cpu, moves}), std::memory_order_relaxed);
    return moves;
  }
  /// Whether the client's last two requests came from one CPU, or nothing is known of it.
  bool stays(pid_t client) const {
    Seen seen = unpack(place_of(client).load(std::memory_order_relaxed));
    return seen.client != client || seen.moves == 0;
  }

 private:
  static constexpr uint16_t kLots = 1000;
  static constexpr size_t kPlaces = 64;
  struct Seen {
    pid_t client = 0;
    uint16_t cpu = 0;
    uint16_t moves = 0;
  };
  static uint64_t pack(Seen s) {
    return uint64_t{static_cast<uint32_t>(s.client)} << 32 | uint32_t{s.cpu} << 16 | s.moves;
  }
  static Seen unpack(uint64_t v) {
    return {static_cast<pid_t>(v >> 32), static_cast<uint16_t>(v >> 16), static_cast<uint16_t>(v)};
  }
  std::atomic<uint64_t>& place_of(pid_t client) { return places_[static_cast<uint32_t>(client) % kPlaces]; }
  const std::atomic<uint64_t>& place_of(pid_t client) const { return places_[static_cast<uint32_t>(client) % kPlaces]; }

  std::array<std::atomic<uint64_t>, kPlaces> places_{};
};

}  // namespace isthmus::fuse
