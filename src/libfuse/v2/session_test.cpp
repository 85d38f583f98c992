#define FUSE_USE_VERSION 26
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <isthmus/fuse/fuse.h>
#include <isthmus/fuse/fuse_lowlevel.h>
#include <sys/socket.h>
#include <unistd.h>
// After them: with an older FUSE_USE_VERSION names would be others.
#include <isthmus/fuse/fuse_common_compat.h>
#include <isthmus/fuse/fuse_compat.h>
#include <isthmus/fuse/fuse_lowlevel_compat.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/structs.h"

/// Programs of version 2 with channels and loops of their own on our library: the test is program and kernel in turn.
namespace {

using namespace isthmus::wire::fuse;

template <class F>
F function(const char* name) {
  static void* library = dlopen(OUR_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  auto f = reinterpret_cast<F>(dlsym(library, name));
  EXPECT_NE(f, nullptr) << name;
  return f;
}
#define CALL(name) function<decltype(&name)>(#name)

struct Seen {
  fuse_conn_info conn{};
  int sent = 0, received = 0, destroyed = 0, renamed = 0;
  uint64_t fh = 0, fh_old = 0;
  std::string processed;
  void* private_data = nullptr;
  struct fuse* context_fuse = nullptr;
  timespec times[2] = {};
  int time_calls = 0;
};
Seen g_seen;

struct Nothing {};

class Kernel {
 public:
  Kernel() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_), 0);
    int big = 1 << 20;
    for (int e : ends_) setsockopt(e, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
  }
  ~Kernel() { close(ends_[0]); }
  int program_end() const { return ends_[1]; }

  template <class In>
  size_t ask(Opcode op, uint64_t unique, const In& in, const std::string& more = {}) {
    InHeader h{};
    constexpr size_t kSize = std::is_empty_v<In> ? 0 : sizeof in;
    h.len = static_cast<uint32_t>(sizeof h + kSize + more.size());
    h.opcode = static_cast<uint32_t>(op);
    h.unique = unique;
    h.nodeid = 1;
    std::string m(reinterpret_cast<const char*>(&h), sizeof h);
    m.append(reinterpret_cast<const char*>(&in), kSize).append(more);
    EXPECT_EQ(send(ends_[0], m.data(), m.size(), 0), static_cast<ssize_t>(m.size()));
    return m.size();
  }
  std::string answer(uint64_t unique, int error = 0) {
    std::string m(70000, '\0');
    ssize_t n = recv(ends_[0], m.data(), m.size(), 0);
    OutHeader h{};
    EXPECT_GE(n, static_cast<ssize_t>(sizeof h));
    if (n < static_cast<ssize_t>(sizeof h)) return {};
    memcpy(&h, m.data(), sizeof h);
    EXPECT_EQ(h.unique, unique);
    EXPECT_EQ(h.error, -error);
    return m.substr(sizeof h, static_cast<size_t>(n) - sizeof h);
  }
  template <class Out>
  Out answer_as(uint64_t unique) {
    std::string body = answer(unique);
    Out out{};
    memcpy(&out, body.data(), std::min(body.size(), sizeof out));
    return out;
  }
  static InitIn init_in() {
    InitIn in{};
    in.major = kMajor;
    in.minor = kMinor;
    in.max_readahead = 131072;
    in.flags = static_cast<uint32_t>(kInitAsyncRead | kInitAtomicOTrunc | kInitBigWrites | kInitParallelDirops |
                                     kInitAutoInvalData | kInitDoReaddirplus | kInitExportSupport);
    return in;
  }

 private:
  int ends_[2] = {-1, -1};
};

struct Arguments {
  explicit Arguments(std::initializer_list<const char*> words) {
    for (auto* w : words) CALL(fuse_opt_add_arg)(&args, w);
  }
  ~Arguments() { CALL(fuse_opt_free_args)(&args); }
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
};

// ---- nodes ----

