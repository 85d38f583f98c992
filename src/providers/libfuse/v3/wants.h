#pragma once
#include <isthmus/fuse3/fuse_common.h>

#include <cstring>
#include <iterator>

namespace isthmus::libfuse {

/// FUSE_CAP_* of a fuse_conn_info, in all words that have them: libfuse3.so.4 has 64 bits, and the lower 32 twice.
inline uint64_t offered_to(const fuse_conn_info& c) {
#if ISTHMUS_FUSE3_SO >= 4
  return c.capable_ext;
#else
  return c.capable;
#endif
}
inline void offer(fuse_conn_info& c, uint64_t caps) {
  c.capable = static_cast<unsigned>(caps);
#if ISTHMUS_FUSE3_SO >= 4
  c.capable_ext = caps;
#endif
}
inline uint64_t wanted_by(const fuse_conn_info& c) {
#if ISTHMUS_FUSE3_SO >= 4
  return c.want_ext;
#else
  return c.want;
#endif
}
inline void set_wants(fuse_conn_info& c, uint64_t caps) {
  c.want = static_cast<unsigned>(caps);
#if ISTHMUS_FUSE3_SO >= 4
  c.want_ext = caps;
#endif
}
inline void add_wants(fuse_conn_info& c, uint64_t caps) {
  c.want |= static_cast<unsigned>(caps);
#if ISTHMUS_FUSE3_SO >= 4
  c.want_ext |= caps;
#endif
}
inline void drop_wants(fuse_conn_info& c, uint64_t caps) {
  c.want &= ~static_cast<unsigned>(caps);
#if ISTHMUS_FUSE3_SO >= 4
  c.want_ext &= ~caps;
#endif
}

#if ISTHMUS_FUSE3_SO >= 4
/// What `want` and `want_ext` were when init() was shown them, and what the library has set since: by that it finds out
/// which of the two a program has written to. It is in the last reserved bytes of a fuse_conn_info, so that it is there
/// in each that a program may have made itself.
struct Shown {
  uint32_t want;
  uint64_t want_ext;
};
inline auto* place_of_shown(auto& c) {
  return std::end(c.reserved) - (sizeof(uint32_t) + sizeof(uint64_t)) / sizeof *c.reserved;
}
inline Shown shown(const fuse_conn_info& c) {
  Shown s;
  const uint16_t* at = place_of_shown(c);
  memcpy(&s.want_ext, at, sizeof s.want_ext);
  memcpy(&s.want, at + sizeof s.want_ext / sizeof *at, sizeof s.want);
  return s;
}
inline void set_shown(fuse_conn_info& c, const Shown& s) {
  uint16_t* at = place_of_shown(c);
  memcpy(at, &s.want_ext, sizeof s.want_ext);
  memcpy(at + sizeof s.want_ext / sizeof *at, &s.want, sizeof s.want);
}
#endif

}  // namespace isthmus::libfuse
