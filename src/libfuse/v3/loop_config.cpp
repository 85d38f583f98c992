/// fuse_loop_cfg_*.
#include "libfuse/v3/loop_config.h"

#include <new>

#include "libfuse/common/exports.h"

ISTHMUS_EXPORT fuse_loop_config* fuse_loop_cfg_create() { return new (std::nothrow) fuse_loop_config; }
ISTHMUS_EXPORT void fuse_loop_cfg_destroy(fuse_loop_config* config) { delete config; }
ISTHMUS_EXPORT void fuse_loop_cfg_set_idle_threads(fuse_loop_config* config, unsigned value) {
  config->max_idle_threads = value;
}
ISTHMUS_EXPORT void fuse_loop_cfg_set_max_threads(fuse_loop_config* config, unsigned value) {
  config->max_threads = value;
}
ISTHMUS_EXPORT void fuse_loop_cfg_set_clone_fd(fuse_loop_config* config, unsigned value) {
  config->clone_fd = static_cast<int>(value);
}
ISTHMUS_EXPORT void fuse_loop_cfg_convert(fuse_loop_config* config, fuse_loop_config_v1* v1_conf) {
  config->clone_fd = v1_conf->clone_fd;
  config->max_idle_threads = v1_conf->max_idle_threads;
}
