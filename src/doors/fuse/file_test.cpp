// Open files as the kernel uses them.
#include <fcntl.h>
#include <unistd.h>

#include "doors/fuse/door_test_kernel.h"

namespace isthmus::fuse::testing {
namespace {

TEST(FuseFile, OpenFiltersFlagsAndTranslatesAnswers) {
  Rig rig({Op::Open, Op::Release});
  rig.fs.t.changes_outside = true;
  uint32_t flags = 0, answer = 0;
  rig.fs.on_open = [&](auto c) {
    flags = c->flags;
    c.reply({HandleId{33}, answer, -1});
  };
  rig.init();
  const std::pair<uint32_t, uint32_t> bits[] = {
      {0, 0},
      {kOpenedKeepCache, kFopenKeepCache},
      {kOpenedDirectIo, kFopenDirectIo},
      {kOpenedNonSeekable, kFopenNonseekable},
      {kOpenedStream, kFopenStream},
      {kOpenedNoFlush, kFopenNoflush},
      {kOpenedDirectIo | kOpenedParallelWrites, kFopenDirectIo | kFopenParallelDirectWrites}};
  for (auto [ours, wires] : bits) {
    answer = ours;
    auto out = rig.kernel.call(Opcode::Open, 5, OpenIn{O_RDWR | O_TRUNC | O_APPEND | O_NOCTTY, 0}).as<OpenOut>();
    EXPECT_EQ(out.fh, 33u);
    EXPECT_EQ(out.open_flags, wires);
    EXPECT_EQ(flags, uint32_t{O_RDWR | O_APPEND});
  }
}

TEST(FuseFile, CacheOfProvidersThatNobodyElseChanges) {
  Rig rig({Op::Open});
  rig.fs.on_open = [](auto c) { c.reply({HandleId{1}, 0, -1}); };
  uint64_t flags = flags_of(rig.init());
  EXPECT_TRUE(flags & kInitExplicitInvalData);
  EXPECT_FALSE(flags & kInitAutoInvalData);
  EXPECT_EQ(rig.kernel.call(Opcode::Open, 5, OpenIn{}).as<OpenOut>().open_flags, kFopenKeepCache);
}

TEST(FuseFile, OptionsForTheCache) {
  SessionOptions o;
  o.direct_io = true;
  Rig rig({Op::Open}, o);
  rig.fs.on_open = [](auto c) { c.reply({HandleId{1}, 0, -1}); };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Open, 5, OpenIn{}).as<OpenOut>().open_flags, kFopenDirectIo);
}

TEST(FuseFile, StatelessOpens) {
  Rig rig({Op::Read, Op::Mknod});
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Open, 5, OpenIn{}).code(), ENOSYS);
  EXPECT_EQ(rig.kernel.call(Opcode::Opendir, 1, OpenIn{}).code(), ENOSYS);
  EXPECT_EQ(rig.kernel.call(Opcode::Create, 1, CreateIn{}, "x").code(), ENOSYS) << "MKNOD and OPEN are cheaper";
  EXPECT_EQ(rig.kernel.call(Opcode::Flush, 5, FlushIn{}).code(), ENOSYS);
  EXPECT_EQ(rig.kernel.call(Opcode::Fsync, 5, FsyncIn{}).code(), ENOSYS);
}

TEST(FuseFile, CreateReturnsEntryAndHandle) {
  Rig rig({Op::Create});
  op::Create args;
  Context ctx;
  rig.fs.on_create = [&](auto c) {
    args = *c;
    ctx = c.context();
    c.reply({some_entry(5), {HandleId{44}, 0, -1}});
  };
  rig.init();
  Answer a =
      rig.kernel.call(Opcode::Create, 1,
                      CreateIn{O_CREAT | O_EXCL | O_WRONLY | O_APPEND, S_IFREG | 0600, 077, kOpenKillSuidgid}, "new");
  EXPECT_EQ(a.as<EntryOut>().nodeid, 5u);
  EXPECT_EQ(a.as<OpenOut>(sizeof(EntryOut)).fh, 44u);
  EXPECT_EQ(args.flags, uint32_t{O_CREAT | O_EXCL | O_WRONLY | O_APPEND});
  EXPECT_EQ(args.mode, uint32_t{S_IFREG | 0600});
  EXPECT_TRUE(args.kill_suidgid);
  EXPECT_EQ(ctx.cred.umask, 077u);
  EXPECT_FALSE(ctx.umask_pending) << "the kernel has applied it";
}

