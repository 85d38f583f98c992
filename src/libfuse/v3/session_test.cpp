#include <dlfcn.h>
#include <gtest/gtest.h>
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "base/bytes.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/structs.h"

/// A program with a loop of its own on our library: the test is program and kernel in turn, on a socket given as
/// /dev/fd/N.
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
  unsigned want = 0;
  const char* data = nullptr;
  size_t size = 0;
  fuse_req_t kept = nullptr;
  bool destroyed = false, retrieved = false, by_handle = false;
  int news_in_destroy = 0;
  fuse_ino_t forgotten = 0;
  uint64_t lock_owner = 0;
  fuse_session* session = nullptr;
};
Seen g_seen;

void on_init(void*, fuse_conn_info* conn) {
  g_seen.want = conn->want;
  conn->want |= FUSE_CAP_WRITEBACK_CACHE;
  conn->max_write = 131072;
}
void on_destroy(void*) {
  g_seen.destroyed = true;
  g_seen.news_in_destroy = CALL(fuse_lowlevel_notify_inval_inode)(g_seen.session, 1, 0, 0);
}
void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t) {
  g_seen.forgotten = ino;
  CALL(fuse_reply_none)(req);
}
void on_retrieved(fuse_req_t req, void*, fuse_ino_t, off_t, fuse_bufvec*) {
  g_seen.retrieved = true;
  CALL(fuse_reply_none)(req);
}
std::function<void(fuse_req_t)> g_lookup;
void on_write(fuse_req_t req, fuse_ino_t, const char* buf, size_t size, off_t, fuse_file_info* fi) {
  EXPECT_EQ(fi->fh, 77u);
  g_seen.data = buf;
  g_seen.lock_owner = fi->lock_owner;
  g_seen.size = size;
  EXPECT_EQ(CALL(fuse_reply_write)(req, size), 0);
}
void on_read(fuse_req_t req, fuse_ino_t, size_t, off_t, fuse_file_info* fi) {
  g_seen.lock_owner = fi->lock_owner;
  EXPECT_EQ(CALL(fuse_reply_buf)(req, nullptr, 0), 0);
}
void on_getattr(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  g_seen.by_handle = fi;
  EXPECT_EQ(CALL(fuse_reply_err)(req, EIO), 0);
}
void on_setattr(fuse_req_t req, fuse_ino_t node, struct stat*, int, fuse_file_info* fi) { on_getattr(req, node, fi); }
void on_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  if (g_lookup) return g_lookup(req);
  EXPECT_EQ(parent, 1u);
  EXPECT_STREQ(name, "later");
  EXPECT_EQ(CALL(fuse_req_ctx)(req)->uid, 42u);
  g_seen.kept = req;
}
void on_readdir(fuse_req_t req, fuse_ino_t, size_t size, off_t off, fuse_file_info*) {
  char buf[4096];
  EXPECT_EQ(size, 1024u);
  struct stat st {};
  st.st_ino = 5;
  st.st_mode = S_IFREG;
  size_t n = off ? 0 : CALL(fuse_add_direntry)(req, buf, sizeof buf, "name", &st, 3);
  EXPECT_EQ(CALL(fuse_reply_buf)(req, buf, n), 0);
}

