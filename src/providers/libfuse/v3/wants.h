#pragma once
#include <isthmus/fuse3/fuse_common.h>

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

/// What is shown to init(), and what `want` and `want_ext` were then: libfuse3.so.4 finds out by that which of the two
/// a program has written to.
struct Connection : fuse_conn_info {
  unsigned shown_want = 0;
  uint64_t shown_want_ext = 0;
};

}  // namespace isthmus::libfuse
