#include "doors/userfs/news.h"

namespace isthmus::userfs {

using wire::userfs::NewsItem;

namespace {

constexpr size_t kItemBytes = 36;  // without its name

}  // namespace

NewsItem News::item(Kind kind, uint32_t handle) {
  NewsItem i;
  i.code = static_cast<uint32_t>(kind);
  i.handle = handle;
  return i;
}

bool News::asked(uint32_t sequence, uint32_t most) {
  std::vector<std::function<void()>> done;
  {
    std::lock_guard lock(m_);
    if (sequence_ != 0) return false;
    listens_ = true;
    sequence_ = sequence;
    most_ = most;
    std::erase_if(heard_, [&](Heard& h) {
      if (h.at > sent_) return false;
      done.push_back(std::move(h.done));
      return true;
    });
  }
  for (auto& f : done) f();
  send_some();
  return true;
}

uint32_t News::close() {
  std::vector<Heard> heard;
  uint32_t sequence = 0;
  {
    std::lock_guard lock(m_);
    closed_ = true;
    queue_.clear();
    heard.swap(heard_);
    sequence = std::exchange(sequence_, 0);
  }
  for (auto& h : heard) h.done();
  return sequence;
}

void News::add(NewsItem i, std::string_view name) {
  {
    std::lock_guard lock(m_);
    if (closed_ || !listens_) return;
    if (queue_.size() >= kMostKept) {
      queue_.clear();
      lost_ = true;
    }
    queue_.push_back({i, std::string(name)});
    added_++;
  }
  send_some();
}

void News::send_some() {
  std::vector<Item> items;
  uint32_t sequence = 0;
  {
    std::lock_guard lock(m_);
    if (sequence_ == 0 || queue_.empty()) return;
    if (std::exchange(lost_, false)) {
      queue_.push_front({item(Kind::all_names, 0), {}});
      for (uint32_t handle : nodes_.all()) queue_.push_front({item(Kind::data, handle), {}});
    }
    size_t bytes = 4;
    while (!queue_.empty() && (items.empty() || bytes + kItemBytes + queue_.front().name.size() <= most_)) {
      bytes += kItemBytes + queue_.front().name.size();
      items.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    if (queue_.empty()) sent_ = added_;
    sequence = std::exchange(sequence_, 0);
  }
  wire::userfs::NewsReply reply;
  for (auto& i : items) {
    i.item.name = i.name;
    reply.items.push_back(i.item);
  }
  send_(sequence, reply);
}

void News::invalidate_node(NodeId node, uint64_t offset, uint64_t length) {
  const uint32_t handle = nodes_.number_of(node);
  if (handle == 0) return;
  NewsItem i = item(Kind::data, handle);
  i.offset = offset;
  i.length = length;
  add(i);
}

void News::invalidate_attr(NodeId node) {
  if (const uint32_t handle = nodes_.number_of(node)) add(item(Kind::attr, handle));
}

void News::invalidate_entry(NodeId dir, std::string_view name) {
  if (const uint32_t handle = nodes_.number_of(dir)) add(item(Kind::name, handle), name);
}

void News::invalidate_all_names() { add(item(Kind::all_names, 0)); }

void News::deleted(NodeId dir, NodeId child, std::string_view name) {
  const uint32_t handle = nodes_.number_of(dir);
  if (handle == 0) return;
  NewsItem i = item(Kind::deleted, handle);
  i.other = nodes_.number_of(child);
  add(i, name);
}

void News::when_heard(std::function<void()> done) {
  {
    std::lock_guard lock(m_);
    // All has been sent, and the peer's next request says that it has acted on it.
    if (!closed_ && listens_ && (sent_ != added_ || sequence_ == 0)) {
      heard_.push_back({added_, std::move(done)});
      return;
    }
  }
  done();
}

void News::poll_ready(NodeId node, HandleId handle, uint32_t events) {
  NewsItem i = item(Kind::ready, nodes_.number_of(node));
  i.other = opens_.number_of(node, handle);
  i.bits = events;
  if (i.handle != 0) add(i);
}

void News::changed(NodeId dir, std::string_view name, uint32_t what) {
  const uint32_t handle = nodes_.number_of(dir);
  if (handle == 0) return;
  NewsItem i = item(Kind::changed, handle);
  i.bits = what;
  add(i, name);
}

void News::break_lease(NodeId node, HandleId handle, uint8_t bits) {
  NewsItem i = item(Kind::lease, nodes_.number_of(node));
  i.other = opens_.number_of(node, handle);
  i.bits = bits;
  if (i.handle != 0) add(i);
}

}  // namespace isthmus::userfs