void on_init(void*, fuse_conn_info* conn) {
  g_seen.conn = *conn;
  conn->want |= FUSE_CAP_BIG_WRITES | FUSE_CAP_FLOCK_LOCKS;  // the second is not offered
}
void on_destroy(void*) { g_seen.destroyed++; }
void on_open(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  fi->fh = 77;
  fi->keep_cache = 1;
  CALL(fuse_reply_open)(req, fi);
}
void on_release(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  g_seen.fh = fi->fh;
  g_seen.fh_old = fi->fh_old;
  CALL(fuse_reply_err)(req, 0);
}
void on_rename(fuse_req_t req, fuse_ino_t, const char*, fuse_ino_t, const char*) {
  g_seen.renamed++;
  CALL(fuse_reply_err)(req, 0);
}

fuse_session* nodes(fuse_args* args) {
  g_seen = {};
  fuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.destroy = on_destroy;
  ops.open = on_open;
  ops.release = on_release;
  ops.rename = on_rename;
  return CALL(fuse_lowlevel_new)(args, &ops, sizeof ops, &g_seen);
}

/// One request by the functions of a program's own loop.
void hear(fuse_session* se, fuse_chan* ch) {
  std::vector<char> memory(CALL(fuse_chan_bufsize)(ch));
  fuse_chan* from = ch;
  int n = CALL(fuse_chan_recv)(&from, memory.data(), memory.size());
  ASSERT_GT(n, 0);
  CALL(fuse_session_process)(se, memory.data(), static_cast<size_t>(n), from);
}

void open_and_release(Kernel& kernel, fuse_session* se, fuse_chan* ch) {
  kernel.ask(Opcode::Open, 4, OpenIn{});
  hear(se, ch);
  auto opened = kernel.answer_as<OpenOut>(4);
  EXPECT_EQ(opened.fh, 77u);
  EXPECT_EQ(opened.open_flags, uint32_t{kFopenKeepCache});
  ReleaseIn release{};
  release.fh = 77;
  kernel.ask(Opcode::Release, 6, release);
  hear(se, ch);
  kernel.answer(6);
  EXPECT_EQ(g_seen.fh, 77u);
  EXPECT_EQ(g_seen.fh_old, 77u);
}

TEST(Libfuse2Session, InitIsThatOfVersion2) {
  Kernel kernel;
  Arguments a{"program", "-omax_readahead=65536"};
  fuse_session* se = nodes(&a.args);
  ASSERT_NE(se, nullptr);
  fuse_chan* ch = CALL(fuse_kern_chan_new)(kernel.program_end());
  EXPECT_EQ(CALL(fuse_chan_fd)(ch), kernel.program_end());
  CALL(fuse_session_add_chan)(se, ch);
  EXPECT_EQ(CALL(fuse_session_next_chan)(se, nullptr), ch);
  EXPECT_EQ(CALL(fuse_session_next_chan)(se, ch), nullptr);
  EXPECT_EQ(CALL(fuse_chan_session)(ch), se);
  kernel.ask(Opcode::Init, 2, Kernel::init_in());
  hear(se, ch);
  auto out = kernel.answer_as<InitOut>(2);
  EXPECT_EQ(g_seen.conn.async_read, 1u);
  EXPECT_EQ(g_seen.conn.want, 0u);
  EXPECT_EQ(g_seen.conn.max_write, 131072u);
  EXPECT_EQ(g_seen.conn.max_readahead, 65536u);
  EXPECT_TRUE(g_seen.conn.capable & FUSE_CAP_BIG_WRITES);
  EXPECT_TRUE(g_seen.conn.capable & FUSE_CAP_ATOMIC_O_TRUNC);
  EXPECT_FALSE(g_seen.conn.want & FUSE_CAP_ATOMIC_O_TRUNC) << "open() of version 2 does not truncate";
  EXPECT_EQ(out.flags, uint32_t{kInitAsyncRead | kInitBigWrites}) << "nothing that version 2 does not know";
  EXPECT_EQ(out.max_write, 131072u);
  open_and_release(kernel, se, ch);
  // renameat2(2) with flags is not of its time.
  Rename2In rename{};
  rename.newdir = 1;
  rename.flags = 1;
  kernel.ask(Opcode::Rename2, 8, rename, std::string("a\0b\0", 4));
  hear(se, ch);
  kernel.answer(8, EINVAL);
  EXPECT_EQ(g_seen.renamed, 0);
  CALL(fuse_session_destroy)(se);
  EXPECT_EQ(g_seen.destroyed, 1);
}

