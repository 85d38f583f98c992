#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "doors/smb/open.h"
#include "wire/smb2/status.h"

namespace isthmus::smb {

/// The watch of an open ends; who waits for news is answered by `status`.
void end_notify(Open& open, smb2::NtStatus status);
/// The same for all opens of a directory that is to be deleted.
void end_notifies(Server& server, const OpenedFile& file);

/// Opens that watch streams, which the volume knows nothing of. Any thread.
class StreamWatchers {
 public:
  void add(const std::shared_ptr<Open>& open);
  std::vector<std::shared_ptr<Open>> all();

 private:
  std::atomic<bool> some_{false};
  std::mutex m_;  // a leaf
  std::vector<std::weak_ptr<Open>> opens_;
};
/// A stream of a file was changed through this door. filter: bits of smb2::kChange..., any of which is asked for.
void tell_stream(Server& server, OpenedFile& file, std::string_view stream, smb2::NotifyAction action, uint32_t filter);

}  // namespace isthmus::smb
