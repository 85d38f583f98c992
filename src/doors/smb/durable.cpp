#include "doors/smb/durable.h"

#include <algorithm>

#include "doors/smb/link.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "windows/fold.h"

/// Durable opens: a client that has lost its connection finds what it had open as it was.
namespace isthmus::smb {
namespace {

using smb2::NtStatus;

// As Windows has them (MS-SMB2 appendix A), ms.
constexpr uint32_t kTimeoutV1 = 16 * 60'000, kTimeoutV2 = 60'000, kMostTimeout = 300'000;

/// Only what others' uses would break first can be kept without its client.
bool can_wait(const CacheGrant& g) {
  std::lock_guard lock(g.m);
  if (g.breaking) return false;
  return g.name ? (g.bits & kLeaseHandle) != 0 : g.level == smb2::OplockLevel::batch;
}

std::string user_of(const Session& session) {
  std::lock_guard lock(session.m);
  return session.user;
}

/// As OpenedFile::path has it.
std::string joined(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& n : names) path += (path.empty() ? "" : "/") + n;
  return path;
}

}  // namespace

NtStatus read_durable(const Request& r, const std::vector<smb2::CreateContext>& contexts, DurableWish& wish) {
  const auto* v1 = smb2::find_context(contexts, smb2::kContextDurable);
  const auto* v1_again = smb2::find_context(contexts, smb2::kContextDurableReconnect);
  const bool has_v2 = r.link->agreed.dialect >= smb2::Dialect::smb300;
  const auto* v2 = has_v2 ? smb2::find_context(contexts, smb2::kContextDurableV2) : nullptr;
  const auto* v2_again = has_v2 ? smb2::find_context(contexts, smb2::kContextDurableReconnectV2) : nullptr;
  if ((v2 || v2_again) && ((v2 && v2_again) || v1 || v1_again)) return NtStatus::invalid_parameter;
  if (v1_again) {
    const auto m = smb2::read_data<smb2::DurableReconnect>(v1_again->data);
    if (!m) return NtStatus::invalid_parameter;
    wish.again = m->file_id;
  } else if (v2_again) {
    const auto m = smb2::read_data<smb2::DurableV2Reconnect>(v2_again->data);
    if (!m) return NtStatus::invalid_parameter;
    wish.v2 = true;
    wish.again = m->file_id;
    wish.create_guid = m->create_guid;
  } else if (v2) {
    const auto m = smb2::read_data<smb2::DurableV2Request>(v2->data);
    if (!m) return NtStatus::invalid_parameter;
    wish.wanted = wish.v2 = true;
    wish.create_guid = m->create_guid;
    wish.timeout = m->timeout;
    if (const auto* app = smb2::find_context(contexts, smb2::kContextAppInstanceId)) {
      const auto id = smb2::read_data<smb2::AppInstanceIdRequest>(app->data);
      if (!id) return NtStatus::invalid_parameter;
      wish.app = id->id;
    }
  } else if (v1) {
    if (!smb2::read_data<smb2::DurableRequest>(v1->data)) return NtStatus::invalid_parameter;
    wish.wanted = true;
  }
  return NtStatus::success;
}

void make_room(Request& r, const DurableWish& wish) {
  if (!wish.app) return;
  const smb2::Guid& client = r.link->agreed.asked.client_guid;
  for (const auto& open : r.server.files.with([&](const Open& o) {
         std::lock_guard lock(o.m);
         return o.durable && o.durable->app == wish.app && o.durable->client != client;
       }))
    close_open(r.server, open);
}

void make_durable(const Request& r, Open& open, const DurableWish& wish, std::string& list) {
  if (!wish.wanted || open.file->directory || open.stream || open.reparse || !can_wait(*open.cache)) return;
  const uint32_t asked = std::min(wish.timeout ? wish.timeout : kTimeoutV2, kMostTimeout);
  std::string user = user_of(*r.session);
  std::lock_guard lock(open.m);
  open.durable = Durable{wish.v2,
                         wish.create_guid,
                         r.link->agreed.asked.client_guid,
                         std::move(user),
                         std::chrono::milliseconds(wish.v2 ? asked : kTimeoutV1),
                         wish.app};
  if (wish.v2)
    smb2::append_create_context(list, smb2::kContextDurableV2,
                                as_bytes(smb2::write_data(smb2::DurableV2Response{asked, 0})));
  else
    smb2::append_create_context(list, smb2::kContextDurable, as_bytes(smb2::write_data(smb2::DurableResponse{})));
}

