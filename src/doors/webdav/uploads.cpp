#include "doors/webdav/uploads.h"

#include <fmt/format.h>

#include "base/text.h"
#include "doors/common/secret.h"
#include "doors/webdav/errors.h"
#include "doors/webdav/put.h"
#include "doors/webdav/reserved.h"

namespace isthmus::webdav {
namespace {

constexpr std::string_view kPrefix = "upload.";
constexpr uint64_t kMostLength = uint64_t{1} << 62;

void remove_file(Files& files, const Upload& upload) {
  auto found = files.find(upload.names, false);
  if (found && found->parent() != NodeId::none) (void)files.call(op::Unlink{{}, found->parent(), upload.temporary});
}

Answer& tell_state(Answer& answer, uint64_t offset, const Upload& upload) {
  return answer.field("Upload-Offset", std::to_string(offset))
      .field("Upload-Complete", "?0")
      .field("Upload-Length", std::to_string(upload.length))
      .field("Cache-Control", "no-store");
}

/// A PUT that tells how long the content will be and brings none of it.
class Begin final : public Method {
 public:
  explicit Begin(Exchange& x) : x_(x) {}
  std::optional<Answer> begin() override {
    if (x_.site.read_only) return plain_answer(403, "the file system is read-only");
    if (!x_.names_ok) return plain_answer(403, "no file can have such a name");
    if (x_.names.empty() || x_.trailing_slash) return plain_answer(405, "a collection has no content");
    const auto length = parse_number(x_.request.field("Upload-Length"), kMostLength);
    if (!length || x_.request.has_body()) return plain_answer(400, "an upload begins with its Upload-Length alone");
    for (const auto& old : x_.site.uploads.take_older(Uploads::kLife)) remove_file(x_.files, *old);

    auto found = x_.files.find(x_.names);
    if (!found) {
      const int status = status_of(found.error());
      return plain_answer(status == 404 ? 409 : status, text_of(found.error()));
    }
    if (auto refused = refused_content(x_, *found)) return refused;
    std::optional<Replacement> made;
    if (auto refused = begin_content(x_, *found, *length, false, made)) return refused;
    auto upload = std::make_shared<Upload>();
    upload->names = x_.names;
    upload->length = *length;
    upload->temporary = made->leave();
    const std::string token = x_.site.uploads.add(upload);
    if (token.empty()) {
      remove_file(x_.files, *upload);
      return plain_answer(503, "too many uploads are not complete");
    }
    Answer answer(201);
    answer.field("Location", fmt::format("{}?{}={}{}", x_.href({}, true), kReservedKey, kPrefix, token));
    return std::move(tell_state(answer, 0, *upload));
  }
  std::optional<Answer> body(Bytes) override { return std::nullopt; }
  Answer end() override { return Answer(500); }  // not reached: begin() has answered

 private:
  Exchange& x_;
};

/// A PATCH that brings more, and perhaps the rest.
class Append final : public Method {
 public:
  Append(Exchange& x, std::shared_ptr<Upload> upload, std::string_view token)
      : x_(x), upload_(std::move(upload)), token_(token) {}
  ~Append() override {
    // What has come stays, until the rest comes.
    if (replacement_) (void)replacement_->leave();
  }

  std::optional<Answer> begin() override {
    if (!http::same_token(x_.request.field("Content-Type"), "application/partial-upload"))
      return plain_answer(415, "a part of an upload is application/partial-upload");
    const auto offset = parse_number(x_.request.field("Upload-Offset"), kMostLength);
    const std::string_view complete = x_.request.field("Upload-Complete");
    if (!offset || (complete != "?0" && complete != "?1"))
      return plain_answer(400, "Upload-Offset and Upload-Complete are wanted");
    complete_ = complete == "?1";
    x_.names = upload_->names;
    auto found = x_.files.find(x_.names);
    if (!found) return gone();
    found_ = std::move(*found);
    if (auto refused = refused_content(x_, found_)) return refused;
    {
      std::lock_guard lock(upload_->m);
      transfer_ = ++upload_->transfer;
      upload_->used = Upload::Clock::now();
      at_ = upload_->offset;
    }
    if (at_ != *offset) return mismatch();
    const uint64_t size = x_.request.content_length.value_or(0);
    if (size > upload_->length - at_) return too_long();
    if (complete_ && !x_.request.chunked && at_ + size != upload_->length) return too_short();
    replacement_.emplace(x_, found_);
    if (Status ready = replacement_->resume(upload_->temporary); !ready) {
      if (ready.error() == err(ENOENT)) return gone();
      return plain_answer(status_of(ready.error()), text_of(ready.error()));
    }
    return std::nullopt;
  }

