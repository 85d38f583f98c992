#include <fcntl.h>
#include <fmt/format.h>

#include "doors/webdav/errors.h"
#include "doors/webdav/exchange.h"
#include "doors/webdav/listing_page.h"
#include "doors/webdav/media_types.h"
#include "doors/webdav/reserved.h"
#include "wire/http/dates.h"
#include "wire/http/ranges.h"
#include "wire/http/uri.h"

namespace isthmus::webdav {
namespace {

constexpr size_t kAtOnce = size_t{64} << 10;  // bytes that are read at once, and sent with the head
constexpr size_t kPart = size_t{256} << 10;

/// A range of an open file: from its descriptor if there is one, else as the file system reads it.
class FileBody final : public BodySource {
 public:
  FileBody(Files& files, OpenFile file, uint64_t offset, uint64_t length)
      : files_(files), file_(std::move(file)), offset_(offset), left_(length) {}

  Got next(Part& part) override {
    if (left_ == 0) return Got::end;
    if (file_.backing_fd() >= 0) {
      part = {{}, file_.backing_fd(), offset_, static_cast<size_t>(std::min<uint64_t>(left_, SIZE_MAX))};
      left_ = 0;
      return Got::part;
    }
    memory_.resize(kPart);
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, kPart));
    const MutableBytes into = std::as_writable_bytes(std::span(memory_)).first(size);
    auto data = files_.call(op::Read{{}, file_.node(), file_.handle(), offset_, size, into});
    if (!data) return Got::failed;
    auto n = data->copy_to(into, into);
    if (!n || *n == 0) return Got::failed;  // the file has become shorter than the head says
    offset_ += *n;
    left_ -= *n;
    part = {as_text(into.first(*n))};
    return Got::part;
  }

 private:
  Files& files_;
  OpenFile file_;
  uint64_t offset_, left_;
  std::string memory_;
};

Answer get_file(Exchange& x, const Found& found) {
  if (auto refused = x.preconditions(found)) return std::move(*refused);
  const Attr& attr = found.attr();
  const std::string etag = etag_of(attr);
  const http::Field* if_range = x.request.find("If-Range");
  const http::Field* range_field = x.request.find("Range");
  http::RangeAnswer range{http::RangeAnswer::Kind::whole, 0, attr.size};
  if (range_field && x.request.count("Range") == 1 &&
      (!if_range || http::if_range_holds(if_range->value, {true, etag, attr.mtime})))
    range = http::parse_range(range_field->value, attr.size);

  Answer answer(range.kind == http::RangeAnswer::Kind::part ? 206 : 200);
  answer.field("ETag", etag).field("Last-Modified", http::format_date(attr.mtime)).field("Accept-Ranges", "bytes");
  if (range.kind == http::RangeAnswer::Kind::unsatisfiable) {
    answer.status = 416;
    return std::move(answer.field("Content-Range", fmt::format("bytes */{}", attr.size)));
  }
  if (range.kind == http::RangeAnswer::Kind::part)
    answer.field("Content-Range",
                 fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, attr.size));
  // A page among the files must not act in the name of this site.
  answer.field("Content-Type", media_type(found.name()))
      .field("X-Content-Type-Options", "nosniff")
      .field("Content-Security-Policy", "sandbox");
  answer.length = range.length;
  if (x.only_head) return answer;

  OpenFile file;
  // What is read at once needs no open file where nodes can be read; the volume asks for the same rights, share modes
  // and leases.
  if (range.length > kAtOnce || !x.site.port.traits().inode_addressed) {
    auto opened = x.files.open(found.node(), O_RDONLY);
    if (!opened) return plain_answer(status_of(opened.error()), text_of(opened.error()));
    file = std::move(*opened);
  }
  if (range.length > kAtOnce) {
    answer.source = std::make_unique<FileBody>(x.files, std::move(file), range.offset, range.length);
    return answer;
  }
  answer.body.resize(range.length);
  const MutableBytes into = std::as_writable_bytes(std::span(answer.body));
  for (size_t have = 0; have < range.length;) {
    auto rest = into.subspan(have);
    auto data = x.files.call(op::Read{{}, found.node(), file.handle(), range.offset + have, rest.size(), rest});
    if (!data) return plain_answer(status_of(data.error()), text_of(data.error()));
    auto n = data->copy_to(rest, rest);
    if (!n) return plain_answer(status_of(n.error()), text_of(n.error()));
    if (*n == 0) return plain_answer(503, "the file has just become shorter");
    have += *n;
  }
  return answer;
}

}  // namespace

Answer get(Exchange& x, std::string_view) {
  if (auto reserved = http::query_value(x.request.target, kReservedKey)) return get_reserved(x, *reserved);
  auto found = x.files.find(x.names);
  if (!found)
    return plain_answer(status_of(found.error()) == 409 ? 404 : status_of(found.error()), text_of(found.error()));
  if (found->is_dir()) {
    if (x.trailing_slash || x.names.empty()) return listing_page(x, *found);
    Answer answer(301);
    return std::move(answer.field("Location", x.href(x.names, true)));
  }
  if (found->is_file()) return x.trailing_slash ? plain_answer(404) : get_file(x, *found);
  if (found->exists()) return plain_answer(403, "a special file: only listed here");

  auto link = x.files.find(x.names, false);
  if (!link || !link->is_symlink()) return plain_answer(404);
  auto target = x.files.call(op::Readlink{{}, link->node()});
  Answer answer(200);
  answer.field("ETag", etag_of(link->attr()))
      .field("Content-Type", "application/octet-stream")
      .field("X-Isthmus-Reason",
             "a symbolic link whose target is not here" + (target ? ": " + x.client_name(*target) : std::string()));
  answer.length = 0;
  return answer;
}

}  // namespace isthmus::webdav
