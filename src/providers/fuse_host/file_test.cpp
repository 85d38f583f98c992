/// Open files: reading, writing, locks, ioctls and the rest, with the number of requests each takes.
#include <fcntl.h>
#include <poll.h>
#include <sys/xattr.h>

#include <map>

#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

class FuseHostFile : public HostTest {
 protected:
  FuseHostFile() { opens = true; }
  /// An open file of `n`.
  HandleId h(NodeId n) {
    auto& handle = handles_[n];
    if (handle == HandleId::none)
      if (auto o = open(n)) handle = o->handle;
    return handle;
  }
  HandleId root() {
    auto& handle = handles_[NodeId::root];
    if (handle == HandleId::none)
      if (auto o = call(op::OpenDir{{}, NodeId::root, 0})) handle = o->handle;
    return handle;
  }
  /// Serves one file, whose content is `file`; `more` may answer first.
  void serve_file(std::function<std::optional<Answer>(const Asked&)> more = {}, Options options = {}) {
    serve(
        [this, more = std::move(more)](const Asked& a) -> Answer {
          if (more)
            if (auto said = more(a)) return *said;
          switch (a.opcode()) {
            case Opcode::Lookup:
              return answer_of(an_entry(7));
            case Opcode::Open:
              return answer_of(OpenOut{99, open_flags, 0});
            case Opcode::Opendir:
              return answer_of(OpenOut{5, 0, 0});
            case Opcode::Getattr:
            case Opcode::Setattr: {
              AttrOut out = attributes_of(7);
              std::lock_guard lock(m);
              out.attr.size = file.size();
              return answer_of(out);
            }
            case Opcode::Read: {
              const auto in = a.in<ReadIn>();
              std::lock_guard lock(m);
              return {.body = file.substr(std::min<size_t>(in.offset, file.size()), in.size)};
            }
            case Opcode::Write: {
              const auto in = a.in<WriteIn>();
              const uint32_t taken = std::min(in.size, most_taken.load());
              std::lock_guard lock(m);
              file.resize(std::max<size_t>(file.size(), in.offset + taken));
              file.replace(in.offset, taken, a.body, sizeof in, taken);
              return answer_of(WriteOut{taken, 0});
            }
            default:
              return {};
          }
        },
        std::move(options));
  }

  std::map<NodeId, HandleId> handles_;
  std::mutex m;
  std::string file;
  uint32_t open_flags = 0;
  std::atomic<uint32_t> most_taken{UINT32_MAX};
};

// O_CREAT, O_EXCL, O_NOCTTY never; O_TRUNC where the daemon truncates, else a SETATTR after.
TEST_F(FuseHostFile, OpensWithTheFlagsThatConcernIt) {
  serve_file();
  const NodeId n = node();
  EXPECT_TRUE(open(n, O_RDWR | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND));
  EXPECT_EQ(daemon.asked(Opcode::Open)[0].in<OpenIn>().flags, uint32_t{O_RDWR | O_APPEND});
  const auto all = daemon.asked();
  EXPECT_EQ(all.back().opcode(), Opcode::Setattr);
  EXPECT_EQ(all.back().in<SetattrIn>().valid, kFattrSize);
  EXPECT_EQ(all.back().in<SetattrIn>().size, 0u);
}

TEST_F(FuseHostFile, LetsTheDaemonTruncate) {
  daemon.agree_on(kInitAtomicOTrunc | kInitHandleKillprivV2);
  serve_file();
  op::Open a;
  a.node = node();
  a.flags = O_WRONLY | O_TRUNC;
  a.kill_suidgid = true;
  EXPECT_TRUE(call(a));
  EXPECT_EQ(daemon.asked(Opcode::Open)[0].in<OpenIn>().flags, uint32_t{O_WRONLY | O_TRUNC});
  EXPECT_EQ(daemon.asked(Opcode::Open)[0].in<OpenIn>().open_flags, kOpenKillSuidgid);
  EXPECT_EQ(daemon.count(Opcode::Setattr), 0u);
}

// A truncation that fails is the open's error, and what was opened is released.
TEST_F(FuseHostFile, AnOpenThatCannotTruncateIsNone) {
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Setattr) return Answer{.error = EACCES};
    return {};
  });
  EXPECT_EQ(open(node(), O_WRONLY | O_TRUNC).code(), EACCES);
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Release) == 1; }));
  EXPECT_EQ(daemon.asked(Opcode::Release)[0].in<ReleaseIn>().fh, 99u);
}

