#pragma once
#include "providers/libfuse/v2/structs.h"

namespace isthmus::libfuse::v2 {

inline fuse_file_info to_v2(const ::fuse_file_info& fi) {
  fuse_file_info to{};
  to.flags = fi.flags;
  to.fh_old = fi.fh;
  to.writepage = fi.writepage;
  to.direct_io = fi.direct_io;
  to.keep_cache = fi.keep_cache;
  to.flush = fi.flush;
  to.nonseekable = fi.nonseekable;
  to.flock_release = fi.flock_release;
  to.fh = fi.fh;
  to.lock_owner = fi.lock_owner;
  return to;
}

/// What a program may have set.
inline void take_answer(const fuse_file_info& fi, ::fuse_file_info& to) {
  to.fh = fi.fh;
  to.direct_io = fi.direct_io;
  to.keep_cache = fi.keep_cache;
  to.nonseekable = fi.nonseekable;
}

inline ::fuse_file_info from_v2(const fuse_file_info& fi) {
  ::fuse_file_info to{};
  to.flags = fi.flags;
  to.writepage = fi.writepage != 0;
  to.flush = fi.flush;
  to.flock_release = fi.flock_release;
  to.lock_owner = fi.lock_owner;
  take_answer(fi, to);
  return to;
}

/// A file's info as a callback of version 2 gets it; what it sets there arrives in the other when this goes. Programs
/// for versions before 2.5 (`old`) have the start of the struct, with fh in the place of fh_old.
class FileInfo {
 public:
  FileInfo(::fuse_file_info* fi, bool old) : to_(fi), old_(old) {
    if (fi) fi_ = to_v2(*fi);
  }
  ~FileInfo() {
    if (!to_) return;
    if (old_) fi_.fh = fi_.fh_old;
    take_answer(fi_, *to_);
  }
  FileInfo(const FileInfo&) = delete;
  FileInfo& operator=(const FileInfo&) = delete;
  operator fuse_file_info*() { return to_ ? &fi_ : nullptr; }  // NOLINT(google-explicit-constructor): it is one

 private:
  ::fuse_file_info* to_;
  bool old_;
  fuse_file_info fi_{};
};

/// The other way round: a module of version 2 calls what is below it.
class OwnFileInfo {
 public:
  explicit OwnFileInfo(fuse_file_info* fi) : to_(fi) {
    if (fi) fi_ = from_v2(*fi);
  }
  ~OwnFileInfo() {
    if (!to_) return;
    to_->fh = to_->fh_old = fi_.fh;
    to_->direct_io = fi_.direct_io;
    to_->keep_cache = fi_.keep_cache;
    to_->nonseekable = fi_.nonseekable;
  }
  OwnFileInfo(const OwnFileInfo&) = delete;
  OwnFileInfo& operator=(const OwnFileInfo&) = delete;
  ::fuse_file_info* get() { return to_ ? &fi_ : nullptr; }

 private:
  fuse_file_info* to_;
  ::fuse_file_info fi_{};
};

}  // namespace isthmus::libfuse::v2
