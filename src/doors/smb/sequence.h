#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "doors/smb/open.h"
#include "doors/smb/sweep.h"
#include "wire/smb2/codec.h"

namespace isthmus::smb {

class Request;

/// Any request of an open by another connection than before: what was sent before that one broke comes late from now
/// on. Of r.open.
void note_sequence(const Request& r);

/// A change through an open, in the order of its client's connections: what was sent before one of them broke must not
/// come after what was sent again since (MS-SMB2 section 3.3.5.2.10). Lives for as long as the change takes.
class InSequence {
 public:
  /// Of r.open.
  explicit InSequence(const Request& r);
  ~InSequence();
  InSequence(const InSequence&) = delete;
  InSequence& operator=(const InSequence&) = delete;
  /// False: it comes too late, or too early; FILE_NOT_AVAILABLE.
  explicit operator bool() const { return good_; }

 private:
  const std::shared_ptr<Open> open_;
  uint16_t number_ = 0;
  bool counted_ = false, good_ = true;
};

/// The number that a LOCK has in its slot of the open (section 3.3.5.14): one that is sent again has been done already.
class LockSequence {
 public:
  /// Of r.open. `value`: number in the low 4 bits, index above; counts from 3.0 on, and for durable opens.
  LockSequence(const Request& r, uint32_t value);
  bool is_done() const { return done_; }
  /// The request has succeeded.
  void done();

 private:
  std::shared_ptr<Open> open_;  // null: it has none
  size_t slot_ = 0;
  uint8_t number_ = 0;
  bool done_ = false;
};

/// CREATEs of version 2 of durable opens, by the client's guid and that of the CREATE: one that is sent again, because
/// its answer was lost, finds what the first has opened (section 3.3.5.9.10). Any thread.
class Creations {
 public:
  using Key = std::pair<smb2::Guid, smb2::Guid>;
  struct Found {
    bool fresh = false;          ///< it is the first; done() or failed() has to follow
    std::shared_ptr<Open> open;  ///< null: the first is on its way still
  };
  /// The first goes on when r's connection ends, as long as its session has others.
  Found begin(const Key& key, const Request& r);
  void done(const Key& key, const std::shared_ptr<Open>& open);
  void failed(const Key& key);
  /// Those that are under way for a session, or all, are not waited for any longer.
  void cancel(std::optional<uint64_t> session_id);

 private:
  struct Entry {
    uint64_t session_id = 0;
    std::shared_ptr<Cancel> under_way{};  ///< null: it has been answered
    std::weak_ptr<Open> open{};
  };
  static bool is_over(const Entry& e);
  std::mutex m_;  // a leaf
  std::map<Key, Entry> all_;
  Sweep sweep_;
};

}  // namespace isthmus::smb