// What the daemon says of the open file reaches the door.
TEST_F(FuseHostFile, SaysHowAnOpenFileIsToBeTreated) {
  serve_file();
  const NodeId n = node();
  struct Case {
    uint32_t theirs, ours;
  };
  for (const Case c : {Case{kFopenDirectIo, kOpenedDirectIo}, Case{kFopenKeepCache, kOpenedKeepCache},
                       Case{kFopenNonseekable, kOpenedNonSeekable}, Case{kFopenStream, kOpenedStream},
                       Case{kFopenNoflush, kOpenedNoFlush}, Case{kFopenParallelDirectWrites, kOpenedParallelWrites},
                       Case{kFopenPassthrough, 0}}) {
    open_flags = c.theirs;
    auto o = open(n);
    ASSERT_TRUE(o);
    EXPECT_EQ(o->flags, c.ours);
    EXPECT_EQ(o->backing_fd, -1);
    EXPECT_EQ(o->backing_id, 0);
  }
  // NOFLUSH: close(2) asks for none.
  open_flags = kFopenNoflush;
  EXPECT_TRUE(call(op::Flush{{}, n, open(n)->handle, 5}));
  EXPECT_EQ(daemon.count(Opcode::Flush), 0u);
}

// Each open is one of its own, released once with its flags, its owner of locks, and no error that anybody sees.
TEST_F(FuseHostFile, ReleasesWhatItOpened) {
  std::atomic<uint64_t> fh{0};
  daemon.agree_on(kInitFlockLocks);
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Open) return answer_of(OpenOut{fh++, 0, 0});
    return {};
  });
  const NodeId n = node();
  auto first = open(n, O_RDONLY), second = open(n, O_RDWR | O_APPEND);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->handle, second->handle);
  EXPECT_NE(first->handle, HandleId::none) << "0 is a number like others";
  op::Release a;
  a.node = n;
  a.handle = second->handle;
  a.lock_owner = 55;
  a.unlock_flock = true;
  EXPECT_TRUE(call(a));
  const auto in = daemon.asked(Opcode::Release)[0].in<ReleaseIn>();
  EXPECT_EQ(in.fh, 1u);
  EXPECT_EQ(in.flags, uint32_t{O_RDWR | O_APPEND});
  EXPECT_EQ(in.release_flags, kReleaseFlockUnlock);
  EXPECT_EQ(in.lock_owner, 55u);
  EXPECT_EQ(call(a).code(), EBADF);
  EXPECT_EQ(read(n, second->handle, 0, 1).code(), EBADF);
  EXPECT_TRUE(read(n, first->handle, 0, 1));
  EXPECT_EQ(daemon.asked(Opcode::Read)[0].in<ReadIn>().fh, 0u);
  EXPECT_EQ(daemon.count(Opcode::Release), 1u);
}

// A number that the daemon has not given is never said: some take it for an address.
TEST_F(FuseHostFile, WhatIsNotOpenIsNotUsed) {
  serve_file();
  const NodeId n = node();
  const size_t before = daemon.count();
  const HandleId none = HandleId::none, wrong{12345};
  for (const HandleId handle : {none, wrong}) {
    EXPECT_EQ(read(n, handle, 0, 10).code(), EBADF);
    EXPECT_EQ(write(n, handle, 0, "x").code(), EBADF);
    EXPECT_EQ(call(op::Fsync{{}, n, handle, false}).code(), EBADF);
    EXPECT_EQ(call(op::FsyncDir{{}, NodeId::root, handle, false}).code(), EBADF);
    EXPECT_EQ(call(op::Flush{{}, n, handle, 0}).code(), EBADF);
    EXPECT_EQ(call(op::Fallocate{{}, n, handle, 0, 0, 1}).code(), EBADF);
    EXPECT_EQ(call(op::SeekHole{{}, n, handle, 0, SEEK_DATA}).code(), EBADF);
    EXPECT_EQ(call(op::Poll{{}, n, handle, POLLIN, false}).code(), EBADF);
    EXPECT_EQ(call(op::Ioctl{{}, n, handle}).code(), EBADF);
  }
  op::Release release;
  release.node = n;
  EXPECT_TRUE(call(release));
  EXPECT_EQ(daemon.count(), before);
}

// ---- reading and writing ----

TEST_F(FuseHostFile, ReadsAndWritesInPiecesOfTheAgreedSize) {
  daemon.agree_on(kInitBigWrites);
  serve_file();
  const NodeId n = node();
  std::string data;
  for (int i = 0; data.size() < 300'000; i++) data += std::to_string(i);
  EXPECT_EQ(*write(n, h(n), 0, data), data.size());
  EXPECT_EQ(daemon.count(Opcode::Write), (data.size() + 65535) / 65536);
  for (auto& a : daemon.asked(Opcode::Write)) EXPECT_LE(a.in<WriteIn>().size, 65536u);
  auto got = read(n, h(n), 0, data.size() + 1000);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, data);
  std::string room(1000, '\0');
  op::Read into{{}, n, h(n), 5, 1000, std::as_writable_bytes(std::span(room)), O_RDONLY, 0};
  auto filled = call(into);
  ASSERT_TRUE(filled);
  EXPECT_EQ(filled->size(), 1000u);
  EXPECT_EQ(room, data.substr(5, 1000));
}