bool DurableOpens::keep(const std::shared_ptr<Open>& open) {
  std::chrono::milliseconds time{};
  {
    std::lock_guard lock(open->m);
    if (!open->durable) return false;
    time = open->durable->timeout;
  }
  if (!can_wait(*open->cache)) return false;
  end_waiting(server_, *open);
  detach(*open);
  {
    std::lock_guard lock(m_);
    if (stopping_ || kept_.size() >= kMost || open->closed) return false;
    kept_[open->id.persistent] = {open, Clock::now() + time};
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    changed_.notify_one();
  }
  if (can_wait(*open->cache)) return true;
  forget(*open);  // a break has come in between
  return false;
}

void DurableOpens::give_up(const Open& open) {
  std::lock_guard lock(m_);
  const auto it = kept_.find(open.id.persistent);
  if (it == kept_.end()) return;
  it->second.until = Clock::time_point::min();
  changed_.notify_one();
}

NtStatus DurableOpens::take_kept(Request& r, const DurableWish& wish, const CacheWish& cache,
                                 const std::vector<std::string>& path, std::shared_ptr<Open>& open) {
  const std::string user = user_of(*r.session);
  std::lock_guard lock(m_);
  const auto it = kept_.find(wish.again->persistent);
  if (it == kept_.end() || it->second.until <= Clock::now()) return NtStatus::object_name_not_found;
  const auto& found = it->second.open;
  Durable d;
  {
    std::lock_guard also(found->m);
    d = *found->durable;
  }
  const smb2::Guid& client = r.link->agreed.asked.client_guid;
  if ((wish.v2 && d.create_guid != wish.create_guid) || d.user != user) return NtStatus::object_name_not_found;
  const auto& lease = found->cache->name;
  if (lease.has_value() != cache.lease.has_value()) return NtStatus::object_name_not_found;
  if (lease) {
    if (lease->first != client || lease->second != cache.lease->key) return NtStatus::object_name_not_found;
    std::lock_guard also(found->file->m);
    if (!windows::same_but_case(found->file->path, joined(path))) return NtStatus::invalid_parameter;
  }
  open = found;
  kept_.erase(it);
  attach(*open, r);
  return NtStatus::success;
}

NtStatus DurableOpens::take(Request& r, const DurableWish& wish, const CacheWish& cache,
                            const std::vector<std::string>& path, std::shared_ptr<Open>& open) {
  constexpr int kTries = 100;
  for (int i = 0;; i++) {
    const NtStatus s = take_kept(r, wish, cache, path, open);
    if (s != NtStatus::object_name_not_found || i == kTries) return s;
    const auto still = server_.files.with([&](const Open& o) {
      if (o.id.persistent != wish.again->persistent || o.session_id == r.session->id || o.closed) return false;
      std::lock_guard lock(o.m);
      return o.durable && (!wish.v2 || o.durable->create_guid == wish.create_guid);
    });
    if (still.empty() || r.cancel->requested()) return s;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void DurableOpens::forget(const Open& open) {
  std::shared_ptr<Open> last;
  std::lock_guard lock(m_);
  const auto it = kept_.find(open.id.persistent);
  if (it == kept_.end()) return;
  last = std::move(it->second.open);
  kept_.erase(it);
}

void DurableOpens::stop() {
  {
    std::lock_guard lock(m_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void DurableOpens::run() {
  std::unique_lock lock(m_);
  while (!stopping_ || !kept_.empty()) {
    const auto next = std::min_element(kept_.begin(), kept_.end(),
                                       [](const auto& a, const auto& b) { return a.second.until < b.second.until; });
    if (next == kept_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (!stopping_ && next->second.until > Clock::now()) {
      const auto until = next->second.until;  // which may be gone when the wait is over
      changed_.wait_until(lock, until);
      continue;
    }
    const auto open = std::move(next->second.open);
    kept_.erase(next);
    lock.unlock();
    close_open(server_, open);
    lock.lock();
  }
}

}  // namespace isthmus::smb