class Session : public testing::Test {
 protected:
  void SetUp() override {
    g_seen = {};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_), 0);
    int big = 1 << 20;
    for (int e : ends_) setsockopt(e, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    std::string words[] = {"program", "-oallow_other,max_read=65536,user=me,strictatime", "-r", "-n"};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(4, argv);
    make_session(args);
    CALL(fuse_opt_free_args)(&args);
    ASSERT_NE(se_, nullptr);
    g_seen.session = se_;
    mount();
    EXPECT_EQ(CALL(fuse_session_fd)(se_), ends_[1]);
  }
  virtual void make_session(fuse_args& args) {
    fuse_lowlevel_ops ops{};
    ops.init = on_init;
    ops.destroy = on_destroy;
    ops.write = on_write;
    ops.read = on_read;
    ops.getattr = on_getattr;
    ops.setattr = on_setattr;
    ops.lookup = on_lookup;
    ops.forget = on_forget;
    ops.retrieve_reply = on_retrieved;
    ops.readdir = on_readdir;
    change(ops);
    se_ = CALL(fuse_session_new)(&args, &ops, sizeof ops, &g_seen);
  }
  virtual void change(fuse_lowlevel_ops&) {}
  virtual void mount() { ASSERT_EQ(CALL(fuse_session_mount)(se_, ("/dev/fd/" + std::to_string(ends_[1])).c_str()), 0); }
  void TearDown() override {
    if (se_) end();
    free(buf_.mem);
    close(ends_[0]);
  }
  void end() {
    CALL(fuse_session_unmount)(se_);
    CALL(fuse_session_destroy)(se_);
    se_ = nullptr;
  }

  /// Sends a request as the kernel, and has the program hear it.
  template <class In>
  void request(Opcode op, uint64_t unique, const In& in, const std::string& more = {}) {
    size_t size = send_request(op, unique, in, more);
    ASSERT_EQ(CALL(fuse_session_receive_buf)(se_, &buf_), static_cast<int>(size));
    CALL(fuse_session_process_buf)(se_, &buf_);
  }
  /// Sends it only, to a loop. Its size.
  template <class In>
  size_t send_request(Opcode op, uint64_t unique, const In& in, const std::string& more = {}, pid_t pid = 0) {
    InHeader h{};
    h.len = static_cast<uint32_t>(sizeof h + sizeof in + more.size());
    h.opcode = static_cast<uint32_t>(op);
    h.unique = unique;
    h.nodeid = 1;
    h.uid = h.gid = 42;
    h.pid = static_cast<uint32_t>(pid);
    std::string m(reinterpret_cast<const char*>(&h), sizeof h);
    m.append(reinterpret_cast<const char*>(&in), sizeof in).append(more);
    EXPECT_EQ(send(ends_[0], m.data(), m.size(), 0), static_cast<ssize_t>(m.size()));
    return m.size();
  }
  /// What comes back, without its header; an error as its number. `flags`: of recv(2).
  std::string answer(uint64_t unique, int error = 0, int flags = MSG_DONTWAIT) {
    std::string m(70000, '\0');
    ssize_t n = recv(ends_[0], m.data(), m.size(), flags);
    OutHeader h{};
    EXPECT_GE(n, static_cast<ssize_t>(sizeof h));
    if (n < static_cast<ssize_t>(sizeof h)) return {};
    memcpy(&h, m.data(), sizeof h);
    EXPECT_EQ(h.unique, unique);
    EXPECT_EQ(h.error, -error);
    return m.substr(sizeof h, static_cast<size_t>(n) - sizeof h);
  }
  static InitIn init_in() {
    InitIn in{};
    in.major = kMajor;
    in.minor = kMinor;
    in.max_readahead = 131072;
    uint64_t offered = kInitAsyncRead | kInitWritebackCache | kInitMaxPages | kInitInitExt | kInitHandleKillpriv;
    in.flags = static_cast<uint32_t>(offered);
    return in;
  }
  InitOut init() {
    request(Opcode::Init, 2, init_in());
    InitOut out{};
    std::string body = answer(2);
    memcpy(&out, body.data(), std::min(body.size(), sizeof out));
    return out;
  }

  /// A loop of the program on a thread, after INIT.
  std::thread loop(bool several, int& result, fuse_loop_config* config = nullptr) {
    std::thread t([this, several, config, &result] {
      result = several ? CALL(fuse_session_loop_mt)(se_, config) : CALL(fuse_session_loop)(se_);
    });
    send_request(Opcode::Init, 2, init_in());
    answer(2, 0, 0);
    return t;
  }

  int ends_[2] = {-1, -1};
  fuse_session* se_ = nullptr;
  fuse_buf buf_{};
};

