#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/byte_pool.h"
#include "doors/common/door_metrics.h"
#include "doors/smb/backlogs.h"
#include "doors/smb/durable.h"
#include "doors/smb/frames.h"
#include "doors/smb/names.h"
#include "doors/smb/notify.h"
#include "doors/smb/open.h"
#include "doors/smb/oplock.h"
#include "doors/smb/sequence.h"
#include "doors/smb/session.h"
#include "doors/smb/smb_door.h"
#include "doors/smb/stream.h"
#include "doors/smb/troubles.h"
#include "vfs/volume/port.h"
#include "windows/sid.h"
#include "wire/dcerpc/environment.h"
#include "wire/ntlm/server.h"
#include "wire/smb2/codes.h"

namespace isthmus::smb {

/// What all connections share. Any thread.
struct Server final : Upcalls {
  Server(VolumePort& volume_port, Options door_options);

  VolumePort& port;
  const Options options;
  const bool read_only;
  const std::string name;  ///< NetBIOS name
  const smb2::Guid guid;
  const uint32_t volume_serial;
  const Context own;                     ///< of the server's user, as which all clients come
  const std::vector<windows::Sid> sids;  ///< of that user: itself, its groups, and what everybody is
  ntlm::Settings logons;
  DoorMetrics metrics;
  FileTable files;
  StreamTable streams;
  StreamWatchers stream_watchers;
  FoldedNames names;
  Troubles acl_troubles;
  std::atomic<uint64_t> removals{0};  ///< of files whose last open has ended
  /// Held while what DOSATTRIB says of a node is read and written. Taken before none but those of the volume.
  std::mutex& dos_facts_m(NodeId node) { return dos_facts_m_[raw(node) % dos_facts_m_.size()]; }
  FramePool frame_pool;
  BytePool memory{size_t{64} << 20};  ///< of frames and of the data of answers
  Backlogs backlogs;
  LeaseTable leases;
  DurableOpens durables{*this};
  Creations creations;
  std::atomic<uint64_t> next_key{1};  ///< CacheGrant::number
  dcerpc::Environment environment;

  /// A session that logs on, and its first channel.
  std::shared_ptr<Channel> new_session(const std::shared_ptr<Link>& link);
  std::shared_ptr<Session> find_session(uint64_t id) const;
  /// Its files are closed, but for durable ones, which wait for their client, and nothing comes of it any more. Its
  /// connections remember it.
  void end_session(Session& session);
  /// The session ends with its last channel.
  void end_channel(Channel& channel);
  void end_link(Link& link);
  void add_link(const std::shared_ptr<Link>& link);
  /// The first connection of a client that a session is used on; null: none.
  std::shared_ptr<Link> link_of(const smb2::Guid& client) const;
  /// What waits ends soon.
  void cancel_all();

  // Upcalls: what the volume tells, and of leases of streams their table.
  void invalidate_node(NodeId node, uint64_t offset, uint64_t length) override;
  void invalidate_attr(NodeId node) override;
  void invalidate_entry(NodeId dir, std::string_view name) override;
  void invalidate_all_names() override;
  void deleted(NodeId dir, NodeId child, std::string_view name) override;
  void break_lease(NodeId node, HandleId handle, uint8_t bits) override;

 private:
  std::array<std::mutex, 16> dos_facts_m_;
  mutable std::mutex m_;  // a leaf
  std::unordered_map<uint64_t, std::shared_ptr<Session>> sessions_;
  std::vector<std::shared_ptr<Link>> links() const;
  std::vector<std::weak_ptr<Link>> links_;
};

/// What clients see of the server over IPC$.
void fill_environment(Server& server);
/// For the names of requests in metrics.
std::span<const std::string_view> command_names();

}  // namespace isthmus::smb
