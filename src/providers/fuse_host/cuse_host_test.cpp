/// Character devices: CUSE_INIT, the folder around a device, and what its daemon is asked.
#include "providers/fuse_host/cuse_host.h"

#include <gmock/gmock.h>
#include <poll.h>

#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

class CuseHostTest : public testing::Test {
 protected:
  static CuseInitOut init_out() {
    CuseInitOut out{};
    out.major = 7;
    out.minor = 31;
    out.flags = kCuseUnrestrictedIoctl;
    out.max_read = out.max_write = 64 << 10;
    return out;
  }
  static std::string init(const CuseInitOut& out, std::string_view info) {
    return text_of_struct(out) + std::string(info);
  }
  Expected<std::unique_ptr<CuseHost>> connect(std::string said) {
    daemon.cuse_init = std::move(said);
    daemon.serve([this](const Asked& a) { return handler ? handler(a) : Answer{.error = ENOSYS}; });
    return CuseHost::connect(daemon.device(), {}, [] { return false; });
  }
  void serve(Daemon::Handler h, const CuseInitOut& out = init_out()) {
    handler = std::move(h);
    auto made = connect(init(out, {"DEVNAME=fioc\0", 13}));
    ASSERT_TRUE(made) << made.problem().text();
    host = std::move(*made);
    ASSERT_TRUE(host->start(up));
    auto entry = call(op::Lookup{{}, NodeId::root, "fioc"});
    ASSERT_TRUE(entry);
    device = entry->node;
  }
  void TearDown() override {
    if (host) host->stop();
    host.reset();
    daemon.end();
  }
  template <class T>
  Result<typename T::Reply> call(T args) {
    return call_and_wait(*host, std::move(args));
  }
  HandleId open() {
    op::Open a;
    a.node = device;
    a.flags = O_RDWR | O_TRUNC;
    auto opened = call(a);
    EXPECT_TRUE(opened);
    if (!opened) return HandleId::none;
    EXPECT_TRUE(opened->flags & kOpenedDirectIo);
    return opened->handle;
  }

  Daemon::Handler handler;
  Heard up;
  Daemon daemon;
  std::unique_ptr<CuseHost> host;
  NodeId device{};
};

TEST_F(CuseHostTest, TellsWhatWeAreAndTakesTheName) {
  serve({});
  const auto asked = daemon.asked(Opcode::CuseInit);
  ASSERT_EQ(asked.size(), 1u);
  const auto in = asked[0].in<CuseInitIn>();
  EXPECT_EQ(in.major, kMajor);
  EXPECT_EQ(in.minor, kMinor);
  EXPECT_EQ(in.flags, kCuseUnrestrictedIoctl);
  EXPECT_EQ(host->name(), "fioc");
  EXPECT_EQ(host->pid(), getpid());
  EXPECT_EQ(host->traits().type, "cuse");
}

TEST_F(CuseHostTest, RefusesAnswersThatAreNone) {
  CuseInitOut old = init_out(), other = init_out();
  old.minor = 11;
  other.major = 8;
  const std::string name("DEVNAME=x\0", 10);
  const std::string all[] = {"",
                             text_of_struct(init_out()).substr(1),
                             text_of_struct(init_out()),
                             init(init_out(), "DEVNAME=x"),
                             init(init_out(), {"OTHER=x\0", 8}),
                             init(init_out(), {"DEVNAME=..\0", 11}),
                             init(init_out(), name + std::string(kCuseInitInfoMax, '\0')),
                             init(old, name),
                             init(other, name)};
  for (auto& said : all) {
    Daemon d;
    d.cuse_init = said;
    d.serve([](const Asked&) { return Answer{.error = ENOSYS}; });
    auto made = CuseHost::connect(d.device(), {}, [] { return false; });
    EXPECT_FALSE(made) << said.size();
    if (!made) {
      EXPECT_EQ(made.problem().code, err(EPROTO));
    }
    d.end();
  }
}

