/// fuse_loop_cfg_*.
#include "libfuse/v3/loop_config.h"

#include <new>

#include "libfuse/common/exports.h"
#include "providers/libfuse/common/message.h"

using isthmus::libfuse::message;

namespace {

constexpr unsigned kMostThreads = 100'000;

/// Programs that say what cannot be hear of it since 3.19.
[[maybe_unused]] void warn_if_idle_is_more(const fuse_loop_config& c, const char* set) {
  if (c.max_idle_threads <= 0 || static_cast<unsigned>(c.max_idle_threads) <= c.max_threads) return;
  message(FUSE_LOG_WARNING,
          "fuse: %s: max_idle_threads (%d) is more than max_threads (%u): no thread ends for being idle\n", set,
          c.max_idle_threads, c.max_threads);
}

}  // namespace

ISTHMUS_EXPORT fuse_loop_config* fuse_loop_cfg_create() { return new (std::nothrow) fuse_loop_config; }
ISTHMUS_EXPORT void fuse_loop_cfg_destroy(fuse_loop_config* config) { delete config; }

ISTHMUS_EXPORT void fuse_loop_cfg_set_idle_threads(fuse_loop_config* config, unsigned value) {
  if (value == UINT_MAX) return;  // the default
  if (value > kMostThreads) {
    message(FUSE_LOG_ERR, "fuse: max_idle_threads=%u is ignored: more than %u\n", value, kMostThreads);
    return;
  }
  config->max_idle_threads = static_cast<int>(value);
#if ISTHMUS_FUSE3_SO >= 4
  warn_if_idle_is_more(*config, "max_idle_threads");
#endif
}

ISTHMUS_EXPORT void fuse_loop_cfg_set_max_threads(fuse_loop_config* config, unsigned value) {
  config->max_threads = value;
#if ISTHMUS_FUSE3_SO >= 4
  warn_if_idle_is_more(*config, "max_threads");
#endif
}

ISTHMUS_EXPORT void fuse_loop_cfg_set_clone_fd(fuse_loop_config* config, unsigned value) {
  config->clone_fd = static_cast<int>(value);
}

ISTHMUS_EXPORT void fuse_loop_cfg_convert(fuse_loop_config* config, fuse_loop_config_v1* v1_conf) {
#if ISTHMUS_FUSE3_SO >= 4
  // Before 3.12 there was no other limit.
  if (v1_conf->max_idle_threads <= kMostThreads) config->max_threads = v1_conf->max_idle_threads;
#endif
  fuse_loop_cfg_set_idle_threads(config, v1_conf->max_idle_threads);
  fuse_loop_cfg_set_clone_fd(config, static_cast<unsigned>(v1_conf->clone_fd));
}
