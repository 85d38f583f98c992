#include <dlfcn.h>
#include <gtest/gtest.h>
#include <isthmus/fuse3/fuse.h>
#include <isthmus/fuse3/fuse_lowlevel.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

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
  bool destroyed = false;
  uint64_t forgotten = 0;
};
Seen g_seen;

void on_init(void*, fuse_conn_info* conn) {
  g_seen.want = conn->want;
  conn->want |= FUSE_CAP_WRITEBACK_CACHE;
  conn->max_write = 131072;
}
void on_destroy(void*) { g_seen.destroyed = true; }
void on_write(fuse_req_t req, fuse_ino_t, const char* buf, size_t size, off_t, fuse_file_info* fi) {
  EXPECT_EQ(fi->fh, 77u);
  g_seen.data = buf;
  g_seen.size = size;
  EXPECT_EQ(CALL(fuse_reply_write)(req, size), 0);
}
void on_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
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
    fuse_lowlevel_ops ops{};
    ops.init = on_init;
    ops.destroy = on_destroy;
    ops.write = on_write;
    ops.lookup = on_lookup;
    ops.readdir = on_readdir;
    change(ops);
    std::string words[] = {"program", "-oallow_other,max_read=65536,user=me,strictatime", "-r", "-n"};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(4, argv);
    se_ = CALL(fuse_session_new)(&args, &ops, sizeof ops, &g_seen);
    CALL(fuse_opt_free_args)(&args);
    ASSERT_NE(se_, nullptr);
    ASSERT_EQ(CALL(fuse_session_mount)(se_, ("/dev/fd/" + std::to_string(ends_[1])).c_str()), 0);
    EXPECT_EQ(CALL(fuse_session_fd)(se_), ends_[1]);
  }
  virtual void change(fuse_lowlevel_ops&) {}
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
    InHeader h{};
    h.len = static_cast<uint32_t>(sizeof h + sizeof in + more.size());
    h.opcode = static_cast<uint32_t>(op);
    h.unique = unique;
    h.nodeid = 1;
    h.uid = h.gid = 42;
    std::string m(reinterpret_cast<const char*>(&h), sizeof h);
    m.append(reinterpret_cast<const char*>(&in), sizeof in).append(more);
    ASSERT_EQ(send(ends_[0], m.data(), m.size(), 0), static_cast<ssize_t>(m.size()));
    ASSERT_EQ(CALL(fuse_session_receive_buf)(se_, &buf_), static_cast<int>(m.size()));
    CALL(fuse_session_process_buf)(se_, &buf_);
  }
  /// What comes back, without its header; an error as its number.
  std::string answer(uint64_t unique, int error = 0) {
    std::string m(70000, '\0');
    ssize_t n = recv(ends_[0], m.data(), m.size(), MSG_DONTWAIT);
    OutHeader h{};
    EXPECT_GE(n, static_cast<ssize_t>(sizeof h));
    if (n < static_cast<ssize_t>(sizeof h)) return {};
    memcpy(&h, m.data(), sizeof h);
    EXPECT_EQ(h.unique, unique);
    EXPECT_EQ(h.error, -error);
    return m.substr(sizeof h, static_cast<size_t>(n) - sizeof h);
  }
  InitOut init() {
    InitIn in{};
    in.major = kMajor;
    in.minor = kMinor;
    in.max_readahead = 131072;
    uint64_t offered = kInitAsyncRead | kInitWritebackCache | kInitMaxPages | kInitInitExt | kInitHandleKillpriv;
    in.flags = static_cast<uint32_t>(offered);
    request(Opcode::Init, 2, in);
    InitOut out{};
    std::string body = answer(2);
    memcpy(&out, body.data(), std::min(body.size(), sizeof out));
    return out;
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

}  // namespace