// A daemon without big writes gets a page at a time, but past the page cache.
TEST_F(FuseHostFile, WritesPagesToWhoKnowsNoMore) {
  serve_file();
  const NodeId n = node();
  EXPECT_EQ(*write(n, open(n)->handle, 0, std::string(10'000, 'x')), 10'000u);
  EXPECT_EQ(daemon.count(Opcode::Write), 3u);
  open_flags = kFopenDirectIo;
  EXPECT_EQ(*write(n, open(n)->handle, 0, std::string(10'000, 'x')), 10'000u);
  EXPECT_EQ(daemon.count(Opcode::Write), 4u);
}

// A short write goes on with the rest, but past the page cache; one that takes nothing is an error.
TEST_F(FuseHostFile, ShortWrites) {
  daemon.agree_on(kInitBigWrites);
  serve_file();
  const NodeId n = node();
  most_taken = 3;
  EXPECT_EQ(*write(n, open(n)->handle, 0, "abcdefgh"), 8u);
  EXPECT_EQ(file, "abcdefgh");
  open_flags = kFopenDirectIo;
  EXPECT_EQ(*write(n, open(n)->handle, 0, "ABCDEFGH"), 3u);
  EXPECT_EQ(file, "ABCdefgh");
  most_taken = 0;
  EXPECT_EQ(write(n, h(n), 0, "x").code(), EIO);
}

// An error after some bytes: those count.
TEST_F(FuseHostFile, ErrorsInTheMiddle) {
  daemon.agree_on(kInitBigWrites);
  serve_file(
      [](const Asked& a) -> std::optional<Answer> {
        if (a.opcode() == Opcode::Write && a.in<WriteIn>().offset >= 65536) return Answer{.error = ENOSPC};
        if (a.opcode() == Opcode::Read && a.in<ReadIn>().offset >= 4096) return Answer{.error = EIO};
        return {};
      },
      [] {
        Options o;
        o.max_read = 4096;
        return o;
      }());
  const NodeId n = node();
  EXPECT_EQ(*write(n, h(n), 0, std::string(100'000, 'x')), 65536u);
  EXPECT_EQ(write(n, h(n), 65536, "x").code(), ENOSPC);
  EXPECT_EQ(read(n, h(n), 0, 10'000)->size(), 4096u);
  EXPECT_EQ(read(n, h(n), 4096, 10).code(), EIO);
}

// At the end of everything, and past it.
TEST_F(FuseHostFile, OffsetsHaveAnEnd) {
  serve_file();
  const NodeId n = node();
  EXPECT_EQ(*read(n, h(n), 0, 0), "");
  EXPECT_EQ(*read(n, h(n), INT64_MAX, 10), "");
  EXPECT_EQ(*write(n, h(n), 0, ""), 0u);
  EXPECT_EQ(write(n, h(n), INT64_MAX, "ab").code(), EFBIG);
  EXPECT_EQ(call(op::Fallocate{{}, n, h(n), 0, INT64_MAX, 2}).code(), EFBIG);
  EXPECT_EQ(daemon.count(Opcode::Read) + daemon.count(Opcode::Write) + daemon.count(Opcode::Fallocate), 0u);
  EXPECT_EQ(*read(n, h(n), 1000, 10), "");
}

// Who appends: the kernel says where, as a daemon may look at nothing else.
TEST_F(FuseHostFile, AppendsAtTheEnd) {
  serve_file();
  file = "abc";
  const NodeId n = node();
  EXPECT_EQ(*write(n, h(n), 0, "def", true), 3u);
  EXPECT_EQ(file, "abcdef");
  EXPECT_TRUE(daemon.asked(Opcode::Write)[0].in<WriteIn>().flags & O_APPEND);
  // A kernel's door has said it already.
  Context ctx;
  ctx.door = DoorKind::fuse;
  const std::string more = "ghi";
  const Buffer data = Buffer::view(as_bytes(more));
  op::Write a;
  a.node = n;
  a.handle = h(n);
  a.offset = 6;
  a.data = &data;
  a.append = true;
  const size_t before = daemon.count();
  EXPECT_TRUE(call(a, ctx));
  EXPECT_EQ(daemon.count(), before + 1);
  EXPECT_EQ(file, "abcdefghi");
}

TEST_F(FuseHostFile, WritesSayWhoseTheyAre) {
  daemon.agree_on(kInitHandleKillprivV2);
  serve_file();
  const std::string text = "x";
  const Buffer data = Buffer::view(as_bytes(text));
  op::Write a;
  a.node = node();
  a.handle = h(a.node);
  a.data = &data;
  a.from_cache = a.kill_suidgid = true;
  a.lock_owner = 44;
  EXPECT_TRUE(call(a));
  const auto in = daemon.asked(Opcode::Write)[0].in<WriteIn>();
  EXPECT_EQ(in.write_flags, kWriteCache | kWriteKillSuidgid | kWriteLockowner);
  EXPECT_EQ(in.lock_owner, 44u);
}

// ---- copies ----

// COPY_FILE_RANGE_64, the old one without it, and reading and writing without either; not for good when it is but this
// file's fault.
TEST_F(FuseHostFile, CopiesByTheDaemonOrByHand) {
  std::atomic<int> wide{0}, narrow{0};
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::CopyFileRange64)
      return wide ? Answer{.error = wide} : answer_of(CopyFileRangeOut{uint64_t{5} << 30});
    if (a.opcode() == Opcode::CopyFileRange) return narrow ? Answer{.error = narrow} : answer_of(WriteOut{4096, 0});
    return {};
  });
  file = "0123456789";
  op::CopyRange a;
  a.from = a.to = node();
  a.from_handle = a.to_handle = h(a.from);
  a.length = uint64_t{6} << 30;
  EXPECT_EQ(*call(a), uint64_t{5} << 30);
  a.length = 4;
  a.to_offset = 10;
  wide = EOPNOTSUPP;
  EXPECT_EQ(*call(a), 4u);
  EXPECT_EQ(file, "01234567890123");
  wide = ENOSYS;
  a.length = uint64_t{6} << 30;
  EXPECT_EQ(*call(a), 4096u);
  EXPECT_LE(daemon.asked(Opcode::CopyFileRange)[0].in<CopyFileRangeIn>().len, UINT32_MAX);
  const size_t asked_wide = daemon.count(Opcode::CopyFileRange64);
  a.length = 4;
  narrow = EXDEV;
  EXPECT_EQ(*call(a), 4u);
  narrow = EIO;
  EXPECT_EQ(call(a).code(), EIO);
  narrow = ENOSYS;
  for (int i = 0; i < 3; i++) EXPECT_EQ(*call(a), 4u);
  EXPECT_EQ(daemon.count(Opcode::CopyFileRange64), asked_wide);
  EXPECT_EQ(daemon.count(Opcode::CopyFileRange), 4u);
}

// ---- what a daemon may lack: asked once, and the kernel's answer from then on ----

struct Lacking {
  const char* name;
  Opcode opcode;
  int code;      ///< for the caller
  size_t asked;  ///< of three calls, how many reach the daemon
  int error = ENOSYS;
};
class FuseHostLacking : public FuseHostFile, public testing::WithParamInterface<Lacking> {};

TEST_P(FuseHostLacking, IsAskedOnceOrEachTime) {
  const Lacking l = GetParam();
  daemon.agree_on(kInitDoReaddirplus);
  Options options;
  options.block_device = true;
  serve_file(
      [&](const Asked& a) -> std::optional<Answer> {
        if (a.opcode() == l.opcode) return Answer{.error = l.error};
        return {};
      },
      options);
  const NodeId n = node();
  const std::string value = "v";
  struct Sink final : DirSink {
    bool add(const DirEntry&) override { return true; }
  } sink;
  auto once = [&]() -> int {
    switch (l.opcode) {
      case Opcode::Open:
        return open(n).code();
      case Opcode::Opendir:
        return call(op::OpenDir{{}, NodeId::root, 0}).code();
      case Opcode::Flush:
        return call(op::Flush{{}, n, h(n), 0}).code();
      case Opcode::Fsync:
        return call(op::Fsync{{}, n, h(n), true}).code();
      case Opcode::Fsyncdir:
        return call(op::FsyncDir{{}, NodeId::root, root(), true}).code();
      case Opcode::Syncfs:
        return call(op::Sync{}).code();
      case Opcode::Access:
        return call(op::Access{{}, n, R_OK}).code();
      case Opcode::Getxattr:
        return call(op::GetXattr{{}, n, "user.a"}).code();
      case Opcode::Setxattr:
        return call(op::SetXattr{{}, n, "user.a", as_bytes(value)}).code();
      case Opcode::Listxattr:
        return call(op::ListXattr{{}, n}).code();
      case Opcode::Removexattr:
        return call(op::RemoveXattr{{}, n, "user.a"}).code();
      case Opcode::Fallocate:
        return call(op::Fallocate{{}, n, h(n), 0, 0, 1}).code();
      case Opcode::Lseek: {
        auto at = call(op::SeekHole{{}, n, h(n), 0, SEEK_DATA});
        return at ? 0 : at.code();
      }
      case Opcode::Rename2:
        return call(op::Rename{{}, NodeId::root, "a", NodeId::root, "b", 1}).code();
      case Opcode::Link:
        return call(op::Link{{}, n, NodeId::root, "b"}).code();
      case Opcode::Poll:
        return call(op::Poll{{}, n, h(n), POLLIN, false}).code();
      case Opcode::Bmap:
        return call(op::Bmap{{}, n, 3, 512}).code();
      case Opcode::Tmpfile:
        return call(op::Tmpfile{{}, NodeId::root, 0600, O_RDWR, {}}).code();
      case Opcode::Statfs:
        return call(op::Statfs{}).code();
      case Opcode::Ioctl:
        return call(op::Ioctl{{}, n, h(n)}).code();
      case Opcode::Mkdir:
        return call(op::Mkdir{{}, NodeId::root, "d", 0700}).code();
      case Opcode::Unlink:
        return call(op::Unlink{{}, NodeId::root, "f"}).code();
      case Opcode::Rename:
        return call(op::Rename{{}, NodeId::root, "a", NodeId::root, "b"}).code();
      case Opcode::Setattr: {
        op::Setattr set;
        set.node = n;
        set.set.mask = kSetMode;
        return call(set).code();
      }
      default:
        ADD_FAILURE() << "no such case";
        return -1;
    }
  };
  file = "content";
  for (int i = 0; i < 3; i++) EXPECT_EQ(once(), l.code);
  EXPECT_EQ(daemon.count(l.opcode), l.asked);
}

INSTANTIATE_TEST_SUITE_P(
    Each, FuseHostLacking,
    testing::Values(
        Lacking{"open", Opcode::Open, 0, 1}, Lacking{"opendir", Opcode::Opendir, 0, 1},
        Lacking{"flush", Opcode::Flush, 0, 1}, Lacking{"flush_eio", Opcode::Flush, EIO, 3, EIO},
        Lacking{"fsync", Opcode::Fsync, 0, 1}, Lacking{"fsync_eio", Opcode::Fsync, EIO, 3, EIO},
        Lacking{"fsyncdir", Opcode::Fsyncdir, 0, 1}, Lacking{"syncfs", Opcode::Syncfs, 0, 1},
        Lacking{"access", Opcode::Access, 0, 1}, Lacking{"access_no", Opcode::Access, EACCES, 3, EACCES},
        Lacking{"getxattr", Opcode::Getxattr, ENOSYS, 1},
        Lacking{"getxattr_erange", Opcode::Getxattr, ERANGE, 3, ERANGE},
        Lacking{"getxattr_eio", Opcode::Getxattr, ENOTSUP, 3, EIO},
        Lacking{"setxattr_eio", Opcode::Setxattr, ENOTSUP, 3, EIO}, Lacking{"setxattr", Opcode::Setxattr, ENOSYS, 1},
        Lacking{"listxattr", Opcode::Listxattr, ENOSYS, 1}, Lacking{"removexattr", Opcode::Removexattr, ENOSYS, 1},
        Lacking{"fallocate", Opcode::Fallocate, ENOSYS, 1},
        Lacking{"fallocate_mode", Opcode::Fallocate, EOPNOTSUPP, 3, EOPNOTSUPP},
        Lacking{"fallocate_eio", Opcode::Fallocate, EIO, 3, EIO}, Lacking{"lseek", Opcode::Lseek, 0, 1},
        Lacking{"lseek_enxio", Opcode::Lseek, ENXIO, 3, ENXIO}, Lacking{"rename2", Opcode::Rename2, EINVAL, 1},
        Lacking{"link", Opcode::Link, EPERM, 1}, Lacking{"poll", Opcode::Poll, 0, 1},
        Lacking{"bmap", Opcode::Bmap, 0, 1}, Lacking{"tmpfile", Opcode::Tmpfile, ENOSYS, 1},
        Lacking{"statfs", Opcode::Statfs, 0, 1}, Lacking{"ioctl", Opcode::Ioctl, ENOTTY, 3},
        Lacking{"mkdir", Opcode::Mkdir, ENOSYS, 3}, Lacking{"unlink", Opcode::Unlink, ENOSYS, 3},
        Lacking{"rename", Opcode::Rename, ENOSYS, 3}, Lacking{"setattr", Opcode::Setattr, ENOSYS, 3}),
    [](auto& p) { return p.param.name; });

// No state of opens: no OPEN and no RELEASE again, and 0 for the handle.
TEST_F(FuseHostFile, WithoutOpensThereAreNoReleases) {
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Open || a.opcode() == Opcode::Opendir) return Answer{.error = ENOSYS};
    return {};
  });
  const NodeId n = node();
  auto o = open(n, O_RDWR | O_TRUNC);
  ASSERT_TRUE(o);
  EXPECT_EQ(daemon.count(Opcode::Setattr), 1u) << "the truncation is still to be done";
  EXPECT_EQ(o->flags, kOpenedKeepCache);
  EXPECT_TRUE(read(n, o->handle, 0, 10));
  op::Release a;
  a.node = n;
  a.handle = o->handle;
  EXPECT_TRUE(call(a));
  auto d = call(op::OpenDir{{}, NodeId::root, 0});
  ASSERT_TRUE(d);
  EXPECT_TRUE(call(op::ReleaseDir{{}, NodeId::root, d->handle}));
  EXPECT_EQ(daemon.count(Opcode::Release) + daemon.count(Opcode::Releasedir), 0u);
}

// CREATE that is not there is MKNOD and OPEN; O_EXCL holds.
TEST_F(FuseHostFile, CreatesWithoutCreate) {
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Create) return Answer{.error = ENOSYS};
    if (a.opcode() == Opcode::Mknod && a.name(sizeof(MknodIn)) == "there") return Answer{.error = EEXIST};
    if (a.opcode() == Opcode::Mknod) return answer_of(an_entry(8));
    return {};
  });
  op::Create a;
  a.dir = NodeId::root;
  a.name = "x";
  a.flags = O_RDWR;
  a.mode = 0640;
  for (int i = 0; i < 3; i++) EXPECT_TRUE(call(a));
  EXPECT_EQ(daemon.count(Opcode::Create), 1u);
  EXPECT_EQ(daemon.count(Opcode::Mknod), 3u);
  EXPECT_EQ(daemon.count(Opcode::Open), 3u);
  a.name = "there";
  EXPECT_TRUE(call(a));
  a.flags |= O_EXCL;
  EXPECT_EQ(call(a).code(), EEXIST);
}