TEST(FuseFile, WriteBackStripsAppendAndReads) {
  SessionOptions o;
  o.writeback_cache = true;
  Rig rig({Op::Open, Op::Create, Op::Write}, o);
  uint32_t flags = 0;
  op::Write write;
  rig.fs.on_open = [&](auto c) {
    flags = c->flags;
    EXPECT_TRUE(c.context().client_times);
    c.reply({HandleId{1}, 0, -1});
  };
  rig.fs.on_create = [&](auto c) {
    flags = c->flags;
    c.reply({some_entry(5), {HandleId{1}, 0, -1}});
  };
  rig.fs.on_write = [&](auto c) {
    write = *c;
    c.reply(c->data->size());
  };
  EXPECT_TRUE(flags_of(rig.init()) & kInitWritebackCache);
  rig.kernel.call(Opcode::Open, 5, OpenIn{O_WRONLY | O_APPEND, 0});
  EXPECT_EQ(flags, uint32_t{O_RDWR});
  rig.kernel.call(Opcode::Create, 1, CreateIn{O_WRONLY | O_CREAT | O_APPEND, S_IFREG | 0600, 0, 0}, "x");
  EXPECT_EQ(flags, uint32_t{O_RDWR | O_CREAT});
  WriteIn w{};
  w.size = 3;
  w.flags = O_APPEND;
  w.write_flags = kWriteCache;
  rig.kernel.call(Opcode::Write, 5, w, Raw{"abc"});
  EXPECT_FALSE(write.append);
  EXPECT_TRUE(write.from_cache);
}

TEST(FuseFile, WriteBackNeedsAProviderThatAllowsIt) {
  SessionOptions o;
  o.writeback_cache = true;
  Rig rig({Op::Open}, o);
  rig.fs.t.write_back = false;
  EXPECT_FALSE(flags_of(rig.init()) & kInitWritebackCache);
}