TEST(Libfuse2Session, ChannelsMayBeFunctionsOfTheProgram) {
  Kernel kernel;
  Arguments a{"program"};
  fuse_session* se = nodes(&a.args);
  fuse_chan_ops ops{};
  ops.receive = [](fuse_chan** ch, char* buf, size_t size) {
    g_seen.received++;
    return static_cast<int>(recv(CALL(fuse_chan_fd)(*ch), buf, size, 0));
  };
  ops.send = [](fuse_chan* ch, const iovec parts[], size_t count) {
    g_seen.sent++;
    EXPECT_EQ(CALL(fuse_chan_data)(ch), &g_seen);
    return writev(CALL(fuse_chan_fd)(ch), parts, static_cast<int>(count)) < 0 ? -errno : 0;
  };
  ops.destroy = [](fuse_chan* ch) {
    g_seen.destroyed += 10;
    close(CALL(fuse_chan_fd)(ch));
  };
  fuse_chan* ch = CALL(fuse_chan_new)(&ops, kernel.program_end(), 0x21000, &g_seen);
  CALL(fuse_session_add_chan)(se, ch);
  kernel.ask(Opcode::Init, 2, Kernel::init_in());
  hear(se, ch);
  kernel.answer(2);
  open_and_release(kernel, se, ch);
  EXPECT_EQ(g_seen.received, 3);
  EXPECT_EQ(g_seen.sent, 3);
  // The library's own loop uses them as well.
  std::thread loop([&] { EXPECT_EQ(CALL(fuse_session_loop)(se), 0); });
  kernel.ask(Opcode::Open, 10, OpenIn{});
  kernel.answer(10);
  shutdown(kernel.program_end(), SHUT_RD);
  loop.join();
  CALL(fuse_session_destroy)(se);
  EXPECT_EQ(g_seen.destroyed, 11);
}

TEST(Libfuse2Session, ChannelsAndNodesOfOlderVersions) {
  Kernel kernel;
  g_seen = {};
  fuse_lowlevel_ops_compat ops{};
  ops.destroy = on_destroy;
  ops.open = [](fuse_req_t req, fuse_ino_t, fuse_file_info_compat* fi) {
    fi->fh = 78;
    CALL(fuse_reply_open_compat)(req, fi);
  };
  ops.release = [](fuse_req_t req, fuse_ino_t, fuse_file_info_compat* fi) {
    g_seen.fh = fi->fh;
    CALL(fuse_reply_err)(req, 0);
  };
  ops.statfs = [](fuse_req_t req) {
    struct statfs s {};
    s.f_bsize = 4096;
    s.f_blocks = 9;
    CALL(fuse_reply_statfs_compat)(req, &s);
  };
  EXPECT_EQ(CALL(fuse_lowlevel_new_compat)("nonsense", &ops, sizeof ops, nullptr), nullptr);
  fuse_session* se = CALL(fuse_lowlevel_new_compat)("debug,sync_read", &ops, sizeof ops, nullptr);
  ASSERT_NE(se, nullptr);
  fuse_chan_ops_compat24 functions{};
  functions.receive = [](fuse_chan* ch, char* buf, size_t size) {
    return static_cast<int>(recv(CALL(fuse_chan_fd)(ch), buf, size, 0));
  };
  functions.send = [](fuse_chan* ch, const iovec parts[], size_t count) {
    return writev(CALL(fuse_chan_fd)(ch), parts, static_cast<int>(count)) < 0 ? -errno : 0;
  };
  functions.destroy = [](fuse_chan* ch) { close(CALL(fuse_chan_fd)(ch)); };
  fuse_chan* ch = CALL(fuse_chan_new_compat24)(&functions, kernel.program_end(), 0x21000, nullptr);
  CALL(fuse_session_add_chan)(se, ch);
  kernel.ask(Opcode::Init, 2, Kernel::init_in());
  hear(se, ch);
  EXPECT_FALSE(kernel.answer_as<InitOut>(2).flags & kInitAsyncRead) << "sync_read";
  kernel.ask(Opcode::Open, 4, OpenIn{});
  hear(se, ch);
  EXPECT_EQ(kernel.answer_as<OpenOut>(4).fh, 78u);
  ReleaseIn release{};
  release.fh = 78;
  kernel.ask(Opcode::Release, 6, release);
  hear(se, ch);
  kernel.answer(6);
  EXPECT_EQ(g_seen.fh, 78u);
  kernel.ask(Opcode::Statfs, 8, Nothing{});
  hear(se, ch);
  EXPECT_EQ(kernel.answer_as<StatfsOut>(8).st.blocks, 9u);
  CALL(fuse_session_destroy)(se);
}

