#include "doors/common/door_metrics.h"

#include <algorithm>
#include <ctime>

namespace isthmus {
namespace {

void add(std::atomic<uint64_t>& to, uint64_t n) { to.fetch_add(n, std::memory_order_relaxed); }
uint64_t read(const std::atomic<uint64_t>& from) { return from.load(std::memory_order_relaxed); }

}  // namespace

DoorMetrics::DoorMetrics(std::span<const std::string_view> names) : kinds_(names.size() + 1) {
  for (size_t i = 0; i < names.size(); i++) kinds_[i].name = names[i];
  kinds_.back().name = "other";
}

void DoorMetrics::request(std::string_view kind, std::chrono::nanoseconds took, bool failed) {
  auto known = std::find_if(kinds_.begin(), kinds_.end() - 1, [kind](const Kind& k) { return k.name == kind; });
  add(known->requests, 1);
  if (failed) add(known->failed, 1);
  const double seconds = std::chrono::duration<double>(took).count();
  auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  add(histogram_[static_cast<size_t>(bound - kBounds.begin())], 1);
  add(nanoseconds_, static_cast<uint64_t>(std::max<int64_t>(took.count(), 0)));
}

void DoorMetrics::transferred(uint64_t in, uint64_t out) {
  if (in) add(in_, in);
  if (out) add(out_, out);
}

void DoorMetrics::error(std::string what) {
  what.resize(std::min(what.size(), kKeptText));
  std::lock_guard lock(m_);
  errors_.push_front({time(nullptr), std::move(what)});
  if (errors_.size() > kKeptErrors) errors_.pop_back();
}

DoorMetrics::Connected::Connected(DoorMetrics& metrics, std::optional<uint32_t> uid) : metrics_(metrics) {
  std::lock_guard lock(metrics_.m_);
  row_ = metrics_.clients_.emplace(metrics_.clients_.end());
  row_->uid = uid;
  row_->since = time(nullptr);
}

DoorMetrics::Connected::~Connected() {
  std::lock_guard lock(metrics_.m_);
  metrics_.clients_.erase(row_);
}

void DoorMetrics::Connected::request(std::string_view agent) {
  add(row_->requests, 1);
  agent = agent.substr(0, kKeptText);
  if (row_->agent == agent) return;
  std::lock_guard lock(metrics_.m_);
  row_->agent = agent;
}

DoorMetrics::Snapshot DoorMetrics::snapshot() const {
  Snapshot s;
  for (const Kind& kind : kinds_)
    if (uint64_t n = read(kind.requests)) s.kinds.push_back({std::string(kind.name), n, read(kind.failed)});
  for (size_t i = 0; i < histogram_.size(); i++) s.histogram[i] = read(histogram_[i]);
  s.seconds = static_cast<double>(read(nanoseconds_)) / 1e9;
  s.bytes_in = read(in_);
  s.bytes_out = read(out_);
  std::lock_guard lock(m_);
  for (const auto& row : clients_) s.clients.push_back({row.uid, row.agent, row.since, read(row.requests)});
  s.errors.assign(errors_.begin(), errors_.end());
  return s;
}

}  // namespace isthmus
