#include "doors/webdav/folder_archive.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "doors/webdav/archive_format.h"
#include "doors/webdav/errors.h"
#include "doors/webdav/reserved.h"
#include "wire/http/uri.h"

namespace isthmus::webdav {
namespace {

constexpr size_t kArchivePart = size_t{256} << 10;
constexpr size_t kMostLevels = 256;    // of a tree, in names
constexpr size_t kMostReport = 65536;  // bytes of names that were left out

/// A tree, member by member. In memory stand the names of the directories from the top to where it is, one part of a
/// file, and for zip the directory of the archive. It goes on as the client takes it, and ends with the connection.
class Archive final : public BodySource {
 public:
  Archive(Exchange& x, Found top, std::string name, bool zip)
      : x_(x), top_(std::move(top)), zip_(zip), path_(std::move(name)), base_(path_.size()) {
    path_ += '/';
  }
  ~Archive() override {
    while (!levels_.empty()) leave();
    close_file();
  }

  Got next(Part& part) override {
    out_.clear();
    if (!std::exchange(begun_, true)) enter(top_.node(), NodeId::none, top_.attr());
    while (out_.size() < kArchivePart) {
      if (file_) {
        if (!read()) return Got::failed;
      } else if (!levels_.empty()) {
        step();
      } else if (!left_out_.empty()) {
        report();
      } else if (!std::exchange(finished_, true)) {
        if (zip_)
          format_.finish(out_);
        else
          tar::finish(out_);
        break;
      } else {
        break;
      }
    }
    if (out_.empty()) return Got::end;
    part = {out_};
    return Got::part;
  }

 private:
  struct Level {
    NodeId node;  // held, but for the top's
    bool held;
    size_t path;  // length of path_ at this level
    std::vector<Files::Item> items;
    size_t at = 0;
  };

  void begin(const Attr& attr, uint64_t size, std::string_view link = {}) {
    const ArchiveEntry entry{path_, attr.mode, attr.mtime.sec, size, link};
    if (zip_)
      format_.begin(out_, entry);
    else
      tar::begin(out_, entry);
    size_ = left_ = size;
    crc_ = 0;
  }
  void end() {
    if (zip_)
      format_.end(out_, crc_);
    else
      tar::end(out_, size_);
  }
  /// Content that stands in memory.
  void whole(std::string_view content) {
    if (zip_) crc_ = crc32(0, as_bytes(content));
    out_ += content;
    end();
  }

  void enter(NodeId node, NodeId held, const Attr& attr) {
    begin(attr, 0);
    end();
    auto items = levels_.size() < kMostLevels ? x_.files.list(node) : Result<std::vector<Files::Item>>(err(ELOOP));
    if (!items) leave_out(items.error());
    levels_.push_back(
        {node, held != NodeId::none, path_.size(), items ? std::move(*items) : std::vector<Files::Item>{}});
  }
  void leave() {
    if (levels_.back().held) x_.files.forget(levels_.back().node);
    levels_.pop_back();
  }
  void leave_out(Errno why) {
    if (left_out_.size() < kMostReport) left_out_ += fmt::format("{}: {}\n", path_, text_of(why));
  }

  /// The next member of the directory that it is in.
  void step() {
    Level& level = levels_.back();
    path_.resize(level.path);
    if (level.at == level.items.size()) return leave();
    const std::string name = level.items[level.at++].name;
    if (is_temporary(name)) return;
    path_ += x_.client_name(name);
    auto entry = x_.files.call(op::Lookup{{}, level.node, name});
    if (entry && entry->node == NodeId::none) entry = err(ENOENT);
    if (!entry) return entry.error() == err(ENOENT) ? void() : leave_out(entry.error());  // gone: nothing is missing
    if (S_ISDIR(entry->attr.mode)) {
      path_ += '/';
      return enter(entry->node, entry->node, entry->attr);
    }
    if (S_ISREG(entry->attr.mode)) {
      node_ = entry->node;
      return open(entry->attr);
    }
    if (S_ISLNK(entry->attr.mode)) {
      auto target = x_.files.call(op::Readlink{{}, entry->node});
      if (target) {
        // A zip archive has a link's target as its content.
        begin(entry->attr, zip_ ? target->size() : 0, *target);
        whole(zip_ ? std::string_view(*target) : std::string_view{});
      } else {
        leave_out(target.error());
      }
    }
    x_.files.forget(entry->node);
  }
  void open(const Attr& attr) {
    auto file = x_.files.open(node_, O_RDONLY);
    if (!file) {
      leave_out(file.error());
      return close_file();
    }
    file_ = std::move(*file);
    offset_ = 0;
    begin(attr, attr.size);
    if (left_ == 0) {
      end();
      close_file();
    }
  }
  void close_file() {
    (void)file_.close();
    if (node_ != NodeId::none) x_.files.forget(std::exchange(node_, NodeId::none));
  }
  /// More of the open file. False: it has become shorter than its head says, or cannot be read.
  bool read() {
    const size_t before = out_.size();
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, kArchivePart));
    out_.resize(before + size);
    const MutableBytes into = std::as_writable_bytes(std::span(out_)).subspan(before);
    auto data = x_.files.call(op::Read{{}, file_.node(), file_.handle(), offset_, size, into});
    if (!data) return false;
    auto n = data->copy_to(into, into);
    if (!n || *n == 0) return false;
    out_.resize(before + *n);
    if (zip_) crc_ = crc32(crc_, into.first(*n));
    offset_ += *n;
    left_ -= *n;
    if (left_ == 0) {
      end();
      close_file();
    }
    return true;
  }
  /// Says what could not be read, in a file of the archive.
  void report() {
    path_.resize(base_);
    path_ += "/isthmus-left-out.txt";
    Attr attr = top_.attr();
    attr.mode = S_IFREG | 0644;
    begin(attr, left_out_.size());
    whole(std::exchange(left_out_, {}));
  }

  Exchange& x_;
  const Found top_;
  const bool zip_;
  ZipFormat format_;
  std::vector<Level> levels_;
  std::string path_;  // in the archive, of where it is
  const size_t base_;
  std::string out_, left_out_;
  NodeId node_ = NodeId::none;  // of the file that is read
  OpenFile file_;
  uint64_t offset_ = 0, left_ = 0, size_ = 0;
  uint32_t crc_ = 0;
  bool begun_ = false, finished_ = false;
};

}  // namespace

Answer folder_archive(Exchange& x, bool zip) {
  auto found = x.files.find(x.names);
  if (!found)
    return plain_answer(status_of(found.error()) == 409 ? 404 : status_of(found.error()), text_of(found.error()));
  if (!found->is_dir()) return plain_answer(404, "no folder is there");
  // What cannot be listed at all is an error and no empty archive.
  if (auto listed = x.files.open_dir(found->node()); !listed)
    return plain_answer(status_of(listed.error()), text_of(listed.error()));
  const std::string name = x.names.empty() ? "files" : x.client_name(x.names.back());
  std::string file;
  http::append_segment(file, name + (zip ? ".zip" : ".tar"));
  Answer answer(200);
  answer.field("Content-Type", zip ? "application/zip" : "application/x-tar")
      .field("Content-Disposition", "attachment; filename*=UTF-8''" + file)
      .field("Cache-Control", "no-store");
  page_safety(answer, "sandbox");
  answer.source = std::make_unique<Archive>(x, std::move(*found), name, zip);
  return answer;
}

}  // namespace isthmus::webdav
