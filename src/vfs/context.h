#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

namespace isthmus {

/// Who asks. Doors that cannot know (idmapped FUSE mounts hide ids) clear `known`: treat as the server's own user.
struct Credentials {
  bool known = false;
  uint32_t uid = 0, gid = 0;
  uint32_t pid = 0;                  ///< 0: asked by a kernel or door on its own account
  uint32_t umask = 0;                ///< to be applied by the provider only where Context::umask_pending
  std::span<const uint32_t> groups;  ///< supplementary; may hold only those the client chose to send
  bool groups_known = false;         ///< false: `groups` is not the whole list (look it up by pid if it matters)
};

/// A wish to stop, set once by the door (FUSE_INTERRUPT, Tflush, SMB2 CANCEL, a closed connection, a deadline).
/// The provider still answers, with EINTR or the result. Any thread.
class Cancel {
 public:
  bool requested() const { return set_.load(std::memory_order_acquire); }
  /// f runs at most once: on the cancelling thread, or here and now when already cancelled. A second call replaces the
  /// first. Its work must be short; it may answer the Call.
  void on_request(std::function<void()> f);
  /// Drops the function given to on_request. It may be running on the cancelling thread at this moment.
  void clear();
  void request();
  /// For reuse of the object by a door's pool; nobody else may hold it.
  void reset();

 private:
  std::atomic<bool> set_{false};
  std::mutex m_;
  std::function<void()> f_;
};

/// Which kind of door asks (for decisions such as "does it keep a page cache").
enum class DoorKind : uint8_t { direct, fuse, webdav, smb, nfs, ninep, userfs };

/// Travels with every operation. Never kept in a thread-local.
struct Context {
  Credentials cred;
  uint64_t id = 0;  ///< the door's number for the request, for traces
  DoorKind door = DoorKind::direct;
  bool access_checked = false;  ///< the door (or its kernel) has checked permissions; creators still own what they make
  bool umask_pending = false;   ///< modes of new nodes are raw: a default ACL replaces the umask, else apply cred.umask
  bool client_times = false;    ///< write-back: the client keeps mtime, ctime and size and will send them
  uint64_t client = 0;     ///< the door's number for whom it serves; what is open and locked belongs to it (Volume)
  uint64_t lease_key = 0;  ///< of the lease that the request comes under, which it does not break; 0: none
  uint64_t parent_lease_key = 0;  ///< of a lease of the directory, which the request does not break either; 0: none
  bool of_stream = false;         ///< the xattr is a named stream, of which leases of the file say nothing
  Cancel* cancel = nullptr;       ///< null: cannot be cancelled
  bool cancelled() const { return cancel && cancel->requested(); }
};

}  // namespace isthmus
