#include "fs/compress/compress_fs.h"

#include "base/log.h"
#include "base/unlinked_file.h"
#include "fs/compress/news.h"
#include "vfs/defaults.h"

namespace isthmus::fs::compress {
namespace {

/// What is there when the tree below has it.
constexpr Op kMirrored[] = {Op::Readlink, Op::Mkdir,     Op::Symlink,     Op::Link,  Op::GetXattr,
                            Op::SetXattr, Op::ListXattr, Op::RemoveXattr, Op::Watch, Op::Unwatch};

}  // namespace

CompressFs::CompressFs(std::unique_ptr<FileSystem> tree, Options options)
    : tree_(std::move(tree)),
      shared_(std::move(options)),
      handles_(std::make_unique<NodeTable<Handle>>()),
      nodes_(std::make_unique<Nodes>(*tree_)) {}

CompressFs::~CompressFs() = default;

Status CompressFs::start(Upcalls& up) {
  if (auto s = FileSystem::start(up); !s) return s;
  news_ = std::make_unique<News>(*this, up);
  if (auto s = tree_->start(*news_); !s) return s;
  if (shared_.options.spool > 0) {
    shared_.spool_directory = cache_directory(shared_.options.spool_dir);
    if (!shared_.spool_directory)
      log(LogLevel::warning,
          "compress: no directory for decoded data ({}): reading backwards in files of one frame is slow",
          shared_.options.spool_dir.empty() ? "set TMPDIR or compress.spool_dir" : shared_.options.spool_dir.c_str());
  }
  writer_ = std::thread([this] { run_writer(); });
  return Unit{};
}

void CompressFs::stop() {
  if (writer_.joinable()) {
    {
      std::lock_guard lock(m_);
      stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
    (void)store_all(true);
    for (auto& [key, value] : dirty_)
      log(LogLevel::error, "compress: '{}' could not be stored: what was written last is lost", label(*key));
  }
  // Nodes give their lookups back, which the tree must still take.
  if (news_) news_->close();
  dirty_.clear();
  handles_.reset();
  nodes_.reset();
  tree_->stop();
}

Traits CompressFs::traits() const {
  Traits t = tree_->traits();
  t.read_only = is_read_only(*tree_);
  t.inode_addressed = false;  // what is open is in memory
  t.flush_for_locks = false;
  t.export_stable = false;  // files are replaced below
  t.locks_shared = false;   // doors keep them: what has the lock below would be replaced, too
  t.small_writes_dear = false;
  t.name_max = shown_name_max(t.name_max);
  t.kills_suidgid = true;
  return t;
}

Capabilities CompressFs::capabilities() const {
  Capabilities c = FileSystem::capabilities();
  const Capabilities tree = tree_->capabilities();
  for (Op op : kMirrored)
    if (!tree.has(op)) c.clear(op);
  if (is_read_only(*tree_)) c = Capabilities::from_bits(c.bits() & ~kChanges.bits());
  return c;
}

}  // namespace isthmus::fs::compress