TEST(Libfuse2Session, MessagesMayBeTheProgramsBusiness) {
  Kernel kernel;
  g_seen = {};
  fuse_session_ops ops{};
  ops.process = [](void* data, const char* buf, size_t length, fuse_chan* ch) {
    static_cast<Seen*>(data)->processed.assign(buf, length);
    CALL(fuse_session_exit)(CALL(fuse_chan_session)(ch));
  };
  ops.destroy = [](void* data) { static_cast<Seen*>(data)->destroyed++; };
  fuse_session* se = CALL(fuse_session_new)(&ops, &g_seen);
  EXPECT_EQ(CALL(fuse_session_data)(se), &g_seen);
  CALL(fuse_session_add_chan)(se, CALL(fuse_kern_chan_new)(kernel.program_end()));
  size_t size = kernel.ask(Opcode::Init, 2, Kernel::init_in());
  EXPECT_EQ(CALL(fuse_session_loop_mt)(se), 0);
  EXPECT_EQ(g_seen.processed.size(), size);
  CALL(fuse_session_destroy)(se);
  EXPECT_EQ(g_seen.destroyed, 1);
}

// ---- paths ----

int on_getattr(const char* path, struct stat* st) {
  if (strcmp(path, "/") != 0) return -ENOENT;
  st->st_mode = S_IFDIR | 0755;
  fuse_context* context = CALL(fuse_get_context)();
  g_seen.private_data = context->private_data;
  g_seen.context_fuse = context->fuse;
  return 0;
}
int on_utimens(const char*, const timespec times[2]) {
  g_seen.time_calls++;
  g_seen.times[0] = times[0];
  g_seen.times[1] = times[1];
  return 0;
}

