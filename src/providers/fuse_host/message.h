#pragma once
#include <sys/uio.h>

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "providers/fuse_host/connection.h"

namespace isthmus::fuse_host {

/// As sendmsg(2) takes it. A short one is copied, and lends nothing.
class Connection::Message {
 public:
  Message(wire::fuse::InHeader header, std::span<const Bytes> parts) : header_(header) {
    for (Bytes p : parts) length_ += p.size();
    header_.len = static_cast<uint32_t>(length_);
    add(&header_, sizeof header_);
    for (Bytes p : parts) add(p.data(), p.size());
    if (!lends()) iov_[0] = {copy_.data(), length_};
    count_ = lends() ? count_ : 1;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const wire::fuse::InHeader& header() const { return header_; }
  size_t length() const { return length_; }
  bool lends() const { return length_ > kCopied; }
  std::span<const iovec> parts() const { return std::span(iov_).first(count_); }
  std::vector<std::byte> whole() const {
    std::vector<std::byte> all;
    all.reserve(length_);
    for (auto& part : parts()) {
      auto* from = static_cast<const std::byte*>(part.iov_base);
      all.insert(all.end(), from, from + part.iov_len);
    }
    return all;
  }

 private:
  static constexpr size_t kCopied = 2048;  // names and structs, and no data

  void add(const void* from, size_t size) {
    if (lends())
      iov_[count_++] = {const_cast<void*>(from), size};
    else if (size > 0)
      memcpy(copy_.data() + have_, from, size);
    have_ += size;
  }

  wire::fuse::InHeader header_;
  size_t length_ = sizeof(wire::fuse::InHeader), have_ = 0, count_ = 0;
  std::array<iovec, kMostParts + 1> iov_;  // count_ of them
  std::array<std::byte, kCopied> copy_;    // length_ of them, if it lends nothing
};

}  // namespace isthmus::fuse_host
