#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "fs/archive/decoder.h"
#include "fs/archive/options.h"
#include "fs/archive/scan.h"
#include "vfs/provider.h"

namespace isthmus::fs::archive {

/// An archive as a read-only file system. Everything is known once open() is through; after that only data is read.
/// Nodes live as long as the file system, so lookups are not counted. Any thread.
class ArchiveFs final : public Provider<ArchiveFs> {
 public:
  /// Makes the index (which may take as long as unpacking, for compressed tar) and asks for a passphrase if one is
  /// needed. Null: `error` has a message for the user.
  static std::unique_ptr<ArchiveFs> open(const std::string& path, const ArchiveOptions& o, const ArchiveHooks& hooks,
                                         OpenError& error);
  /// An archive in a descriptor, for instance of memfd_create(2); `name` is for messages.
  static std::unique_ptr<ArchiveFs> open(Fd fd, const std::string& name, const ArchiveOptions& o,
                                         const ArchiveHooks& hooks, OpenError& error);
  ~ArchiveFs() override;

  Traits traits() const override;

  Result<Entry> lookup(const Context&, const op::Lookup&);
  Result<Attributes> getattr(const Context&, const op::Getattr&);
  Result<std::string> readlink(const Context&, const op::Readlink&);
  Result<Opened> open(const Context&, const op::Open&);
  Result<Buffer> read(const Context&, const op::Read&);
  Result<uint64_t> seek_hole(const Context&, const op::SeekHole&);
  Result<Opened> open_dir(const Context&, const op::OpenDir&);
  Result<Unit> read_dir(const Context&, const op::ReadDir&);
  Result<StatFs> statfs(const Context&, const op::Statfs&);
  Result<std::string> get_xattr(const Context&, const op::GetXattr&);
  Result<std::vector<std::string>> list_xattr(const Context&, const op::ListXattr&);
  Result<ExportHandle> node_to_export(const Context&, const op::NodeToExport&);
  Result<Entry> export_to_node(const Context&, const op::ExportToNode&);

  const Archive& archive() const { return *archive_; }
  Decoder& decoder() { return decoder_; }
  Spool& spool() { return spool_; }

 private:
  ArchiveFs(std::unique_ptr<Archive> a, std::unique_ptr<Secret> secret, const ArchiveOptions& o);
  static std::unique_ptr<ArchiveFs> make(std::unique_ptr<Archive> a, const ArchiveOptions& o, const ArchiveHooks& hooks,
                                         OpenError& error);

  Result<const Node*> node(NodeId id, Op op) const;
  Attr attr(uint32_t number) const;
  Entry entry(uint32_t number) const;
  Status usable(uint32_t number);
  uint64_t data_blocks(const Node& n) const;

  std::unique_ptr<Archive> archive_;
  std::unique_ptr<Secret> secret_;  // null: none
  Spool spool_;
  Decoder decoder_;
  uint64_t identity_;  // of the archive file as it was opened: export handles of another are stale
  std::atomic<bool> changed_{false}, asked_for_secret_{false};
  std::atomic<uint32_t> cut_reads_{0};
};

}  // namespace isthmus::fs::archive
