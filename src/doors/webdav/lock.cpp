#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "doors/webdav/errors.h"
#include "doors/webdav/exchange.h"
#include "wire/dav/headers.h"
#include "wire/dav/lockinfo.h"
#include "wire/dav/multistatus.h"

namespace isthmus::webdav {
namespace {

Answer lock_answer(Exchange& x, int status, const LockTable::Lock& lock) {
  Answer answer(status);
  const dav::ActiveLock active{lock.exclusive,
                               lock.infinite,
                               lock.owner,
                               lock.token,
                               x.href_of_path(lock.path),
                               lock.left(LockTable::Clock::now())};
  dav::lock_body(answer.xml().body, std::span(&active, 1));
  return answer;
}

/// A LOCK without a body makes a lock last longer, whose token is in If.
Answer refresh(Exchange& x, uint32_t seconds) {
  auto lists = dav::parse_if(x.request.field("If"));
  if (!lists) return plain_answer(x.request.has("If") ? 400 : 412, "a refresh names its lock in If");
  for (std::string_view token : dav::submitted_tokens(*lists))
    if (auto lock = x.site.locks.refresh(path_text(x.names), token, seconds)) return lock_answer(x, 200, *lock);
  return plain_answer(412, "no such lock is here");
}

}  // namespace

Answer lock(Exchange& x, std::string_view body) {
  const uint32_t seconds =
      dav::parse_timeout(x.request.has("Timeout") ? std::optional(x.request.field("Timeout")) : std::nullopt)
          .value_or(0);
  if (body.empty()) return refresh(x, seconds);
  auto parsed = dav::parse_lockinfo(body);
  if (const auto* error = std::get_if<dav::XmlError>(&parsed))
    return plain_answer(error->too_big ? 413 : 400, error->what);
  auto& info = std::get<dav::LockInfo>(parsed);
  const dav::Depth depth =
      dav::parse_depth(x.request.has("Depth") ? std::optional(x.request.field("Depth")) : std::nullopt);
  if (depth == dav::Depth::one || depth == dav::Depth::bad) return plain_answer(400, "Depth is 0 or infinity");

  auto found = x.files.find(x.names);
  if (!found) {
    const int status = status_of(found.error());
    return plain_answer(status == 404 ? 409 : status, text_of(found.error()));
  }
  if (auto refused = x.preconditions(*found)) return std::move(*refused);
  if (!found->exists())
    if (auto refused = x.locked(x.names, Exchange::kMember)) return std::move(*refused);

  std::vector<std::string> in_the_way;
  auto got = x.site.locks.lock(path_text(x.names), info.exclusive, depth != dav::Depth::zero, std::move(info.owner),
                               seconds, &in_the_way);
  if (const auto* refused = std::get_if<LockTable::Refused>(&got)) {
    if (*refused == LockTable::Refused::too_many) return plain_answer(503, "too many locks");
    for (std::string& path : in_the_way) path = x.href_of_path(path);
    Answer answer(423);
    dav::error_body(answer.xml().body, "no-conflicting-lock", in_the_way);
    return answer;
  }
  const auto& lock = std::get<LockTable::Lock>(got);
  const bool made = !found->exists();
  if (made) {
    // A lock on a name that is free makes an empty file there.
    auto file =
        x.files.call(op::Create{{}, found->parent(), found->name(), S_IFREG | 0666, O_WRONLY | O_CREAT | O_EXCL});
    if (!file) {
      x.site.locks.unlock(lock.path, lock.token);
      return plain_answer(status_of(file.error()), text_of(file.error()));
    }
    (void)OpenFile(x.files, file->entry.node, file->opened, false).close();
    x.files.forget(file->entry.node);
  }
  Answer answer = lock_answer(x, made ? 201 : 200, lock);
  answer.field("Lock-Token", fmt::format("<{}>", lock.token));
  return answer;
}

Answer unlock(Exchange& x, std::string_view) {
  auto token = dav::parse_lock_token(x.request.field("Lock-Token"));
  if (!token) return plain_answer(400, "Lock-Token is missing or malformed");
  if (x.site.locks.unlock(path_text(x.names), *token)) return Answer(204);
  Answer answer(409);
  dav::error_body(answer.xml().body, "lock-token-matches-request-uri");
  return answer;
}

}  // namespace isthmus::webdav
