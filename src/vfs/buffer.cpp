#include "vfs/buffer.h"

#include <algorithm>
#include <cstring>

#include "base/pread_all.h"

namespace isthmus {
namespace {

size_t size_of(const Buffer::Segment& s) {
  if (auto* o = std::get_if<Buffer::Owned>(&s)) return o->bytes.size();
  if (auto* f = std::get_if<Buffer::FileRange>(&s)) return f->length;
  return std::get<Buffer::Filled>(s).length;
}

Result<size_t> read_range(const Buffer::FileRange& f, MutableBytes to) {
  return pread_all(f.fd, to.first(std::min(f.length, to.size())), f.offset);
}

void copy_bytes(MutableBytes to, Bytes from) {
  if (!from.empty() && from.data() != to.data()) std::memmove(to.data(), from.data(), from.size());
}

}  // namespace

void Buffer::append(Segment s) {
  if (!has_one_ && list_.empty()) {
    one_ = std::move(s);
    has_one_ = true;
    return;
  }
  if (list_.empty()) list_.push_back(std::move(one_));
  list_.push_back(std::move(s));
}

size_t Buffer::size() const {
  size_t n = 0;
  for (auto& s : segments()) n += size_of(s);
  return n;
}

Result<size_t> Buffer::copy_to(MutableBytes to, Bytes into) const {
  size_t done = 0;
  for (auto& s : segments()) {
    MutableBytes rest = to.subspan(done);
    size_t want = std::min(size_of(s), rest.size()), got = want;
    if (auto* f = std::get_if<FileRange>(&s)) {
      auto r = read_range(*f, rest);
      if (!r) return r.error();
      got = *r;
    } else if (auto* o = std::get_if<Owned>(&s)) {
      copy_bytes(rest, o->bytes.first(want));
    } else {
      if (want > into.size()) return err(EIO);
      copy_bytes(rest, into.first(want));
    }
    done += got;
    if (got < want || done == to.size()) break;
  }
  return done;
}

Bytes Buffer::contiguous_bytes(bool& contiguous, Bytes into) const {
  auto all = segments();
  contiguous = all.empty();
  if (all.size() != 1) return {};
  if (auto* o = std::get_if<Owned>(&all[0])) {
    contiguous = true;
    return o->bytes;
  }
  if (auto* f = std::get_if<Filled>(&all[0]); f && f->length <= into.size()) {
    contiguous = true;
    return into.first(f->length);
  }
  return {};
}

Result<Bytes> Buffer::in_one_piece(std::string& room) const {
  bool contiguous = false;
  Bytes bytes = contiguous_bytes(contiguous);
  if (contiguous) return bytes;
  room.resize(size());
  auto n = copy_to(std::as_writable_bytes(std::span(room)));
  if (!n) return n.error();
  return as_bytes(room).first(*n);
}

}  // namespace isthmus
