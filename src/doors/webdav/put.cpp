#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"
#include "doors/webdav/errors.h"
#include "doors/webdav/put.h"
#include "doors/webdav/uploads.h"
#include "wire/http/dates.h"

namespace isthmus::webdav {
namespace {

constexpr uint64_t kReserve = uint64_t{1} << 20;  // bodies from that size on get their space before they are sent

/// An upload goes to a file of its own, which takes the name once it is complete: whoever reads sees the old content or
/// the new, and an upload that breaks off leaves the old.
class Put final : public Method {
 public:
  explicit Put(Exchange& x) : x_(x) {}

  std::optional<Answer> begin() override {
    if (x_.site.read_only) return plain_answer(403, "the file system is read-only");
    if (!x_.names_ok) return plain_answer(403, "no file can have such a name");
    if (x_.names.empty() || x_.trailing_slash) return plain_answer(405, "a collection has no content");
    if (x_.request.has("Content-Range")) return plain_answer(400, "a part of a file cannot be put");
    auto found = x_.files.find(x_.names);
    if (!found) {
      const int status = status_of(found.error());
      return plain_answer(status == 404 ? 409 : status, text_of(found.error()));
    }
    found_ = std::move(*found);
    if (auto refused = refused_content(x_, found_)) return refused;
    // macOS' client tells the size of what it sends in chunks.
    const uint64_t told = parse_number(x_.request.field("X-Expected-Entity-Length"), uint64_t{1} << 62).value_or(0);
    return begin_content(x_, found_, x_.request.content_length.value_or(told), true, replacement_);
  }

  std::optional<Answer> body(Bytes part) override {
    if (Status written = x_.files.write_all(replacement_->file(), offset_, part); !written)
      return plain_answer(status_of(written.error()), text_of(written.error()));
    offset_ += part.size();
    return std::nullopt;
  }

  Answer end() override { return finish_content(x_, *replacement_); }

 private:
  Exchange& x_;
  Found found_;
  std::optional<Replacement> replacement_;
  uint64_t offset_ = 0;
};

}  // namespace

std::optional<Answer> refused_content(Exchange& x, const Found& at) {
  if (at.is_dir()) return plain_answer(405, "a collection is there");
  if (at.exists() && !at.is_file()) return plain_answer(403, "a special file is there");
  if (auto refused = x.preconditions(at)) return refused;
  return x.locked(x.names, at.exists() ? Exchange::kItself : Exchange::kItself | Exchange::kMember);
}

std::optional<Answer> begin_content(Exchange& x, const Found& at, uint64_t size, bool whole,
                                    std::optional<Replacement>& made) {
  made.emplace(x, at);
  Status ready = made->create(whole);
  if (ready && size >= kReserve) {
    Status reserved =
        x.files.call(op::Fallocate{{}, made->file().node(), made->file().handle(), FALLOC_FL_KEEP_SIZE, 0, size});
    if (!reserved &&
        (reserved.error() == err(ENOSPC) || reserved.error() == err(EDQUOT) || reserved.error() == err(EFBIG)))
      ready = reserved;
  }
  if (ready) return std::nullopt;
  return plain_answer(status_of(ready.error()), text_of(ready.error()));
}

Answer finish_content(Exchange& x, Replacement& replacement) {
  // While the body came somebody may have written the file, removed it, or taken a lock. Of two who do so at once one
  // is refused, if both had a condition.
  auto turn = x.site.turns.take(path_text(x.names));
  auto now = x.files.find(x.names);
  if (!now) {
    const int status = status_of(now.error());
    return plain_answer(status == 404 ? 409 : status, text_of(now.error()));
  }
  if (!replacement.in_place())
    if (auto refused = refused_content(x, *now)) return std::move(*refused);
  // rclone and others tell the file's own time (ownCloud's field).
  auto mtime = parse_number(x.request.field("X-OC-Mtime"), INT64_MAX);
  if (mtime) replacement.set_mtime({static_cast<int64_t>(*mtime), 0});
  const bool if_free = !now->exists() && x.request.has("If-None-Match");
  auto attr = replacement.commit(*now, if_free);
  if (!attr)
    return if_free && attr.error() == err(EEXIST) ? plain_answer(412)
                                                  : plain_answer(status_of(attr.error()), text_of(attr.error()));
  Answer answer(now->exists() ? 204 : 201);
  if (mtime) answer.field("X-OC-Mtime", "accepted");
  if (const auto& is = *attr) answer.field("ETag", etag_of(*is)).field("Last-Modified", http::format_date(is->mtime));
  return answer;
}

std::unique_ptr<Method> make_put(Exchange& x) {
  if (begins_upload(x.request)) return make_upload_begin(x);
  return std::make_unique<Put>(x);
}

}  // namespace isthmus::webdav