// ---- xattrs ----

// A daemon that has them means it when it says EIO.
TEST_F(FuseHostFile, ErrorsOfExtendedAttributes) {
  int error = ENODATA;
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Getxattr) return Answer{.error = error};
    return {};
  });
  const NodeId n = node();
  EXPECT_EQ(call(op::GetXattr{{}, n, "user.a"}).code(), ENODATA);
  error = EIO;
  EXPECT_EQ(call(op::GetXattr{{}, n, "user.a"}).code(), EIO);
}

TEST_F(FuseHostFile, ExtendedAttributes) {
  std::string list = std::string("user.a\0user.b\0", 14), value(64 << 10, 'v');
  daemon.agree_on(kInitSetxattrExt);
  daemon.init.max_write = 128 << 10;
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Listxattr) return Answer{.body = list};
    if (a.opcode() == Opcode::Getxattr) return Answer{.body = value};
    return {};
  });
  const NodeId n = node();
  EXPECT_EQ(*call(op::ListXattr{{}, n}), (std::vector<std::string>{"user.a", "user.b"}));
  EXPECT_EQ(call(op::GetXattr{{}, n, "user.a"})->size(), value.size());
  EXPECT_EQ(daemon.count(Opcode::Getxattr), 1u) << "no question for the size first";
  value.clear();
  EXPECT_EQ(*call(op::GetXattr{{}, n, "user.a"}), "");
  list.clear();
  EXPECT_TRUE(call(op::ListXattr{{}, n})->empty());
  for (const std::string& bad : {std::string("a"), std::string("a\0\0b\0", 5), std::string("\0", 1)}) {
    list = bad;
    EXPECT_EQ(call(op::ListXattr{{}, n}).code(), EIO);
  }
  const std::string acl = "acl";
  EXPECT_TRUE(call(op::SetXattr{{}, n, "system.posix_acl_access", as_bytes(acl), XATTR_REPLACE, true}));
  const Asked set = daemon.asked(Opcode::Setxattr)[0];
  EXPECT_EQ(set.in<SetxattrIn>().flags, uint32_t{XATTR_REPLACE});
  EXPECT_EQ(set.in<SetxattrIn>().setxattr_flags, kSetxattrAclKillSgid);
  EXPECT_EQ(set.name(sizeof(SetxattrIn)), "system.posix_acl_access");
  EXPECT_EQ(call(op::GetXattr{{}, n, std::string(256, 'n')}).code(), ERANGE);
  const std::string long_value(70 << 10, 'x');
  EXPECT_EQ(call(op::SetXattr{{}, n, "user.a", as_bytes(long_value)}).code(), E2BIG);
}

