#include "wire/fuse/reply.h"

#include <cerrno>
#include <cstring>
#include <limits>

namespace isthmus::wire::fuse {

OutHeader make_error(uint64_t unique, Errno e) {
  int number = static_cast<int>(e);
  if (number < 1 || number > 511) number = EIO;
  return {sizeof(OutHeader), -number, unique};
}

bool valid_out_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMaxOld && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Added DirentWriter::append(const void* record, size_t record_size, std::string_view name) {
  if (!valid_out_name(name)) return Added::BadName;
  const size_t used = record_size + name.size();
  const size_t whole = padded(used);
  if (whole > out_.size() - used_) return Added::Full;
  std::byte* at = out_.data() + used_;
  std::memcpy(at, record, record_size);
  std::memcpy(at + record_size, name.data(), name.size());
  std::memset(at + used, 0, whole - used);
  used_ += whole;
  return Added::Yes;
}

Added DirentWriter::add(uint64_t ino, uint64_t next, uint32_t type, std::string_view name) {
  const Dirent record{ino, next, static_cast<uint32_t>(name.size()), type};
  return append(&record, sizeof(record), name);
}

Added DirentWriter::add_plus(const EntryOut& entry, uint64_t ino, uint64_t next, uint32_t type, std::string_view name) {
  const Direntplus record{entry, {ino, next, static_cast<uint32_t>(name.size()), type}};
  return append(&record, sizeof(record), name);
}

namespace {

using Room = std::span<std::byte>;

// Header, struct, then `tail` (already part of the message) and `extra` bytes that the caller sends himself.
Result<size_t> write_message(Room out, NotifyCode code, const void* body, size_t body_size, std::string_view tail,
                             size_t extra = 0) {
  const size_t size = sizeof(OutHeader) + body_size + tail.size();
  if (size > out.size()) return err(ENOBUFS);
  if (extra > std::numeric_limits<uint32_t>::max() - size) return err(EINVAL);
  const OutHeader header{static_cast<uint32_t>(size + extra), static_cast<int32_t>(code), 0};
  std::memcpy(out.data(), &header, sizeof(header));
  if (body_size != 0) std::memcpy(out.data() + sizeof(header), body, body_size);
  if (!tail.empty()) std::memcpy(out.data() + sizeof(header) + body_size, tail.data(), tail.size());
  return size;
}

// The name goes with a NUL that namelen does not count; the view may not have one behind it.
template <class T>
Result<size_t> write_named(Room out, NotifyCode code, const T& body, std::string_view name) {
  if (!valid_out_name(name)) return err(EINVAL);
  const size_t size = sizeof(OutHeader) + sizeof(T) + name.size() + 1;
  if (size > out.size()) return err(ENOBUFS);
  const OutHeader header{static_cast<uint32_t>(size), static_cast<int32_t>(code), 0};
  std::memcpy(out.data(), &header, sizeof(header));
  std::memcpy(out.data() + sizeof(header), &body, sizeof(T));
  std::memcpy(out.data() + sizeof(header) + sizeof(T), name.data(), name.size());
  out[size - 1] = std::byte{0};
  return size;
}

}  // namespace

Result<size_t> write_notify_poll(Room out, uint64_t kh) {
  const NotifyPollWakeupOut body{kh};
  return write_message(out, NotifyCode::Poll, &body, sizeof(body), {});
}

Result<size_t> write_notify_inval_inode(Room out, uint64_t node, int64_t offset, int64_t length) {
  const NotifyInvalInodeOut body{node, offset, length};
  return write_message(out, NotifyCode::InvalInode, &body, sizeof(body), {});
}

Result<size_t> write_notify_inval_entry(Room out, uint64_t parent, std::string_view name, uint32_t flags) {
  const NotifyInvalEntryOut body{parent, static_cast<uint32_t>(name.size()), flags};
  return write_named(out, NotifyCode::InvalEntry, body, name);
}

Result<size_t> write_notify_delete(Room out, uint64_t parent, uint64_t child, std::string_view name) {
  const NotifyDeleteOut body{parent, child, static_cast<uint32_t>(name.size()), 0};
  return write_named(out, NotifyCode::Delete, body, name);
}

Result<size_t> write_notify_store(Room out, uint64_t node, uint64_t offset, uint32_t size) {
  const NotifyStoreOut body{node, offset, size, 0};
  return write_message(out, NotifyCode::Store, &body, sizeof(body), {}, size);
}

Result<size_t> write_notify_retrieve(Room out, uint64_t notify_unique, uint64_t node, uint64_t offset, uint32_t size) {
  const NotifyRetrieveOut body{notify_unique, node, offset, size, 0};
  return write_message(out, NotifyCode::Retrieve, &body, sizeof(body), {});
}

Result<size_t> write_notify_resend(Room out) { return write_message(out, NotifyCode::Resend, nullptr, 0, {}); }

Result<size_t> write_notify_inc_epoch(Room out) { return write_message(out, NotifyCode::IncEpoch, nullptr, 0, {}); }

Result<size_t> write_notify_prune(Room out, std::span<const uint64_t> nodes) {
  if (nodes.size() > (std::numeric_limits<uint32_t>::max() - prune_size(0)) / sizeof(uint64_t)) return err(EINVAL);
  const NotifyPruneOut body{static_cast<uint32_t>(nodes.size()), 0, 0};
  const std::string_view tail{reinterpret_cast<const char*>(nodes.data()), nodes.size_bytes()};
  return write_message(out, NotifyCode::Prune, &body, sizeof(body), tail);
}

}  // namespace isthmus::wire::fuse