TEST_F(CuseHostTest, IsAFolderWithOneFile) {
  serve({});
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "other"}).code(), ENOENT);
  EXPECT_EQ(call(op::Lookup{{}, device, "fioc"}).code(), ENOTDIR);
  auto root = call(op::Getattr{{}, NodeId::root}), file = call(op::Getattr{{}, device});
  ASSERT_TRUE(root && file);
  EXPECT_TRUE(S_ISDIR(root->attr.mode));
  EXPECT_EQ(file->attr.mode, S_IFREG | 0600u);
  EXPECT_EQ(file->attr.size, 0u);
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      names += std::string(e.name) + " ";
      last = e.cookie;
      return true;
    }
    std::string names;
    uint64_t last = 0;
  } sink;
  EXPECT_TRUE(call(op::ReadDir{{}, NodeId::root, HandleId::none, 0, false, {}, &sink}));
  EXPECT_TRUE(call(op::ReadDir{{}, NodeId::root, HandleId::none, sink.last, false, {}, &sink}));
  EXPECT_EQ(sink.names, "fioc ");
  op::Setattr set;
  set.node = device;
  set.set.mask = kSetMode | kSetSize;
  set.set.to.mode = 0644;
  set.set.to.size = 100;
  auto changed = call(set);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->attr.mode, S_IFREG | 0644u);
  EXPECT_EQ(changed->attr.size, 0u);
  op::Open a;
  a.node = NodeId::root;
  EXPECT_EQ(call(a).code(), EISDIR);
  op::Mkdir make{{}, NodeId::root, "new", 0755};
  EXPECT_FALSE(call(make));
  EXPECT_EQ(daemon.asked().size(), 1u) << "the daemon has no part in it";
}

TEST_F(CuseHostTest, OpensReadsWritesAndReleases) {
  serve([](const Asked& a) -> Answer {
    switch (a.opcode()) {
      case Opcode::Open:
        return answer_of(OpenOut{77, 0, 0});
      case Opcode::Read:
        return {0, std::string("short")};
      case Opcode::Write:
        return answer_of(WriteOut{3, 0});
      default:
        return {};
    }
  });
  const HandleId handle = open();
  EXPECT_FALSE(daemon.asked(Opcode::Open)[0].in<OpenIn>().flags & O_TRUNC);
  op::Read read;
  read.node = device;
  read.handle = handle;
  read.offset = 10;
  read.size = 4096;
  auto got = call(read);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), 5u);
  const Buffer data = Buffer::view(as_bytes("written"));
  op::Write write;
  write.node = device;
  write.handle = handle;
  write.data = &data;
  write.append = true;
  auto taken = call(write);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, 3u) << "a short write is final";
  op::Release release;
  release.node = device;
  release.handle = handle;
  EXPECT_TRUE(call(release));
  EXPECT_EQ(call(read).code(), EBADF);
  host->stop();
  for (auto& a : daemon.asked()) EXPECT_EQ(a.header.nodeid, 0u);
  EXPECT_EQ(daemon.count(Opcode::Setattr) + daemon.count(Opcode::Getattr) + daemon.count(Opcode::Destroy), 0u);
  const auto reads = daemon.asked(Opcode::Read);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].in<ReadIn>().offset, 10u);
  EXPECT_EQ(reads[0].in<ReadIn>().fh, 77u);
}

TEST_F(CuseHostTest, AnswersThatCannotBe) {
  serve([](const Asked& a) -> Answer {
    switch (a.opcode()) {
      case Opcode::Open:
        return answer_of(OpenOut{77, 0, 0});
      case Opcode::Read:
        return {0, std::string(5000, 'x')};
      case Opcode::Write:
        return answer_of(WriteOut{100, 0});
      default:
        return {0, std::string(1, 'x')};
    }
  });
  const HandleId handle = open();
  op::Read read;
  read.node = device;
  read.handle = handle;
  read.size = 4096;
  EXPECT_EQ(call(read).code(), EIO);
  const Buffer data = Buffer::view(as_bytes("written"));
  op::Write write;
  write.node = device;
  write.handle = handle;
  write.data = &data;
  EXPECT_EQ(call(write).code(), EIO);
  EXPECT_EQ(call(op::Ioctl{{}, device, handle, 1}).code(), EIO);
  op::Poll poll;
  poll.node = device;
  poll.handle = handle;
  EXPECT_EQ(call(poll).code(), EIO);
}

