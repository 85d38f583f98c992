/// fuse_session_*: sessions and their loops.
#include "libfuse/v2/session.h"

#include <cstdlib>
#include <new>

#include "libfuse/common/loops.h"
#include "libfuse/common/signals.h"
#include "libfuse/v2/exports.h"
#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"
#include "providers/libfuse/v2/low_level_program.h"

namespace isthmus::libfuse::v2 {
namespace {

template <class F>
fuse_session* made(F make) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    no_memory();
    return nullptr;
  }
}

fuse_session* low_level(fuse_args& args, const NodeCallbacks& callbacks, void* userdata) {
  return made([&]() -> fuse_session* {
    auto se = std::make_unique<fuse_session>();
    se->own = v2::make_session(args, make_low_level(callbacks, userdata));
    se->core = se->own.get();
    se->data = userdata;
    return se->core ? se.release() : nullptr;
  });
}

bool exited(const fuse_session& se) {
  return se.op && se.op->exited ? se.op->exited(se.data) != 0 : bool{se.core->exited};
}

/// A session whose messages are the program's business.
int loop_by_functions(fuse_session& se) {
  auto memory = std::make_unique<char[]>(se.chan ? se.chan->bufsize : 0);
  int result = 0;
  while (se.chan && !exited(se)) {
    fuse_chan* ch = se.chan;
    result = receive(ch, {reinterpret_cast<std::byte*>(memory.get()), se.chan->bufsize});
    if (result == -EINTR || result == -EAGAIN) continue;
    if (result <= 0) break;
    se.op->process(se.data, memory.get(), static_cast<size_t>(result), ch);
  }
  return result;
}

}  // namespace

// ---- life ----

ISTHMUS_FUNCTION_2(fuse_session*, fuse_lowlevel_new, fuse_args* args, const fuse_lowlevel_ops* op, size_t op_size,
                   void* userdata) {
  return low_level(*args, callbacks_of(op, op_size), userdata);
}

ISTHMUS_FUNCTION_2(fuse_session*, fuse_lowlevel_new_compat25, fuse_args* args, const fuse_lowlevel_ops_compat25* op,
                   size_t op_size, void* userdata) {
  return low_level(*args, callbacks_of(op, op_size), userdata);
}
ISTHMUS_OLD_VERSION(fuse_lowlevel_new, fuse_lowlevel_new_compat25, "FUSE_2.5")

ISTHMUS_FUNCTION_2(fuse_session*, fuse_lowlevel_new_compat, const char* opts, const fuse_lowlevel_ops_compat* op,
                   size_t op_size, void* userdata) {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  fuse_session* se = nullptr;
  if (arguments_of(opts, args)) se = low_level(args, callbacks_of(op, op_size), userdata);
  free_args(args);
  return se;
}
ISTHMUS_OLD_VERSION(fuse_lowlevel_new, fuse_lowlevel_new_compat, "FUSE_2.4")

ISTHMUS_FUNCTION_2(fuse_session*, fuse_session_new, fuse_session_ops* op, void* data) {
  return made([&] {
    auto se = std::make_unique<fuse_session>();
    se->own = std::make_unique<::fuse_session>(make_low_level(NodeCallbacks{}, nullptr));
    se->core = se->own.get();
    se->op = *op;
    se->data = data;
    return se.release();
  });
}

ISTHMUS_FUNCTION_2(void, fuse_session_destroy, fuse_session* se) {
  if (!se) return;
  if (se->op && se->op->destroy) se->op->destroy(se->data);
  if (!se->op) end_session(*se->core);
  destroy_channel(se->chan);
  // That of a struct fuse goes with it.
  if (se->own) delete se;
}

ISTHMUS_FUNCTION_2(int, fuse_lowlevel_is_lib_option, const char* opt) { return is_session_option(opt); }

// ---- its channel ----

ISTHMUS_FUNCTION_2(void, fuse_session_add_chan, fuse_session* se, fuse_chan* ch) { add_channel(*se, *ch); }
ISTHMUS_FUNCTION_2(void, fuse_session_remove_chan, fuse_chan* ch) {
  if (ch) remove_channel(*ch);
}
ISTHMUS_FUNCTION_2(fuse_chan*, fuse_session_next_chan, fuse_session* se, fuse_chan* ch) {
  return ch ? nullptr : se->chan;
}

// ---- messages ----

ISTHMUS_FUNCTION_2(void, fuse_session_process, fuse_session* se, const char* buf, size_t len, fuse_chan* ch) {
  if (se->op) return se->op->process(se->data, buf, len, ch);
  ::fuse_buf message{};
  message.size = len;
  message.mem = const_cast<char*>(buf);
  libfuse::process(*se->core, message);
}

ISTHMUS_FUNCTION_2(void, fuse_session_process_buf, fuse_session* se, const fuse_buf* buf, fuse_chan* ch) {
  if (se->op) return se->op->process(se->data, static_cast<const char*>(buf->mem), buf->size, ch);
  libfuse::process(*se->core, *reinterpret_cast<const ::fuse_buf*>(buf));
}

ISTHMUS_FUNCTION_2(int, fuse_session_receive_buf, fuse_session*, fuse_buf* buf, fuse_chan** chp) {
  int n = receive(*chp, {static_cast<std::byte*>(buf->mem), buf->size});
  if (n <= 0) return n;
  buf->size = static_cast<size_t>(n);
  buf->flags = fuse_buf_flags{};
  return n;
}

// ---- the end ----

ISTHMUS_FUNCTION_2(void, fuse_session_exit, fuse_session* se) {
  if (se->op && se->op->exit) se->op->exit(se->data, 1);
  ask_to_exit(*se->core);
}
ISTHMUS_FUNCTION_2(void, fuse_session_reset, fuse_session* se) {
  if (se->op && se->op->exit) se->op->exit(se->data, 0);
  reset(*se->core);
}
ISTHMUS_FUNCTION_2(int, fuse_session_exited, fuse_session* se) { return exited(*se); }
ISTHMUS_FUNCTION_2(void*, fuse_session_data, fuse_session* se) { return se->data; }

ISTHMUS_FUNCTION_2(int, fuse_set_signal_handlers, fuse_session* se) { return set_signal_handlers(*se->core); }
ISTHMUS_FUNCTION_2(void, fuse_remove_signal_handlers, fuse_session* se) { remove_signal_handlers(*se->core); }

// ---- loops ----

ISTHMUS_FUNCTION_2(int, fuse_session_loop, fuse_session* se) {
  if (!se->op) return loop_result(loop_here(*se->core));
  int result = loop_by_functions(*se);
  c_fuse_session_reset(se);
  return loop_result(result);
}

ISTHMUS_FUNCTION_2(int, fuse_session_loop_mt, fuse_session* se) {
  // Of a program's own session only it knows whether messages may be processed side by side: in turn is right.
  if (se->op) return c_fuse_session_loop(se);
  return loop_result(loop_on_threads(*se->core, kMaxThreads));
}

}  // namespace isthmus::libfuse::v2