TEST(FuseFile, WritesInPlaceWithTheirFlags) {
  Rig rig({Op::Write});
  op::Write args;
  std::string data;
  rig.fs.on_write = [&](auto c) {
    args = *c;
    bool one = false;
    Bytes b = c->data->contiguous_bytes(one);
    EXPECT_TRUE(one);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % 4096, 0u) << "fit for O_DIRECT";
    data = as_text(b);
    c.reply(b.size());
  };
  rig.init();
  WriteIn w{};
  w.fh = 9;
  w.offset = 1 << 20;
  w.size = 100'000;
  w.flags = O_APPEND | O_DSYNC;
  w.write_flags = kWriteKillSuidgid;
  std::string bytes(100'000, 'x');
  bytes[99'999] = 'y';
  EXPECT_EQ(rig.kernel.call(Opcode::Write, 5, w, Raw{bytes}).as<WriteOut>().size, 100'000u);
  EXPECT_EQ(data, bytes);
  EXPECT_EQ(args.offset, uint64_t{1} << 20);
  EXPECT_TRUE(args.append && args.through && args.kill_suidgid && !args.from_cache);
  w.offset = INT64_MAX - 5;
  EXPECT_EQ(rig.kernel.call(Opcode::Write, 5, w, Raw{bytes}).code(), EFBIG);
}

TEST(FuseFile, ReadsOfEveryShape) {
  Rig rig({Op::Read});
  char path[] = "/tmp/isthmus_door_XXXXXX";
  Fd file(::mkstemp(path));
  ::unlink(path);
  std::string content(300'000, 'f');
  for (size_t i = 0; i < content.size(); i++) content[i] = static_cast<char>('a' + i % 23);
  ASSERT_EQ(::write(file.get(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
  int shape = 0;
  rig.fs.on_read = [&](auto c) {
    auto& a = *c;
    switch (shape) {
      case 0:
        EXPECT_EQ(reinterpret_cast<uintptr_t>(a.into.data()) % 4096, 0u);
        std::memset(a.into.data(), 'i', a.size);
        return c.reply(Buffer::filled(a.size));
      case 1:
        return c.reply(Buffer::own(std::string(a.size, 'o')));
      case 2:
        return c.reply(Buffer::file(file.get(), a.offset, a.size));
      case 3: {
        std::memcpy(a.into.data(), "456", 3);
        Buffer b = Buffer::own("123");
        b.append(Buffer::Filled{3});
        b.append(Buffer::FileRange{file.get(), 0, 3, nullptr});
        return c.reply(std::move(b));
      }
      case 4:
        return c.reply(Buffer{});
      case 5:
        return c.reply(Buffer::own(std::string(a.size + 1, 'x')));
      default:
        return c.reply(Buffer::file(-1, 0, a.size));
    }
  };
  rig.init();
  auto read = [&](int s, uint64_t offset, uint32_t size) {
    shape = s;
    ReadIn r{};
    r.offset = offset;
    r.size = size;
    return rig.kernel.call(Opcode::Read, 5, r);
  };
  EXPECT_EQ(read(0, 0, 70'000).body, std::string(70'000, 'i'));
  EXPECT_EQ(read(0, 0, 0).body, "");
  EXPECT_EQ(read(1, 0, 1000).body, std::string(1000, 'o'));
  EXPECT_EQ(read(2, 10, 100).body, content.substr(10, 100));
  EXPECT_EQ(read(2, 5, 200'000).body, content.substr(5, 200'000));
  EXPECT_EQ(read(2, 250'000, 200'000).body, content.substr(250'000)) << "a file that ends early";
  EXPECT_EQ(read(2, 900'000, 4096).body, "");
  EXPECT_EQ(read(3, 0, 100).body, "123456abc");
  EXPECT_EQ(read(4, 0, 100).body, "");
  Logged log;
  EXPECT_EQ(read(5, 0, 100).code(), EIO);
  EXPECT_EQ(read(6, 0, 100).code(), EBADF);
}

TEST(FuseFile, OpensThatNobodyGotAreReleased) {
  Rig rig({Op::Open, Op::Create, Op::OpenDir, Op::Release, Op::ReleaseDir, Op::Forget});
  std::optional<Call<op::Open>> open;
  std::optional<Call<op::Create>> create;
  std::optional<Call<op::OpenDir>> dir;
  std::atomic<int> asked{0}, released{0}, forgotten{0};
  auto hold = [&](auto& slot) {
    return [&](auto c) {
      slot.emplace(std::move(c));
      asked++;
    };
  };
  rig.fs.on_open = hold(open);
  rig.fs.on_create = hold(create);
  rig.fs.on_open_dir = hold(dir);
  rig.fs.on_release = [&](auto c) {
    released += static_cast<int>(raw(c->handle));
    c.reply({});
  };
  rig.fs.on_release_dir = [&](auto c) {
    released += static_cast<int>(raw(c->handle));
    c.reply({});
  };
  rig.fs.on_forget = [&](auto c) {
    forgotten++;
    c.reply({});
  };
  rig.init();
  rig.kernel.send(Opcode::Open, 5, OpenIn{});
  rig.kernel.send(Opcode::Create, 1, CreateIn{}, "x");
  rig.kernel.send(Opcode::Opendir, 1, OpenIn{});
  while (asked < 3) std::this_thread::sleep_for(1ms);
  rig.kernel.close();
  std::this_thread::sleep_for(10ms);
  std::exchange(open, std::nullopt)->reply({HandleId{1}, 0, -1});
  std::exchange(create, std::nullopt)->reply({some_entry(6), {HandleId{10}, 0, -1}});
  std::exchange(dir, std::nullopt)->reply({HandleId{100}, 0, -1});
  rig.door->wait();
  EXPECT_EQ(released, 111);
  EXPECT_EQ(forgotten, 1);
}

TEST(FuseFile, FlushReleaseFsync) {
  Rig rig({Op::Open, Op::Flush, Op::Release, Op::Fsync, Op::Sync, Op::Fallocate});
  std::string seen;
  rig.fs.on_flush = [&](auto c) {
    seen = fmt::format("flush {} {}", raw(c->handle), c->lock_owner);
    c.fail(EDQUOT);
  };
  rig.fs.on_release = [&](auto c) {
    seen = fmt::format("release {} {} {} {}", raw(c->handle), c->flags, c->lock_owner, c->unlock_flock);
    c.fail(EIO);
  };
  rig.fs.on_fsync = [&](auto c) {
    seen = fmt::format("fsync {}", c->data_only);
    c.reply({});
  };
  rig.fs.on_sync = [&](auto c) {
    seen = "sync";
    c.reply({});
  };
  rig.fs.on_fallocate = [&](auto c) {
    seen = fmt::format("fallocate {} {} {}", c->mode, c->offset, c->length);
    c.fail(EOPNOTSUPP);
  };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Flush, 5, FlushIn{3, 0, 0, 99}).code(), EDQUOT);
  EXPECT_EQ(seen, "flush 3 99");
  EXPECT_EQ(rig.kernel.call(Opcode::Release, 5, ReleaseIn{3, O_RDWR, kReleaseFlockUnlock, 98}).code(), EIO);
  EXPECT_EQ(seen, "release 3 2 98 true");
  EXPECT_EQ(rig.kernel.call(Opcode::Fsync, 5, FsyncIn{3, kFsyncFdatasync, 0}).code(), 0);
  EXPECT_EQ(seen, "fsync true");
  EXPECT_EQ(rig.kernel.call(Opcode::Syncfs, 1, SyncfsIn{}).code(), 0);
  EXPECT_EQ(seen, "sync");
  EXPECT_EQ(rig.kernel.call(Opcode::Fallocate, 5, FallocateIn{3, 10, 20, 1, 0}).code(), EOPNOTSUPP);
  EXPECT_EQ(seen, "fallocate 1 10 20");
  EXPECT_EQ(rig.kernel.call(Opcode::Fallocate, 5, FallocateIn{3, 10, 0, 0, 0}).code(), EINVAL);
}

TEST(FuseFile, SeekCopyTmpfile) {
  Rig rig({Op::SeekHole, Op::CopyRange, Op::Tmpfile, Op::Open});
  rig.fs.on_seek_hole = [](auto c) { c->offset > 100 ? c.fail(ENXIO) : c.reply(c->whence == SEEK_DATA ? 10u : 20u); };
  op::CopyRange copy;
  rig.fs.on_copy_range = [&](auto c) {
    copy = *c;
    c.reply(c->length);
  };
  rig.fs.on_tmpfile = [](auto c) { c.reply({some_entry(8), {HandleId{9}, 0, -1}}); };
  rig.init();
  EXPECT_EQ(rig.kernel.call(Opcode::Lseek, 5, LseekIn{1, 0, SEEK_DATA, 0}).as<LseekOut>().offset, 10u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lseek, 5, LseekIn{1, 0, SEEK_HOLE, 0}).as<LseekOut>().offset, 20u);
  EXPECT_EQ(rig.kernel.call(Opcode::Lseek, 5, LseekIn{1, 101, SEEK_HOLE, 0}).code(), ENXIO);
  EXPECT_EQ(rig.kernel.call(Opcode::Lseek, 5, LseekIn{1, 0, SEEK_END, 0}).code(), EINVAL);
  CopyFileRangeIn in{1, 2, 6, 3, 4, uint64_t{1} << 40, 0};
  EXPECT_EQ(rig.kernel.call(Opcode::CopyFileRange, 5, in).as<WriteOut>().size, 0xfffff000u);
  EXPECT_EQ(copy.to, NodeId{6});
  EXPECT_EQ(rig.kernel.call(Opcode::CopyFileRange64, 5, in).as<CopyFileRangeOut>().bytes_copied, uint64_t{1} << 40);
  Answer t = rig.kernel.call(Opcode::Tmpfile, 1, CreateIn{O_RDWR | O_TMPFILE, S_IFREG | 0600, 0, 0}, "/");
  EXPECT_EQ(t.as<EntryOut>().nodeid, 8u);
  EXPECT_EQ(t.as<OpenOut>(sizeof(EntryOut)).fh, 9u);
}

TEST(FuseFile, WhatTheProviderLacksIsSaidOnce) {
  Rig rig({Op::Read, Op::Write});
  rig.init();
  auto& k = rig.kernel;
  EXPECT_EQ(k.call(Opcode::Lseek, 5, LseekIn{1, 0, SEEK_DATA, 0}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::CopyFileRange, 5, CopyFileRangeIn{}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Fallocate, 5, FallocateIn{1, 0, 10, 0, 0}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Poll, 5, PollIn{}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Ioctl, 5, IoctlIn{}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Bmap, 5, BmapIn{}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Getxattr, 5, GetxattrIn{}, "user.a").code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Tmpfile, 1, CreateIn{}, "/").code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Syncfs, 1, SyncfsIn{}).code(), ENOSYS);
  EXPECT_EQ(k.call(Opcode::Statfs, 1).code(), 0);
}

}  // namespace
}  // namespace isthmus::fuse::testing