  std::optional<Answer> body(Bytes part) override {
    std::lock_guard lock(upload_->m);
    if (upload_->transfer != transfer_) {
      Answer answer = plain_answer(409, "another transfer has taken over");
      answer.close = true;
      return answer;
    }
    if (part.size() > upload_->length - at_) return too_long();
    if (Status written = x_.files.write_all(replacement_->file(), at_, part); !written)
      return plain_answer(status_of(written.error()), text_of(written.error()));
    at_ += part.size();
    upload_->offset = at_;
    upload_->used = Upload::Clock::now();
    return std::nullopt;
  }

  Answer end() override {
    if (!complete_) {
      Answer answer(204);
      return std::move(tell_state(answer, at_, *upload_));
    }
    {
      std::lock_guard lock(upload_->m);
      if (upload_->transfer != transfer_) return mismatch();
      if (at_ != upload_->length) return too_short();
    }
    // Of two that complete it at once one finds the upload.
    if (x_.site.uploads.find(token_) != upload_) return plain_answer(404, "no such upload");
    Answer answer = finish_content(x_, *replacement_);
    const std::string left = replacement_->leave();
    if (left.empty()) x_.site.uploads.remove(token_);
    if (answer.status < 300) answer.field("Upload-Complete", "?1");
    return answer;
  }

 private:
  Answer mismatch() {
    Answer answer = plain_answer(409, "the upload has another length");
    return std::move(tell_state(answer, at_, *upload_));
  }
  Answer too_long() { return plain_answer(400, "more than Upload-Length"); }
  Answer too_short() { return plain_answer(400, "less than Upload-Length"); }
  Answer gone() {
    x_.site.uploads.remove(token_);
    return plain_answer(404, "the upload is gone");
  }

  Exchange& x_;
  const std::shared_ptr<Upload> upload_;
  const std::string token_;
  Found found_;
  std::optional<Replacement> replacement_;
  uint64_t at_ = 0, transfer_ = 0;
  bool complete_ = false;
};

Answer head_upload(Upload& upload) {
  std::lock_guard lock(upload.m);
  ++upload.transfer;
  upload.used = Upload::Clock::now();
  Answer answer(204);
  return std::move(tell_state(answer, upload.offset, upload));
}

Answer cancel_upload(Exchange& x, Upload& upload, std::string_view token) {
  {
    std::lock_guard lock(upload.m);
    ++upload.transfer;
  }
  x.site.uploads.remove(token);
  remove_file(x.files, upload);
  return Answer(204);
}

}  // namespace

std::string Uploads::add(std::shared_ptr<Upload> upload) {
  std::lock_guard lock(m_);
  if (all_.size() >= kMost) return {};
  std::string token = random_secret();
  all_.emplace(token, std::move(upload));
  return token;
}

std::shared_ptr<Upload> Uploads::find(std::string_view token) {
  std::lock_guard lock(m_);
  auto it = all_.find(token);
  return it == all_.end() ? nullptr : it->second;
}

void Uploads::remove(std::string_view token) {
  std::lock_guard lock(m_);
  if (auto it = all_.find(token); it != all_.end()) all_.erase(it);
}

std::vector<std::shared_ptr<Upload>> Uploads::take_older(std::chrono::seconds than) {
  std::vector<std::shared_ptr<Upload>> old;
  std::lock_guard lock(m_);
  for (auto it = all_.begin(); it != all_.end();) {
    // One whose mutex is held is being written just now.
    std::unique_lock one(it->second->m, std::try_to_lock);
    if (!one || Upload::Clock::now() - it->second->used < than) {
      ++it;
      continue;
    }
    ++it->second->transfer;
    one.unlock();
    old.push_back(std::move(it->second));
    it = all_.erase(it);
  }
  return old;
}

bool begins_upload(const http::Request& request) { return request.field("Upload-Complete") == "?0"; }

std::unique_ptr<Method> make_upload_begin(Exchange& x) { return std::make_unique<Begin>(x); }

std::unique_ptr<Method> make_upload_method(Exchange& x, std::string_view value) {
  if (!value.starts_with(kPrefix) || !x.names.empty()) return nullptr;
  const std::string_view token = value.substr(kPrefix.size());
  auto upload = x.site.uploads.find(token);
  if (!upload) return std::make_unique<Refusal>(plain_answer(404, "no such upload"));
  if (x.request.method == "PATCH") return std::make_unique<Append>(x, std::move(upload), token);
  if (x.only_head) return std::make_unique<Refusal>(head_upload(*upload));
  if (x.request.method == "DELETE") return std::make_unique<Refusal>(cancel_upload(x, *upload, token));
  return std::make_unique<Refusal>(plain_answer(405, "an upload has HEAD, PATCH and DELETE"));
}

void remove_uploads(Site& site) {
  Files files(site.port, own_context(site));
  for (const auto& upload : site.uploads.take_older(std::chrono::seconds{0})) remove_file(files, *upload);
}

}  // namespace isthmus::webdav
