#pragma once
#include <isthmus/fuse3/fuse_common.h>

#include "base/bytes.h"
#include "vfs/buffer.h"

/// fuse_bufvec: lists of memory and descriptors. fuse_common.h says what each function does.
namespace isthmus::libfuse {

size_t size_of(const fuse_bufvec& list);
ssize_t copy(fuse_bufvec& to, fuse_bufvec& from);

/// What is left of `from` as an answer that is borrowed from it: memory and, where a descriptor has an offset of its
/// own choice, ranges of files. False: something in it can only be read once, in order, by copy().
bool borrow(const fuse_bufvec& from, Buffer& to);

/// A list of one piece of memory.
fuse_bufvec one_piece_list(const void* mem, size_t size);

}  // namespace isthmus::libfuse
