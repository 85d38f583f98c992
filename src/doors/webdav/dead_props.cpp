#include "doors/webdav/dead_props.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/dav/proppatch.h"

namespace isthmus::webdav {
namespace {

constexpr char kVersion = 1;

void put(std::string& out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift);
  out += text;
}

bool get(std::string_view& in, std::string& text) {
  if (in.size() < 4) return false;
  uint32_t size = 0;
  for (unsigned i = 0; i < 4; ++i) size |= uint32_t{static_cast<unsigned char>(in[i])} << (8 * i);
  in.remove_prefix(4);
  if (size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

bool has_no_xattrs(Errno e) { return e == err(ENOTSUP) || e == err(ENOSYS) || e == err(EPERM); }

}  // namespace

std::string DeadProps::encode(const std::vector<DeadProp>& props) {
  std::string out(1, kVersion);
  for (const DeadProp& p : props)
    for (const std::string* part : {&p.name.ns, &p.name.local, &p.value, &p.lang}) put(out, *part);
  return out;
}

std::vector<DeadProp> DeadProps::decode(std::string_view text) {
  std::vector<DeadProp> props;
  if (text.empty() || text[0] != kVersion) return props;
  text.remove_prefix(1);
  while (!text.empty()) {
    DeadProp p;
    for (std::string* part : {&p.name.ns, &p.name.local, &p.value, &p.lang})
      if (!get(text, *part)) return props;
    // Others may write the attribute, too: what is no property would spoil a whole listing.
    if (dav::is_property(p.name, p.value)) props.push_back(std::move(p));
  }
  return props;
}

std::string DeadProps::key(Files& files, NodeId node) {
  auto handle = files.call(op::NodeToExport{{}, node});
  return handle ? std::string(as_text(handle->view())) : std::string();
}

Result<std::vector<DeadProp>> DeadProps::load(Files& files, NodeId node) {
  auto value = files.call(op::GetXattr{{}, node, kXattr});
  if (value) return decode(*value);
  if (value.error() == err(ENODATA)) return std::vector<DeadProp>{};
  if (!has_no_xattrs(value.error())) return value.error();
  {
    std::lock_guard lock(m_);
    if (memory_.empty()) return std::vector<DeadProp>{};
  }
  const std::string k = key(files, node);
  std::lock_guard lock(m_);
  auto it = memory_.find(k);
  return it == memory_.end() ? std::vector<DeadProp>{} : decode(it->second);
}

Result<std::vector<DeadProp>> DeadProps::load(Files& files, NodeId node, const Attr& attr) {
  constexpr int64_t kStep = 2;  // seconds between two times that a clock tells, at most (FAT)
  const Without now_without{attr.ino, attr.ctime};
  uint64_t stores = 0;
  {
    std::lock_guard lock(m_);
    if (auto it = without_.find(node); it != without_.end() && it->second == now_without)
      return std::vector<DeadProp>{};
    stores = stores_;
  }
  auto props = load(files, node);
  if (!props || !props->empty() || now().sec - attr.ctime.sec <= kStep) return props;
  std::lock_guard lock(m_);
  if (stores != stores_) return props;
  if (without_.size() >= kMostWithout) without_.clear();
  without_.insert_or_assign(node, now_without);
  return props;
}

Status DeadProps::store(Files& files, NodeId node, const std::vector<DeadProp>& props) {
  // Not every file system sets ctime then.
  struct Forget {
    DeadProps& props;
    ~Forget() {
      std::lock_guard lock(props.m_);
      ++props.stores_;
      props.without_.clear();
    }
  } forget{*this};
  const std::string text = encode(props);
  Status done = props.empty() ? files.call(op::RemoveXattr{{}, node, kXattr})
                              : files.call(op::SetXattr{{}, node, kXattr, as_bytes(text)});
  if (props.empty() && !done && done.error() == err(ENODATA)) return Unit{};
  // Values beyond what an attribute holds are the client's to make smaller.
  if (!done && (done.error() == err(E2BIG) || done.error() == err(ERANGE))) return err(ENOSPC);
  if (done || !has_no_xattrs(done.error())) return done;

  const std::string k = key(files, node);
  if (k.empty()) return done;
  std::lock_guard lock(m_);
  if (memory_.empty()) {
    log(LogLevel::warning,
        "the file system has no extended attributes: properties that WebDAV clients set are kept in memory "
        "and end with the server");
  }
  auto [it, added] = memory_.try_emplace(k);
  const size_t before = added ? 0 : it->second.size() + k.size(), after = props.empty() ? 0 : text.size() + k.size();
  if (memory_size_ - before + after > kMostMemory) {
    if (added) memory_.erase(it);
    return err(ENOSPC);
  }
  memory_size_ = memory_size_ - before + after;
  if (props.empty())
    memory_.erase(it);
  else
    it->second = text;
  return Unit{};
}

Status DeadProps::copy(Files& files, NodeId from, NodeId to) {
  auto props = load(files, from);
  if (!props) return props.error();
  if (props->empty()) return Unit{};
  Status done = store(files, to, *props);
  if (!done) log(LogLevel::warning, "properties of a copied file were not kept: {}", text_of(done.error()));
  return done;
}

}  // namespace isthmus::webdav