/// Asks for ranges of the caller's memory until it has them, as fs/fuse/ioctl.c has it.
TEST_F(CuseHostTest, IoctlsWithAndWithoutRestrictions) {
  serve([](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Open) return answer_of(OpenOut{77, 0, 0});
    if (a.opcode() != Opcode::Ioctl) return {};
    const auto in = a.in<IoctlIn>();
    IoctlOut out{};
    if (in.in_size == 0) {
      out.flags = kIoctlRetry;
      out.in_iovs = out.out_iovs = 1;
      return {0, text_of_struct(out) + text_of_struct(IoctlIovec{in.arg, 16}) +
                     text_of_struct(IoctlIovec{in.arg + 100, 4})};
    }
    out.result = 42;
    return {0, text_of_struct(out) + a.body.substr(sizeof in, in.out_size)};
  });
  const HandleId handle = open();
  op::Ioctl a{{}, device, handle, 7, 0x1000};
  EXPECT_EQ(call(a).code(), EIO) << "a restricted one cannot be asked again";
  a.unrestricted = true;
  auto first = call(a);
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->retry);
  ASSERT_EQ(first->retry_in.size() + first->retry_out.size(), 2u);
  EXPECT_EQ(first->retry_in[0].base, 0x1000u);
  EXPECT_EQ(first->retry_out[0].base, 0x1064u);
  const std::string memory = "sixteen bytes...";
  a.in = as_bytes(memory);
  a.out_max = first->retry_out[0].length;
  auto second = call(a);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->retry);
  EXPECT_EQ(second->result, 42);
  EXPECT_EQ(second->out, "sixt");
  const auto asked = daemon.asked(Opcode::Ioctl);
  EXPECT_EQ(asked[0].in<IoctlIn>().flags, 0u);
  EXPECT_EQ(asked[1].in<IoctlIn>().flags, kIoctlUnrestricted);
  EXPECT_EQ(call(op::Ioctl{{}, NodeId::root, HandleId::none, 7}).code(), ENOTTY);
}

TEST_F(CuseHostTest, WithoutItsFlagEachIoctlIsRestricted) {
  CuseInitOut out = init_out();
  out.flags = 0;
  serve(
      [](const Asked& a) -> Answer {
        if (a.opcode() == Opcode::Open) return answer_of(OpenOut{77, 0, 0});
        IoctlOut again{};
        again.flags = kIoctlRetry;
        return answer_of(again);
      },
      out);
  op::Ioctl a{{}, device, open(), 7, 0x1000};
  a.unrestricted = true;
  EXPECT_EQ(call(a).code(), EIO);
  EXPECT_EQ(daemon.asked(Opcode::Ioctl)[0].in<IoctlIn>().flags, 0u);
}

TEST_F(CuseHostTest, PollsAndHearsWhenItIsReady) {
  serve([](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Open) return answer_of(OpenOut{77, 0, 0});
    return answer_of(PollOut{0, 0});
  });
  const HandleId handle = open();
  op::Poll a;
  a.node = device;
  a.handle = handle;
  a.events = POLLIN;
  a.arm = true;
  auto ready = call(a);
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 0u);
  const auto in = daemon.asked(Opcode::Poll)[0].in<PollIn>();
  EXPECT_EQ(in.flags, kPollScheduleNotify);
  daemon.tell(NotifyCode::Poll, text_of_struct(NotifyPollWakeupOut{in.kh}));
  EXPECT_TRUE(soon([&] { return up.heard(fmt::format("poll {} {}", raw(device), raw(handle))); }));
}

TEST_F(CuseHostTest, WhatItLacks) {
  serve([](const Asked& a) -> Answer {
    return a.opcode() == Opcode::Read ? Answer{0, std::string("x")} : Answer{.error = ENOSYS};
  });
  const HandleId handle = open();
  op::Read read;
  read.node = device;
  read.handle = handle;
  read.size = 10;
  auto got = call(read);
  ASSERT_TRUE(got) << "one without OPEN is open to all";
  EXPECT_EQ(got->size(), 1u);
  EXPECT_EQ(call(op::Ioctl{{}, device, handle, 1}).code(), ENOTTY);
  op::Poll poll;
  poll.node = device;
  poll.handle = handle;
  poll.events = POLLIN;
  auto ready = call(poll);
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, static_cast<uint32_t>(POLLIN)) << "ready, always";
  daemon.hang_up();
  EXPECT_TRUE(soon([&] { return call(read).code() == ENOTCONN; }));
}

}  // namespace
}  // namespace isthmus::fuse_host
