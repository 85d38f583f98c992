#include "fs/mail/blob.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

namespace isthmus::fs::mail {
namespace {

Status write_behind(Spool& spool, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(spool.fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(spool.end));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_errno();
    spool.end += static_cast<uint64_t>(n);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
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
  size_t got = 0;
  while (got < to.size()) {
    const ssize_t n = ::pread(fd_->get(), to.data() + got, to.size() - got, static_cast<off_t>(offset_ + offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_errno();
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return got;
}

Result<std::string> Blob::text() const {
  std::string all(size_, '\0');
  auto got = copy(0, std::as_writable_bytes(std::span(all)));
  if (!got) return got.error();
  all.resize(*got);
  return all;
}

Result<Fd> nameless_file() {
  const char* named = getenv("TMPDIR");
  for (const char* folder : {named && *named ? named : "/var/tmp", "/var/tmp", "/tmp"}) {
    Fd fd(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600));
    if (fd) return fd;
    std::string path = std::string(folder) + "/isthmus-mail-XXXXXX";
    fd = Fd(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd) continue;
    ::unlink(path.c_str());
    return fd;
  }
  return last_errno();
}

Status BlobWriter::spill() {
  if (!spool_) spool_ = std::make_shared<Spool>();
  if (!spool_->fd) {
    auto made = nameless_file();
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