// ---- locks ----

TEST_F(FuseHostFile, LocksAreTheDaemonsWhereItHasThem) {
  daemon.agree_on(kInitPosixLocks);
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Getlk) return answer_of(LkOut{{3, INT64_MAX, F_WRLCK, 42}});
    if (a.opcode() == Opcode::Setlk) return Answer{.error = EAGAIN};
    return {};
  });
  const NodeId n = node();
  const HandleId h = open(n)->handle;
  const Lock want{.owner = UINT64_MAX - 1, .start = 0, .end = 9, .type = LockType::shared, .pid = 5};
  auto other = call(op::GetLock{{}, n, h, want});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->type, LockType::exclusive);
  EXPECT_EQ(other->end, kLockEof);
  EXPECT_EQ(other->pid, 42u);
  EXPECT_EQ(call(op::SetLock{{}, n, h, want, false, false}).code(), EAGAIN);
  const auto in = daemon.asked(Opcode::Setlk)[0].in<LkIn>();
  EXPECT_EQ(in.owner, UINT64_MAX - 1);
  EXPECT_EQ(in.fh, 99u);
  EXPECT_EQ(in.lk.end, 9u);
  EXPECT_EQ(in.lk.type, uint32_t{F_RDLCK});
  EXPECT_TRUE(call(op::SetLock{{}, n, h, want, true, false}));
  EXPECT_EQ(daemon.count(Opcode::Setlkw), 1u);
  // flock(2) was not agreed on: ours, and the owner's until the release.
  const Lock whole{.owner = 1, .type = LockType::exclusive}, others{.owner = 2, .type = LockType::exclusive};
  EXPECT_TRUE(call(op::SetLock{{}, n, h, whole, false, true}));
  EXPECT_EQ(call(op::SetLock{{}, n, h, others, false, true}).code(), EAGAIN);
  EXPECT_EQ(daemon.count(Opcode::Setlk), 1u);
  op::Release release;
  release.node = n;
  release.handle = h;
  release.lock_owner = 1;
  release.unlock_flock = true;
  EXPECT_TRUE(call(release));
  EXPECT_EQ(daemon.asked(Opcode::Release)[0].in<ReleaseIn>().release_flags, 0u);
  EXPECT_TRUE(call(op::SetLock{{}, n, open(n)->handle, others, false, true}));
}