TEST_F(Session, InitHasTheLastWord) {
  InitOut out = init();
  // Wanted by default, as far as offered.
  EXPECT_EQ(g_seen.want, unsigned{FUSE_CAP_ASYNC_READ | FUSE_CAP_HANDLE_KILLPRIV});
  EXPECT_EQ(out.flags, uint32_t{kInitAsyncRead | kInitWritebackCache | kInitMaxPages | kInitInitExt});
  EXPECT_EQ(out.max_write, 131072u);
  EXPECT_EQ(out.max_pages, 32u);
  end();
  EXPECT_TRUE(g_seen.destroyed);
}

TEST_F(Session, WrittenDataIsNotCopied) {
  init();
  std::string data(65536, 'x');
  WriteIn in{};
  in.fh = 77;
  in.size = static_cast<uint32_t>(data.size());
  request(Opcode::Write, 4, in, data);
  EXPECT_EQ(g_seen.size, data.size());
  EXPECT_EQ(g_seen.data, static_cast<char*>(buf_.mem) + sizeof(InHeader) + sizeof in);
  std::string out = answer(4);
  uint32_t written = 0;
  ASSERT_GE(out.size(), sizeof written);
  memcpy(&written, out.data(), sizeof written);
  EXPECT_EQ(written, data.size());
}

TEST_F(Session, HandlesMayBe0) {
  init();
  uint64_t unique = 4;
  for (uint32_t given : {0u, 1u}) {
    GetattrIn get{};
    get.getattr_flags = given ? kGetattrFh : 0;
    request(Opcode::Getattr, unique, get);
    answer(unique++, EIO);
    EXPECT_EQ(g_seen.by_handle, given != 0);
    SetattrIn set{};
    set.valid = kFattrSize | (given ? kFattrFh : 0);
    request(Opcode::Setattr, unique, set);
    answer(unique++, EIO);
    EXPECT_EQ(g_seen.by_handle, given != 0);
  }
}

TEST_F(Session, WhoReadsAndWritesMayHoldLocks) {
  init();
  ReadIn read{};
  read.lock_owner = 5;
  request(Opcode::Read, 4, read);
  answer(4);
  EXPECT_EQ(g_seen.lock_owner, 0u) << "not given";
  read.read_flags = kReadLockowner;
  request(Opcode::Read, 5, read);
  answer(5);
  EXPECT_EQ(g_seen.lock_owner, 5u);
  WriteIn write{};
  write.fh = 77;
  write.lock_owner = 6;
  write.write_flags = kWriteLockowner;
  request(Opcode::Write, 6, write);
  answer(6);
  EXPECT_EQ(g_seen.lock_owner, 6u);
}

