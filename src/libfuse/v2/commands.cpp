/// fuse_read_cmd and fuse_process_cmd: loops of a program's own.
#include <cstdlib>
#include <new>
#include <vector>

#include "libfuse/common/loops.h"
#include "libfuse/v2/exports.h"
#include "libfuse/v2/fuse.h"
#include "providers/libfuse/common/args.h"

namespace isthmus::libfuse::v2 {

/// One message.
struct fuse_cmd {
  std::vector<uint64_t> memory = std::vector<uint64_t>(kChanBufsize / sizeof(uint64_t));
  size_t size = 0;
  fuse_chan* chan = nullptr;
};

ISTHMUS_FUNCTION_2(fuse_cmd*, fuse_read_cmd, fuse* f) {
  try {
    auto cmd = std::make_unique<fuse_cmd>();
    cmd->chan = f->session.chan;
    if (!cmd->chan) return nullptr;
    int n = receive(cmd->chan, std::as_writable_bytes(std::span(cmd->memory)));
    if (n > 0) {
      cmd->size = static_cast<size_t>(n);
      return cmd.release();
    }
    if (n != -EINTR && n != -EAGAIN) ask_to_exit(*f->session.core);
  } catch (const std::bad_alloc&) {
    no_memory();
  }
  return nullptr;
}
ISTHMUS_OLD_VERSION(__fuse_read_cmd, fuse_read_cmd, "")

ISTHMUS_FUNCTION_2(void, fuse_process_cmd, fuse* f, fuse_cmd* cmd) {
  std::unique_ptr<fuse_cmd> owned(cmd);
  ::fuse_buf message{};
  message.size = cmd->size;
  message.mem = cmd->memory.data();
  libfuse::process(*f->session.core, message);
}
ISTHMUS_OLD_VERSION(__fuse_process_cmd, fuse_process_cmd, "")

/// Messages one after the other: only `proc` knows whether they may be processed side by side.
ISTHMUS_FUNCTION_2(int, fuse_loop_mt_proc, fuse* f, fuse_processor_t proc, void* data) {
  if (f->core->start_cleaning() < 0) return -1;
  while (!f->session.core->exited)
    if (fuse_cmd* cmd = c_fuse_read_cmd(f)) proc(f, cmd, data);
  f->core->stop_cleaning();
  reset(*f->session.core);
  return 0;
}
ISTHMUS_OLD_VERSION(__fuse_loop_mt, fuse_loop_mt_proc, "")

}  // namespace isthmus::libfuse::v2