TEST_F(FuseHostFile, FlocksComeAsSuchLocks) {
  daemon.agree_on(kInitFlockLocks);
  serve_file();
  const NodeId n = node();
  EXPECT_TRUE(call(op::SetLock{{}, n, h(n), {.owner = 1, .type = LockType::exclusive}, false, true}));
  EXPECT_EQ(daemon.asked(Opcode::Setlk)[0].in<LkIn>().lk_flags, kLkFlock);
  // Ranges are ours then, and end with the flush of their owner.
  const Lock mine{.owner = 1, .type = LockType::exclusive}, others{.owner = 2, .type = LockType::shared};
  EXPECT_TRUE(call(op::SetLock{{}, n, h(n), mine, false, false}));
  EXPECT_EQ(call(op::SetLock{{}, n, h(n), others, false, false}).code(), EAGAIN);
  EXPECT_EQ(call(op::GetLock{{}, n, h(n), others})->type, LockType::exclusive);
  EXPECT_TRUE(call(op::Flush{{}, n, h(n), 1}));
  EXPECT_TRUE(call(op::SetLock{{}, n, h(n), others, false, false}));
  EXPECT_EQ(daemon.count(Opcode::Setlk), 1u);
}

TEST_F(FuseHostFile, WithoutAnyTheyAreTheVolumes) {
  serve_file();
  EXPECT_FALSE(host->capabilities().has(Op::SetLock));
  EXPECT_FALSE(host->traits().locks_shared);
}

