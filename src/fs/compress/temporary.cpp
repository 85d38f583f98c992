#include "fs/compress/temporary.h"

#include <fcntl.h>

#include <algorithm>

#include "fs/compress/names.h"

namespace isthmus::fs::compress {

Result<std::unique_ptr<Temporary>> Temporary::make(InnerRef directory) {
  std::string name = temporary_name();
  op::Create c;
  c.dir = directory->node;
  c.name = name;
  c.mode = 0600;
  c.flags = O_RDWR | O_CREAT | O_EXCL;
  auto made = call_and_wait(directory->fs, c, own());
  if (!made) return made.error();
  auto node = std::make_shared<Inner>(directory->fs, made->entry.node, 1);
  auto file = std::make_shared<OpenBelow>(std::move(node), made->opened.handle);
  return std::make_unique<Temporary>(std::move(directory), std::move(name), std::move(file));
}

Temporary::~Temporary() {
  if (name_.empty()) return;
  op::Unlink u;
  u.dir = directory_->node;
  u.name = name_;
  (void)call_and_wait(directory_->fs, u, own());
}

Status Temporary::rename(std::string to) {
  op::Rename r;
  r.dir = r.to_dir = directory_->node;
  r.name = name_;
  r.to_name = to;
  auto s = call_and_wait(directory_->fs, r, own());
  if (s) name_ = std::move(to);
  return s;
}

Result<uint64_t> Temporary::append(Bytes data) {
  const uint64_t at = end;
  written = std::max(written, at + data.size());
  if (auto s = file_->write_at(at, data); !s) return s.error();
  end = at + data.size();
  return at;
}

}  // namespace isthmus::fs::compress