TEST_F(Session, AnswersMayComeLater) {
  init();
  request(Opcode::Lookup, 6, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
  ASSERT_NE(g_seen.kept, nullptr);
  memset(buf_.mem, 0xff, 64);  // the program's buffer is used again meanwhile
  EXPECT_EQ(CALL(fuse_reply_err)(g_seen.kept, ENOENT), 0);
  answer(6, ENOENT);
}

TEST_F(Session, WhatIsNotAnsweredDoesNotKeepASession) {
  init();
  request(Opcode::Lookup, 8, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
  auto* interrupted = CALL(fuse_req_interrupted);
  EXPECT_EQ(interrupted(g_seen.kept), 0);
  CALL(fuse_session_unmount)(se_);
  answer(8, ENOTCONN);
  EXPECT_EQ(interrupted(g_seen.kept), 1);
  CALL(fuse_req_interrupt_func)
  (
      g_seen.kept, [](fuse_req_t, void*) {}, nullptr);
  end();
  // Too late, and harmless.
  EXPECT_EQ(interrupted(g_seen.kept), 1);
  EXPECT_EQ(CALL(fuse_req_userdata)(g_seen.kept), &g_seen);
  EXPECT_EQ(CALL(fuse_reply_err)(g_seen.kept, EIO), 0);
}

TEST_F(Session, WhatDoesNotFitIntoMemoryIsAnError) {
  init();
  request(Opcode::Lookup, 6, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
  iovec too_long{this, SIZE_MAX / 2};
  EXPECT_EQ(CALL(fuse_reply_ioctl_iov)(g_seen.kept, 0, &too_long, 1), 0);
  answer(6, ENOMEM);
  fuse_bufvec list = FUSE_BUFVEC_INIT(SIZE_MAX / 2);
  EXPECT_EQ(CALL(fuse_lowlevel_notify_store)(se_, 1, 0, &list, fuse_buf_copy_flags{}), -ENOMEM);
}

TEST(SessionArguments, AreNeeded) {
  fuse_args none = FUSE_ARGS_INIT(0, nullptr);
  fuse_operations ops{};
  EXPECT_EQ(function<decltype(&fuse_new)>("fuse_new_31")(&none, &ops, sizeof ops, nullptr), nullptr);
}

class PlusOnly : public Session {
 protected:
  static void on_readdirplus(fuse_req_t req, fuse_ino_t, size_t, off_t off, fuse_file_info*) {
    char buf[4096];
    fuse_entry_param e{};
    e.ino = e.attr.st_ino = 5;
    size_t n = off ? 0 : CALL(fuse_add_direntry_plus)(req, buf, sizeof buf, "name", &e, 3);
    EXPECT_EQ(CALL(fuse_reply_buf)(req, buf, n), 0);
  }
  static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count) {
    EXPECT_EQ(ino, 5u);
    g_seen.forgotten += count;
    CALL(fuse_reply_none)(req);
  }
  void change(fuse_lowlevel_ops& ops) override {
    ops.readdir = nullptr;
    ops.readdirplus = on_readdirplus;
    ops.forget = on_forget;
  }
};

TEST_F(PlusOnly, NamesAloneComeFromIt) {
  init();
  ReadIn in{};
  in.size = 1024;
  request(Opcode::Readdir, 10, in);
  EXPECT_EQ(answer(10).size(), sizeof(Dirent) + 8);
  EXPECT_EQ(g_seen.forgotten, 1u) << "nobody else was told of it";
}

TEST_F(Session, ListingsFitTheRequest) {
  init();
  ReadIn in{};
  in.size = 1024;
  request(Opcode::Readdir, 10, in);
  std::string out = answer(10);
  ASSERT_EQ(out.size(), sizeof(Dirent) + 8);
  Dirent d{};
  memcpy(&d, out.data(), sizeof d);
  EXPECT_EQ(d.ino, 5u);
  EXPECT_EQ(d.off, 3u);
  EXPECT_EQ(d.type, 8u);
  EXPECT_EQ(out.substr(sizeof d, d.namelen), "name");
}

// While callbacks are under way on the loop's threads, or by one of them.
TEST_F(Session, UnmountEndsALoopUnderWay) {
  for (bool several : {true, false})
    for (bool inside : {true, false}) {
      SCOPED_TRACE(testing::Message() << several << inside);
      if (!se_) SetUp();
      int result = -1;
      std::promise<void> running, unmounted;
      g_lookup = [&](fuse_req_t req) {
        if (inside) CALL(fuse_session_unmount)(se_);
        running.set_value();
        unmounted.get_future().wait();
        CALL(fuse_reply_err)(req, ENOENT);
      };
      std::thread t = loop(several, result);
      send_request(Opcode::Lookup, 8, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
      running.get_future().wait();
      if (!inside) CALL(fuse_session_unmount)(se_);
      EXPECT_EQ(CALL(fuse_lowlevel_notify_inval_inode)(se_, 1, 0, 0), -ENOTCONN);
      unmounted.set_value();
      t.join();
      EXPECT_EQ(result, 0);
      EXPECT_FALSE(g_seen.destroyed);
      CALL(fuse_session_destroy)(se_);
      EXPECT_TRUE(g_seen.destroyed);
      se_ = nullptr;
      close(ends_[0]);
      g_lookup = nullptr;
    }
  ends_[0] = -1;
}

// As libfuse's own test_setattr does: while the loop waits, answers, or has found that it is over.
TEST_F(Session, TheThreadOfALoopMayBeCancelled) {
#ifdef __SANITIZE_ADDRESS__
  // It writes to the stack of a thread that is being unwound.
  GTEST_SKIP() << "AddressSanitizer takes pthread_cancel(3) for an overflow of its own";
#endif
  auto run = [](void* se) -> void* {
    CALL(fuse_session_loop)(static_cast<fuse_session*>(se));
    return nullptr;
  };
  for (int i = 0; i < 40; i++) {
    if (i > 0) {
      TearDown();
      SetUp();
    }
    pthread_t thread{};
    ASSERT_EQ(pthread_create(&thread, nullptr, run, se_), 0);
    send_request(Opcode::Init, 2, init_in());
    answer(2, 0, 0);
    if (i % 2) shutdown(ends_[0], SHUT_RDWR);
    EXPECT_EQ(pthread_cancel(thread), 0);
    if (i % 4 == 3) CALL(fuse_session_unmount)(se_);
    EXPECT_EQ(pthread_join(thread, nullptr), 0);
    end();
    EXPECT_TRUE(g_seen.destroyed);
  }
}

TEST_F(Session, BeforeInitThereIsNoNews) {
  EXPECT_EQ(CALL(fuse_lowlevel_notify_inval_inode)(se_, 1, 0, 0), -ENOSYS);
  EXPECT_EQ(CALL(fuse_lowlevel_notify_delete)(se_, 1, 2, "name", 4), -ENOSYS);
  EXPECT_EQ(CALL(fuse_lowlevel_notify_retrieve)(se_, 1, 100, 0, nullptr), -ENOSYS);
  EXPECT_EQ(CALL(fuse_lowlevel_notify_inval_inode)(nullptr, 1, 0, 0), -EINVAL);
  init();
  EXPECT_EQ(CALL(fuse_lowlevel_notify_inval_inode)(se_, 1, 0, 0), 0);
}

TEST_F(Session, AConfigurationOfBefore312IsRefused) {
  fuse_loop_config_v1 old{1, 10};
  EXPECT_EQ(CALL(fuse_session_loop_mt)(se_, reinterpret_cast<fuse_loop_config*>(&old)), -EINVAL);
}

TEST_F(Session, AsManyThreadsAsTheProgramWants) {
  constexpr unsigned kAll = 70;
  fuse_loop_config* config = CALL(fuse_loop_cfg_create)();
  CALL(fuse_loop_cfg_set_max_threads)(config, kAll + 1);
  std::atomic<unsigned> inside{0};
  std::promise<void> all;
  std::shared_future<void> come = all.get_future().share();
  g_lookup = [&](fuse_req_t req) {
    if (++inside == kAll) all.set_value();
    come.wait_for(std::chrono::seconds(20));
    CALL(fuse_reply_err)(req, ENOENT);
  };
  int result = -1;
  std::thread t = loop(true, result, config);
  for (uint64_t i = 0; i < kAll; i++)
    send_request(Opcode::Lookup, 10 + 2 * i, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
  EXPECT_EQ(come.wait_for(std::chrono::seconds(10)), std::future_status::ready) << inside;
  CALL(fuse_session_exit)(se_);
  t.join();
  CALL(fuse_loop_cfg_destroy)(config);
  g_lookup = nullptr;
}

TEST_F(Session, NothingComesAfterDestroy) {
  init();
  EXPECT_EQ(CALL(fuse_lowlevel_notify_retrieve)(se_, 1, 100, 0, nullptr), 0);
  CALL(fuse_session_destroy)(se_);
  se_ = nullptr;
  EXPECT_TRUE(g_seen.destroyed);
  EXPECT_EQ(g_seen.news_in_destroy, -ENOTCONN);
  EXPECT_FALSE(g_seen.retrieved);
}

// What callbacks start would inherit a thread that was moved to one CPU.
TEST_F(Session, ThreadsOfTheProgramAreNotMoved) {
  cpu_set_t all, seen;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one CPU only";
  int result = -1;
  bool moved = false;
  g_lookup = [&](fuse_req_t req) {
    sched_getaffinity(0, sizeof seen, &seen);
    moved = moved || !CPU_EQUAL(&all, &seen);
    CALL(fuse_reply_err)(req, ENOENT);
  };
  std::thread t = loop(false, result);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
  sched_setaffinity(0, sizeof one, &one);
  for (uint64_t i = 0; i < 2000; i++) {
    send_request(Opcode::Lookup, 10 + 2 * i, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'}, {}, gettid());
    answer(10 + 2 * i, ENOENT, 0);
  }
  sched_setaffinity(0, sizeof all, &all);
  shutdown(ends_[0], SHUT_RDWR);
  t.join();
  EXPECT_FALSE(moved);
  g_lookup = nullptr;
}

ssize_t read_on(int fd, void* buf, size_t size, void*) {
  for (;;) {
    ssize_t n = read(fd, buf, size);
    if (n >= 0 || errno != EINTR) return n;
  }
}
bool g_cut = false;
ssize_t write_in_part(int fd, iovec* parts, int count, void*) { return writev(fd, parts, count) - (g_cut ? 1 : 0); }

class CustomSession : public Session {
 protected:
  void mount() override {
    fuse_custom_io io{};
    io.read = read_on;
    io.writev = write_in_part;
    ASSERT_EQ(CALL(fuse_session_custom_io)(se_, &io, ends_[1]), 0);
  }
};

TEST_F(CustomSession, ALoopWhoseReadGoesOnCanBeStopped) {
  int result = -1;
  std::thread t = loop(true, result);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it reads again
  CALL(fuse_session_exit)(se_);
  t.join();
  EXPECT_EQ(result, 0);
}

TEST_F(CustomSession, HalfAnAnswerIsNone) {
  init();
  g_lookup = [&](fuse_req_t req) {
    fuse_entry_param e{};
    e.ino = 9;
    e.attr.st_mode = S_IFREG;
    g_cut = true;
    CALL(fuse_reply_entry)(req, &e);
    g_cut = false;
  };
  request(Opcode::Lookup, 8, std::array<char, 6>{'l', 'a', 't', 'e', 'r', '\0'});
  EXPECT_EQ(g_seen.forgotten, 9u);
  g_lookup = nullptr;
}

struct fuse* g_fuse = nullptr;
struct {
  uid_t uid = 1;
  gid_t gid = 1;
} g_in_init, g_in_destroy;
void* high_init(fuse_conn_info*, fuse_config*) {
  auto* context = CALL(fuse_get_context)();
  g_in_init = {context->uid, context->gid};
  return nullptr;
}
void high_destroy(void*) {
  auto* context = CALL(fuse_get_context)();
  g_in_destroy = {context->uid, context->gid};
  EXPECT_EQ(context->fuse, g_fuse);
  ASSERT_NE(CALL(fuse_get_session)(context->fuse), nullptr);
  CALL(fuse_exit)(context->fuse);
}

class HighSession : public Session {
 protected:
  void make_session(fuse_args& args) override {
    fuse_operations ops{};
    ops.init = high_init;
    ops.destroy = high_destroy;
    g_fuse = CALL(fuse_new)(&args, &ops, sizeof ops, nullptr);
    ASSERT_NE(g_fuse, nullptr);
    se_ = CALL(fuse_get_session)(g_fuse);
  }
};

TEST_F(HighSession, InitAndDestroyHaveAContext) {
  init();
  CALL(fuse_unmount)(g_fuse);
  CALL(fuse_destroy)(g_fuse);
  se_ = nullptr;
  EXPECT_EQ(g_in_init.uid + g_in_init.gid, 0u);
  EXPECT_EQ(g_in_destroy.uid + g_in_destroy.gid, 0u);
}

}  // namespace