// Says that it has locks, and has not; says what none is.
TEST_F(FuseHostFile, LocksThatAreNot) {
  std::atomic<bool> lies{true};
  daemon.agree_on(kInitPosixLocks);
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Getlk) {
      if (lies) return answer_of(LkOut{{9, 3, F_WRLCK, 0}});
      return Answer{.error = ENOSYS};
    }
    if (a.opcode() == Opcode::Setlk) return Answer{.error = ENOSYS};
    return {};
  });
  const NodeId n = node();
  const Lock mine{.owner = 1, .type = LockType::exclusive}, others{.owner = 2, .type = LockType::exclusive};
  EXPECT_EQ(call(op::GetLock{{}, n, h(n), mine}).code(), EIO);
  lies = false;
  EXPECT_EQ(call(op::GetLock{{}, n, h(n), mine})->type, LockType::unlock);
  EXPECT_TRUE(call(op::SetLock{{}, n, h(n), mine, false, false}));
  EXPECT_EQ(call(op::SetLock{{}, n, h(n), others, false, false}).code(), EAGAIN);
  EXPECT_EQ(call(op::GetLock{{}, n, h(n), others})->type, LockType::exclusive);
  EXPECT_EQ(daemon.count(Opcode::Setlk), 1u);
}

// ---- ioctls, polls ----

