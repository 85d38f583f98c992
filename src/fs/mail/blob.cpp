#include "fs/mail/blob.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

namespace isthmus::fs::mail {
namespace {

constexpr size_t kInMemory = size_t{256} << 10;

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_errno();
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
  made->fd_ = std::move(fd);
  made->offset_ = offset;
  made->size_ = size;
  return made;
}

Buffer Blob::read(uint64_t offset, size_t size) const {
  if (offset >= size_) return {};
  size = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  if (fd_) return Buffer::file(fd_.get(), offset_ + offset, size, shared_from_this());
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
    const ssize_t n = ::pread(fd_.get(), to.data() + got, to.size() - got, static_cast<off_t>(offset_ + offset + got));
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
  auto made = nameless_file();
  if (!made) return made.error();
  file_ = std::move(*made);
  if (auto done = write_all(file_.get(), text_); !done) return done;
  text_ = {};
  return Unit{};
}

Status BlobWriter::append(std::string_view bytes) {
  if (!file_ && text_.size() + bytes.size() > kInMemory)
    if (auto done = spill(); !done) return done;
  if (file_) {
    if (auto done = write_all(file_.get(), bytes); !done) return done;
  } else {
    text_ += bytes;
  }
  size_ += bytes.size();
  return Unit{};
}

Result<std::shared_ptr<const Blob>> BlobWriter::finish() {
  const uint64_t size = std::exchange(size_, 0);
  if (file_) return Blob::of(std::move(file_), 0, size);
  text_.shrink_to_fit();
  return Blob::of(std::move(text_));
}

}  // namespace isthmus::fs::mail
