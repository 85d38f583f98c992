#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus {

/// What a door tells of its work: requests by kind, how long they took, bytes, who is connected, the last errors. Any
/// thread. A request costs some relaxed additions; a lock is taken for connections and errors only.
class DoorMetrics {
 public:
  /// Upper bounds of the histogram, in seconds, as Prometheus has them; what takes longer is counted behind the last.
  static constexpr std::array<double, 12> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                     0.01,   0.025,   0.1,    0.5,   2.5,    10};
  static constexpr size_t kKeptErrors = 32;
  static constexpr size_t kKeptText = 200;  ///< bytes of a text that a client gave

  struct Error {
    int64_t at;  ///< seconds since 1970
    std::string what;
  };
  struct Client {
    std::optional<uint32_t> uid;  ///< none: of another machine
    std::string agent;            ///< what it calls itself; anything may be in it
    int64_t since;                ///< seconds since 1970
    uint64_t requests;
  };
  struct Snapshot {
    struct Kind {
      std::string name;
      uint64_t requests = 0, failed = 0;
    };
    std::vector<Kind> kinds;                               ///< those asked for at least once
    std::array<uint64_t, kBounds.size() + 1> histogram{};  ///< requests between one bound and the next
    double seconds = 0;                                    ///< that all requests took together
    uint64_t bytes_in = 0, bytes_out = 0;                  ///< contents sent by clients; all that was sent to them
    std::vector<Client> clients;
    std::vector<Error> errors;  ///< the last ones, the newest first
  };

  /// names: of the kinds of requests, of static storage. Others are counted as "other".
  explicit DoorMetrics(std::span<const std::string_view> names);

  void request(std::string_view kind, std::chrono::nanoseconds took, bool failed);
  void transferred(uint64_t in, uint64_t out);
  /// A request failed by our fault or the file system's. Never gets a secret.
  void error(std::string what);

  /// A client's connection, for as long as it lives. One thread at a time.
  class Connected {
   public:
    Connected(DoorMetrics& metrics, std::optional<uint32_t> uid);
    ~Connected();
    Connected(const Connected&) = delete;
    Connected& operator=(const Connected&) = delete;
    void request(std::string_view agent);

   private:
    friend class DoorMetrics;
    struct Row {
      std::optional<uint32_t> uid;
      int64_t since;
      std::string agent;
      std::atomic<uint64_t> requests{0};
    };
    DoorMetrics& metrics_;
    std::list<Row>::iterator row_;
  };

  Snapshot snapshot() const;

 private:
  struct Kind {
    std::string_view name;
    std::atomic<uint64_t> requests{0}, failed{0};
  };
  std::vector<Kind> kinds_;  // the last: others
  std::array<std::atomic<uint64_t>, kBounds.size() + 1> histogram_{};
  std::atomic<uint64_t> nanoseconds_{0}, in_{0}, out_{0};
  // Leaf lock.
  mutable std::mutex m_;
  std::deque<Error> errors_;
  std::list<Connected::Row> clients_;
};

}  // namespace isthmus
