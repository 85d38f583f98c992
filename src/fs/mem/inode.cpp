#include "fs/mem/inode.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace isthmus::fs::mem {

Inode::Inode(uint32_t file_type, Body&& body) : type(static_cast<uint16_t>(file_type)), rdev_(0) {
  if (auto* f = std::get_if<FileData>(&body)) {
    ::new (static_cast<void*>(&data_)) FileData(std::move(*f));
  } else if (auto* d = std::get_if<std::unique_ptr<Directory>>(&body)) {
    dir_ = d->release();
  } else if (auto* r = std::get_if<uint64_t>(&body)) {
    rdev_ = *r;
  } else {
    std::string_view target = *std::get_if<std::string_view>(&body);
    target_ = static_cast<char*>(std::malloc(target.size()));
    if (!target_) throw std::bad_alloc();
    std::memcpy(target_, target.data(), target.size());
    size = target.size();
  }
}

Inode::~Inode() {
  switch (type) {
    case S_IFREG:
      data_.~FileData();
      break;
    case S_IFDIR:
      delete dir_;
      break;
    case S_IFLNK:
      std::free(target_);
      break;
    default:
      break;
  }
}

}  // namespace isthmus::fs::mem