TEST_F(FuseHostFile, Ioctls) {
  IoctlOut out{};
  std::string data;
  daemon.agree_on(kInitHasIoctlDir);
  serve_file([&](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() != Opcode::Ioctl) return {};
    return Answer{.body = text_of_struct(out) + data};
  });
  const NodeId n = node();
  const std::string given = "in";
  op::Ioctl a{{}, n, call(op::OpenDir{{}, NodeId::root, 0})->handle, 77, 88, as_bytes(given), 8, false, true, true};
  out.result = -3;
  data = "12345678";
  auto r = call(a);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->result, -3);
  EXPECT_EQ(r->out, data);
  const auto in = daemon.asked(Opcode::Ioctl)[0].in<IoctlIn>();
  EXPECT_EQ(in.cmd, 77u);
  EXPECT_EQ(in.arg, 88u);
  EXPECT_EQ(in.flags, kIoctlDir | kIoctl32Bit);
  EXPECT_EQ(in.in_size, 2u);
  // More than there is room for; a second try that is not to be had.
  data = "123456789";
  EXPECT_EQ(call(a).code(), EIO);
  data.clear();
  out.flags = kIoctlRetry;
  EXPECT_EQ(call(a).code(), EIO);
  // An unrestricted one may have it: as many ranges as it says, and no more than there may be.
  a.unrestricted = true;
  out.in_iovs = out.out_iovs = 1;
  data = text_of_struct(IoctlIovec{0x1000, 16}) + text_of_struct(IoctlIovec{0x2000, 32});
  r = call(a);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->retry);
  ASSERT_EQ(r->retry_in.size(), 1u);
  ASSERT_EQ(r->retry_out.size(), 1u);
  EXPECT_EQ(r->retry_in[0].base, 0x1000u);
  EXPECT_EQ(r->retry_out[0].length, 32u);
  out.in_iovs = 2;
  EXPECT_EQ(call(a).code(), EIO);
  out.in_iovs = UINT32_MAX;
  EXPECT_EQ(call(a).code(), EIO);
  out.in_iovs = 1;
  data = text_of_struct(IoctlIovec{0x1000, UINT64_MAX}) + text_of_struct(IoctlIovec{0x2000, 32});
  EXPECT_EQ(call(a).code(), EIO);
}

// Armed once, told once; not of a file that is closed.
TEST_F(FuseHostFile, Polls) {
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() == Opcode::Poll) return answer_of(PollOut{UINT32_MAX, 0});
    return {};
  });
  const NodeId n = node();
  const HandleId h = open(n)->handle;
  auto ready = call(op::Poll{{}, n, h, POLLIN, false});
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, uint32_t{POLLIN | POLLERR | POLLHUP});
  EXPECT_EQ(daemon.asked(Opcode::Poll)[0].in<PollIn>().flags, 0u);
  EXPECT_TRUE(call(op::Poll{{}, n, h, POLLIN, true}));
  const auto in = daemon.asked(Opcode::Poll)[1].in<PollIn>();
  EXPECT_EQ(in.flags, kPollScheduleNotify);
  EXPECT_EQ(in.fh, 99u);
  const std::string line = fmt::format("poll {} {}", raw(n), raw(h));
  daemon.tell(NotifyCode::Poll, text_of_struct(NotifyPollWakeupOut{in.kh + 1000}));
  daemon.tell(NotifyCode::Poll, text_of_struct(NotifyPollWakeupOut{in.kh}));
  daemon.tell(NotifyCode::Poll, text_of_struct(NotifyPollWakeupOut{in.kh}));
  daemon.tell(NotifyCode::IncEpoch, "");
  EXPECT_TRUE(soon([&] { return up.heard("all"); }));
  EXPECT_EQ(up.all(), (std::vector<std::string>{line, "all"}));
  EXPECT_TRUE(call(op::Poll{{}, n, h, POLLIN, true}));
  op::Release release;
  release.node = n;
  release.handle = h;
  EXPECT_TRUE(call(release));
  daemon.tell(NotifyCode::Poll, text_of_struct(NotifyPollWakeupOut{in.kh}));
  daemon.tell(NotifyCode::IncEpoch, "");
  EXPECT_TRUE(soon([&] { return up.all().size() == 3; }));
  EXPECT_EQ(up.all().back(), "all");
}

// Only of a block device; else there is nothing to be asked for.
TEST_F(FuseHostFile, BlocksOfFilesOnBlockDevicesOnly) {
  serve_file();
  EXPECT_EQ(*call(op::Bmap{{}, node(), 3, 512}), 0u);
  EXPECT_EQ(daemon.count(Opcode::Bmap), 0u);
}

TEST_F(FuseHostFile, MakesFilesWithoutNames) {
  serve_file([](const Asked& a) -> std::optional<Answer> {
    if (a.opcode() != Opcode::Tmpfile) return {};
    EXPECT_EQ(a.name(sizeof(CreateIn)), "/");
    EXPECT_EQ(a.in<CreateIn>().mode, uint32_t{S_IFREG | 0600});
    return Answer{.body = text_of_struct(an_entry(8)) + text_of_struct(OpenOut{12, 0, 0})};
  });
  auto made = call(op::Tmpfile{{}, NodeId::root, 0600, O_RDWR, {}});
  ASSERT_TRUE(made);
  EXPECT_TRUE(read(made->entry.node, made->opened.handle, 0, 3));
  EXPECT_EQ(daemon.asked(Opcode::Read)[0].in<ReadIn>().fh, 12u);
}

}  // namespace
}  // namespace isthmus::fuse_host