struct Paths {
  explicit Paths(const fuse_operations& ops, const char* option = "-oentry_timeout=1") {
    g_seen = {};
    Arguments a{"program", option};
    ch = CALL(fuse_kern_chan_new)(kernel.program_end());
    // dlsym(3) takes the one without a version before all others.
    static void* library = dlopen(OUR_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    auto make = reinterpret_cast<decltype(&fuse_new)>(dlvsym(library, "fuse_new", "FUSE_2.6"));
    f = make(ch, &a.args, &ops, sizeof ops, &g_seen);
    if (!f) return;
    kernel.ask(Opcode::Init, 2, Kernel::init_in());
    hear_command();
    kernel.answer(2);
  }
  ~Paths() {
    if (f) CALL(fuse_destroy)(f);
  }
  void hear_command() const {
    fuse_cmd* cmd = CALL(fuse_read_cmd)(f);
    ASSERT_NE(cmd, nullptr);
    CALL(fuse_process_cmd)(f, cmd);
  }
  Kernel kernel;
  fuse_chan* ch = nullptr;
  struct fuse* f = nullptr;
};

TEST(Libfuse2Paths, CallbacksKnowWhoseTheyAre) {
  fuse_operations ops{};
  ops.getattr = on_getattr;
  Paths p(ops);
  ASSERT_NE(p.f, nullptr);
  p.kernel.ask(Opcode::Getattr, 4, GetattrIn{});
  p.hear_command();
  EXPECT_EQ(p.kernel.answer_as<AttrOut>(4).attr.mode, uint32_t{S_IFDIR | 0755});
  EXPECT_EQ(g_seen.private_data, &g_seen);
  EXPECT_EQ(g_seen.context_fuse, p.f);
  EXPECT_EQ(CALL(fuse_invalidate)(p.f, "/"), -EINVAL);
  EXPECT_EQ(CALL(fuse_is_lib_option)("hard_remove"), 1);
  EXPECT_EQ(CALL(fuse_is_lib_option)("max_write=5"), 1);
  EXPECT_EQ(CALL(fuse_is_lib_option)("fsname=x"), 0);
}

TEST(Libfuse2Paths, TimesAreSetTogetherUnlessTheProgramSaysMore) {
  for (bool knows : {false, true}) {
    fuse_operations ops{};
    ops.getattr = on_getattr;
    ops.utimens = on_utimens;
    ops.flag_utime_omit_ok = knows;
    Paths p(ops);
    ASSERT_NE(p.f, nullptr);
    SetattrIn set{};
    set.valid = kFattrMtime;
    set.mtime = 5;
    p.kernel.ask(Opcode::Setattr, 4, set);
    p.hear_command();
    p.kernel.answer(4);
    EXPECT_EQ(g_seen.time_calls, knows ? 1 : 0);
    set.valid = kFattrMtime | kFattrAtime | kFattrAtimeNow;
    p.kernel.ask(Opcode::Setattr, 6, set);
    p.hear_command();
    p.kernel.answer(6);
    EXPECT_EQ(g_seen.times[1].tv_sec, 5);
    EXPECT_EQ(g_seen.times[0].tv_nsec == UTIME_NOW, knows);
    EXPECT_EQ(g_seen.times[0].tv_sec > 5, !knows) << "the time itself";
  }
}

fuse_fs* g_below = nullptr;
int module_getattr(const char* path, struct stat* st) {
  int rc = CALL(fuse_fs_getattr)(g_below, path, st);
  st->st_size = 4242;
  return rc;
}
fuse_fs* make_module(fuse_args*, fuse_fs* below[]) {
  g_below = below[0];
  fuse_operations ops{};
  ops.getattr = module_getattr;
  ops.init = [](fuse_conn_info* conn) -> void* {
    CALL(fuse_fs_init)(g_below, conn);
    return g_below;
  };
  ops.destroy = [](void* below_it) { CALL(fuse_fs_destroy)(static_cast<fuse_fs*>(below_it)); };
  return CALL(fuse_fs_new)(&ops, sizeof ops, nullptr);
}

TEST(Libfuse2Paths, ModulesAreRegisteredByTheProgram) {
  static fuse_module module{"ours", make_module, nullptr, nullptr, 0};
  CALL(fuse_register_module)(&module);
  fuse_operations ops{};
  ops.getattr = on_getattr;
  ops.destroy = [](void* data) { static_cast<Seen*>(data)->destroyed++; };
  {
    Paths p(ops, "-omodules=ours");
    ASSERT_NE(p.f, nullptr);
    p.kernel.ask(Opcode::Getattr, 4, GetattrIn{});
    p.hear_command();
    EXPECT_EQ(p.kernel.answer_as<AttrOut>(4).attr.size, 4242u);
    EXPECT_EQ(g_seen.private_data, &g_seen) << "of the program below";
  }
  EXPECT_EQ(g_seen.destroyed, 1);
}

TEST(Libfuse2Options, AStringThatIsReplacedIsLeftAlone) {
  struct {
    const char* text = "a literal";
  } data;
  const fuse_opt table[] = {{"text=%s", 0, 0}, FUSE_OPT_END};
  Arguments a{"program", "-otext=other"};
  ASSERT_EQ(CALL(fuse_opt_parse)(&a.args, &data, table, nullptr), 0);
  EXPECT_STREQ(data.text, "other");
  free(const_cast<char*>(data.text));
}

}  // namespace
