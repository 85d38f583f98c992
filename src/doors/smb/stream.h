#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "doors/smb/open.h"
#include "vfs/volume/opens.h"
#include "wire/smb2/create.h"
#include "wire/smb2/file_facts.h"
#include "wire/smb2/set_info.h"
#include "wire/smb2/status.h"

/// Named streams: more data of a file or directory, under names of its own ("file:stream"). Each is an extended
/// attribute of the file, in the form of Samba's streams_xattr.
namespace isthmus::smb {

struct StreamUse;

/// Bytes of one stream: an attribute has 64 KiB on Linux, one of which ends it.
constexpr size_t kMostStream = 65535;
/// What their names begin and end with.
constexpr std::string_view kStreamPrefix = "user.DosStream.", kStreamType = ":$DATA";
/// Bytes of a stream's name: that of its attribute has 255 on Linux (XATTR_NAME_MAX).
constexpr size_t kMostStreamName = 255 - kStreamPrefix.size() - kStreamType.size();

/// A stream that clients have open, shared by its opens (an MS-FSA Stream).
struct NamedStream {
  NamedStream(NodeId n, NodeId as_file, std::string k, std::string_view as)
      : node(n), number(as_file), name(as), key(std::move(k)) {}

  const NodeId node;    ///< held by the files of the opens
  const NodeId number;  ///< of its own, to StreamTable::opens and leases; no file has it
  /// Held while the attribute is read and written, so that no write is lost. Taken before all but naming_m.
  std::mutex io_m;
  std::string name;  ///< as it is kept; under io_m
  RangeLocks locks;
  // Of the table, under its mutex.
  std::string key;
  bool delete_pending = false;
  std::vector<const StreamUse*> uses;
};

/// What an open has of its stream.
struct StreamUse {
  std::shared_ptr<NamedStream> stream;
  HandleId handle = HandleId::none;  ///< to StreamTable::opens; no file's
};

/// Streams that are open, by their files and names without case. Bounded by the opens that there may be. Any thread.
class StreamTable {
 public:
  StreamTable(std::chrono::milliseconds break_time, volume::Opens::Tell tell) : opens(break_time, std::move(tell)) {}

  /// Share modes and leases of streams, as the volume has those of files: other doors have none.
  volume::Opens opens;

  /// One use more. Null: the stream is to go.
  std::shared_ptr<StreamUse> enter(NodeId node, std::string key, std::string_view name);
  /// One use less. True: it was the last, and the stream is to go; until end() nobody opens it.
  bool leave(const StreamUse& use, bool delete_it);
  void end(const NamedStream& stream);
  std::shared_ptr<NamedStream> find(NodeId node, const std::string& key) const;
  void set_delete_pending(NamedStream& stream, bool to);
  bool is_delete_pending(const NamedStream& stream) const;
  /// False: somebody has one of that name open.
  bool rename(NamedStream& stream, std::string key);
  bool any_of(NodeId node) const { return !numbers_of(node).empty(); }
  /// NamedStream::number of those of a file.
  std::vector<NodeId> numbers_of(NodeId node) const;

 private:
  using Key = std::pair<NodeId, std::string>;
  mutable std::mutex m_;  // a leaf
  std::map<Key, std::shared_ptr<NamedStream>> all_;
  uint64_t next_ = uint64_t{1} << 63;
};

/// Whether the file system has a place for streams: extended attributes of users.
bool has_streams(Request& r, NodeId node);
/// The streams of a file, but for the one without a name.
Result<std::vector<smb2::StreamFact>> streams_of(Request& r, NodeId node);
/// Their names, as they are kept.
Result<std::vector<std::string>> stream_names(Request& r, NodeId node);
/// Data of a stream by its name as it is kept; ENODATA: there is none.
Result<std::string> stream_data(Request& r, NodeId node, std::string_view name);
smb2::NtStatus copy_streams(Request& r, NodeId from, NodeId to);
/// A file that is overwritten loses its streams.
void drop_streams(Request& r, NodeId node);

/// What a CREATE of a stream wants, and what came of it.
struct StreamCreation {
  std::string name;
  smb2::Disposition disposition = smb2::Disposition::open;
  uint32_t access = 0, share = 0;
  std::shared_ptr<StreamUse> use;
  uint32_t action = smb2::kActionOpened;
  uint64_t size = 0;
};
/// ENODATA: it would not be found.
Status find_stream(Request& r, NodeId node, std::string_view name);
bool is_stream_going(const Server& server, NodeId node, std::string_view name);
/// `grant`: what the open may get a lease by; invalid_parameter: it is of another file.
smb2::NtStatus open_stream(Request& r, NodeId node, StreamCreation& c, const CacheGrant& grant);
/// Before a file is moved or deleted clients close what they keep open of its streams by handle leases alone. `slow`:
/// runs if that takes its time.
void have_streams_closed(Server& server, const Context& ctx, NodeId node, const std::function<void()>& slow);
/// The same for one who does not wait.
void tell_streams_going(Server& server, const Context& ctx, NodeId node);
/// The stream of the request's open is about to be used so: leases of others that are in the way go. cancelled: the
/// client does not want it any more.
smb2::NtStatus break_stream_leases(Request& r, volume::Use use);
/// One use less; the stream goes if it was the last and it is to be deleted.
void close_stream(Server& server, Open& open);

Result<uint64_t> stream_size(Request& r, const Open& open);
Result<std::string> read_stream(Request& r, const Open& open, uint64_t offset, uint32_t length);
/// offset: UINT64_MAX: behind the end. A stream that would be too long: file_too_large.
smb2::NtStatus write_stream(Request& r, const Open& open, uint64_t offset, Bytes data);
smb2::NtStatus resize_stream(Request& r, const Open& open, uint64_t size, bool allocation);
/// to: ":name" or ":name:$DATA" as a client writes it.
smb2::NtStatus rename_stream(Request& r, const smb2::NameChange& to);
smb2::NtStatus dispose_of_stream(Request& r, bool delete_it);
/// ":name" of the open's stream, in UTF-16.
std::string stream_suffix(const Open& open);

}  // namespace isthmus::smb
