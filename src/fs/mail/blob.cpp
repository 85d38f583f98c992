#include "fs/mail/blob.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/pread_all.h"
#include "base/unlinked_file.h"

namespace isthmus::fs::mail {
namespace {

Status write_behind(Spool& spool, std::string_view bytes) {
  if (Status done = pwrite_all(spool.fd.get(), as_bytes(bytes), spool.end); !done) return done;
  spool.end += bytes.size();
  return Unit{};
}

}  // namespace

std::shared_ptr<const Blob> Blob::of(std::string text) {
  auto made = std::make_shared<Blob>();
  made->size_ = text.size();
  made->text_ = std::move(text);
  return made;
}

std::shared_ptr<const Blob> Blob::of(Fd fd, uint64_t offset, uint64_t size) {
  auto made = std::make_shared<Blob>();
  made->fd_ = std::make_shared<const Fd>(std::move(fd));
  made->offset_ = offset;
  made->size_ = size;
  return made;
}

Buffer Blob::read(uint64_t offset, size_t size) const {
  if (offset >= size_) return {};
  size = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  if (fd_) return Buffer::file(fd_->get(), offset_ + offset, size, shared_from_this());
  return Buffer::keep(shared_from_this(), as_bytes(std::string_view(text_).substr(offset, size)));
}

Result<size_t> Blob::copy(uint64_t offset, MutableBytes to) const {
  if (offset >= size_) return size_t{0};
  to = to.first(static_cast<size_t>(std::min<uint64_t>(to.size(), size_ - offset)));
  if (!fd_) {
    std::memcpy(to.data(), text_.data() + offset, to.size());
    return to.size();
  }
  return pread_all(fd_->get(), to, offset_ + offset);
}

Result<std::string> Blob::text() const {
  std::string all(size_, '\0');
  auto got = copy(0, std::as_writable_bytes(std::span(all)));
  if (!got) return got.error();
  all.resize(*got);
  return all;
}

Status BlobWriter::spill() {
  if (!spool_) spool_ = std::make_shared<Spool>();
  if (!spool_->fd) {
    auto made = unlinked_file();
    if (!made) return made.error();
    spool_->fd = std::move(*made);
  }
  begin_ = spool_->end;
  spilled_ = true;
  if (auto done = write_behind(*spool_, text_); !done) return done;
  text_ = {};
  return Unit{};
}

Status BlobWriter::append(std::string_view bytes) {
  if (!spilled_ && text_.size() + bytes.size() > in_memory_)
    if (auto done = spill(); !done) return done;
  if (spilled_) {
    if (auto done = write_behind(*spool_, bytes); !done) return done;
  } else {
    text_ += bytes;
  }
  size_ += bytes.size();
  return Unit{};
}

Result<std::shared_ptr<const Blob>> BlobWriter::finish() {
  const uint64_t size = std::exchange(size_, 0);
  if (!spilled_) {
    text_.shrink_to_fit();
    return Blob::of(std::move(text_));
  }
  auto made = std::make_shared<Blob>();
  made->fd_ = std::shared_ptr<const Fd>(spool_, &spool_->fd);
  made->offset_ = begin_;
  made->size_ = size;
  spool_.reset();
  spilled_ = false;
  return std::shared_ptr<const Blob>(std::move(made));
}

}  // namespace isthmus::fs::mail
