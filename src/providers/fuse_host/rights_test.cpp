/// Who may do what, and what a volume keeps of a daemon's answers: the driver and the volume together are the kernel.
#include <fcntl.h>

#include "providers/fuse_host/test_daemon.h"
#include "vfs/volume/port.h"
#include "vfs/volume/volume.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

class FuseHostRights : public testing::Test {
 protected:
  void serve(Daemon::Handler handler, Options options = {}) {
    daemon.serve(std::move(handler));
    auto made = FuseHost::connect(daemon.device(), std::move(options), [] { return false; });
    ASSERT_TRUE(made) << made.problem().text();
    host = std::move(*made);
    volume.emplace(*host);
    ASSERT_TRUE(volume->start());
    port = volume->port({.door = DoorKind::webdav, .check_access = !host->judges_itself()});
    ASSERT_TRUE(port->start(up));
  }
  void TearDown() override {
    if (port) port->stop();
    port.reset();
    if (volume) volume->stop();
    volume.reset();
    host.reset();
    daemon.end();
  }
  static Context user(uint32_t uid) {
    Context ctx;
    ctx.cred = {.known = true, .uid = uid, .gid = uid, .groups = {}, .groups_known = true};
    return ctx;
  }
  template <class T>
  Result<typename T::Reply> call(T args, const Context& ctx) {
    return call_and_wait(*port, std::move(args), ctx);
  }

  Heard up;
  Daemon daemon;
  std::unique_ptr<FuseHost> host;
  std::optional<Volume> volume;
  std::unique_ptr<VolumePort> port;
};

/// The root of all; "mine" is of user 1000 alone; what is made is as asked for. Times are long.
Answer serve_tree(const Asked& a) {
  auto entry = [](uint64_t number, uint32_t mode) {
    EntryOut e = an_entry(number, mode);
    e.attr.uid = e.attr.gid = 1000;
    e.entry_valid = e.attr_valid = 3600;
    return e;
  };
  AttrOut root = attributes_of(1, S_IFDIR | 0755);
  root.attr_valid = 3600;
  switch (a.opcode()) {
    case Opcode::Lookup:
      if (a.name() == "mine") return answer_of(entry(7, S_IFREG | 0600));
      if (a.name() == "dir") return answer_of(entry(8, S_IFDIR | S_ISVTX | 0777));
      return {.error = ENOENT};
    case Opcode::Getattr:
      return a.header.nodeid == 1 ? answer_of(root) : answer_of(AttrOut{3600, 0, 0, entry(7, S_IFREG | 0600).attr});
    case Opcode::Setattr:
      return answer_of(AttrOut{3600, 0, 0, entry(7, S_IFREG | 0600).attr});
    case Opcode::Open:
    case Opcode::Opendir:
      return answer_of(OpenOut{5, 0, 0});
    case Opcode::Mkdir:
      return answer_of(entry(9, S_IFDIR | 0755));
    default:
      return {};
  }
}

op::Open open_of(NodeId n, uint32_t flags) {
  op::Open a;
  a.node = n;
  a.flags = flags;
  return a;
}

// default_permissions: modes decide, and the daemon hears of nothing that is refused.
TEST_F(FuseHostRights, ModesAreCheckedBefore) {
  serve(serve_tree);
  const Context owner = user(1000), other = user(2000);
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, other);
  ASSERT_TRUE(mine);
  const size_t before = daemon.count(Opcode::Open);
  EXPECT_EQ(call(open_of(mine->node, O_RDONLY), other).code(), EACCES);
  EXPECT_EQ(call(op::Mkdir{{}, NodeId::root, "x", 0700}, other).code(), EACCES);
  op::Setattr set;
  set.node = mine->node;
  set.set.mask = kSetMode;
  EXPECT_EQ(call(set, other).code(), EPERM);
  EXPECT_EQ(call(op::Access{{}, mine->node, R_OK}, other).code(), EACCES);
  EXPECT_EQ(daemon.count(Opcode::Open), before);
  EXPECT_EQ(daemon.count(Opcode::Mkdir) + daemon.count(Opcode::Setattr) + daemon.count(Opcode::Access), 0u);
  EXPECT_TRUE(call(open_of(mine->node, O_RDWR), owner));
  EXPECT_TRUE(call(set, owner));
  EXPECT_TRUE(call(op::Access{{}, mine->node, R_OK}, owner));
  EXPECT_EQ(daemon.count(Opcode::Access), 0u);
}

// Without default_permissions the daemon judges, by who asks; access(2) asks it.
TEST_F(FuseHostRights, ElseTheDaemonJudges) {
  Options options;
  options.default_permissions = false;
  serve(
      [](const Asked& a) -> Answer {
        if (a.opcode() == Opcode::Access || (a.opcode() == Opcode::Open && a.header.uid == 3000))
          return {.error = EACCES};
        return serve_tree(a);
      },
      options);
  const Context other = user(2000), third = user(3000);
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, other);
  ASSERT_TRUE(mine);
  EXPECT_TRUE(call(open_of(mine->node, O_RDWR), other)) << "the daemon lets anybody in";
  EXPECT_EQ(daemon.asked(Opcode::Open)[0].header.uid, 2000u);
  EXPECT_EQ(call(open_of(mine->node, O_RDWR), third).code(), EACCES);
  EXPECT_TRUE(call(op::Mkdir{{}, NodeId::root, "x", 0700}, other));
  EXPECT_EQ(call(op::Access{{}, mine->node, R_OK}, other).code(), EACCES);
  EXPECT_EQ(daemon.count(Opcode::Access), 1u);
  EXPECT_EQ(daemon.count(Opcode::Getattr), 0u) << "nobody looks at modes";
}

// With POSIX_ACL modes and ACLs are checked whatever it was mounted with.
TEST_F(FuseHostRights, WhoHasAclsDoesNot) {
  daemon.agree_on(kInitPosixAcl);
  Options options;
  options.default_permissions = false;
  serve(serve_tree, options);
  EXPECT_FALSE(host->judges_itself());
  EXPECT_TRUE(host->traits().posix_acl);
}

// Without allow_other nobody but the owner comes in; what is open already stays.
TEST_F(FuseHostRights, OthersAreKeptOut) {
  Options options;
  options.allow_other = false;
  options.owner = 1000;
  serve(serve_tree, options);
  const Context owner = user(1000), other = user(2000), root = user(0);
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, owner);
  ASSERT_TRUE(mine);
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "dir"}, other).code(), EACCES);
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "dir"}, root).code(), EACCES);
  EXPECT_EQ(call(open_of(mine->node, O_RDONLY), other).code(), EACCES);
  EXPECT_EQ(call(op::GetXattr{{}, mine->node, "user.a"}, other).code(), EACCES);
  EXPECT_EQ(call(op::Unlink{{}, NodeId::root, "mine"}, other).code(), EACCES);
  auto opened = call(open_of(mine->node, O_RDONLY), owner);
  ASSERT_TRUE(opened);
  op::Read read;
  read.node = mine->node;
  read.handle = opened->handle;
  read.size = 10;
  EXPECT_TRUE(call(read, other));
}

TEST_F(FuseHostRights, RootMayBeLetIn) {
  Options options;
  options.allow_other = false;
  options.allow_root = true;
  options.owner = 1000;
  serve(serve_tree, options);
  EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "dir"}, user(0)));
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "mine"}, user(2000)).code(), EACCES);
}

// A read-only mount says EROFS by itself.
TEST_F(FuseHostRights, ReadOnlyMountsChangeNothing) {
  Options options;
  options.read_only = true;
  serve(serve_tree, options);
  const Context owner;  // nobody checks modes
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, owner);
  ASSERT_TRUE(mine);
  const std::string text = "x";
  const Buffer data = Buffer::view(as_bytes(text));
  op::Write write;
  write.node = mine->node;
  write.data = &data;
  op::Setattr set;
  set.node = mine->node;
  set.set.mask = kSetMode;
  op::Create create;
  create.dir = NodeId::root;
  create.name = "new";
  create.flags = O_RDWR;
  const size_t before = daemon.count() - daemon.count(Opcode::Lookup);
  EXPECT_EQ(call(write, owner).code(), EROFS);
  EXPECT_EQ(call(set, owner).code(), EROFS);
  EXPECT_EQ(call(create, owner).code(), EROFS);
  EXPECT_EQ(call(op::Mknod{{}, NodeId::root, "x", S_IFREG | 0600, 0}, owner).code(), EROFS);
  EXPECT_EQ(call(op::Mkdir{{}, NodeId::root, "x", 0700}, owner).code(), EROFS);
  EXPECT_EQ(call(op::Unlink{{}, NodeId::root, "mine"}, owner).code(), EROFS);
  EXPECT_EQ(call(op::SetXattr{{}, mine->node, "user.a", as_bytes(text)}, owner).code(), EROFS);
  EXPECT_EQ(call(op::RemoveXattr{{}, mine->node, "user.a"}, owner).code(), EROFS);
  EXPECT_EQ(call(op::Fallocate{{}, mine->node, HandleId::none, 0, 0, 1}, owner).code(), EROFS);
  EXPECT_EQ(call(op::Access{{}, mine->node, W_OK}, owner).code(), EROFS);
  EXPECT_EQ(call(open_of(mine->node, O_RDWR), owner).code(), EROFS);
  EXPECT_EQ(daemon.count() - daemon.count(Opcode::Lookup), before);
  EXPECT_TRUE(call(open_of(mine->node, O_RDONLY), owner));
}

// ---- what is kept, and for how long: no more requests than a kernel with its caches sends ----

// Names, missing ones too, and attributes for their time; until the daemon says otherwise.
TEST_F(FuseHostRights, AnswersAreKeptForTheirTime) {
  serve([](const Asked& a) -> Answer {
    if (a.opcode() == Opcode::Lookup && a.name() == "missing") {
      EntryOut none{};
      none.entry_valid = 3600;
      return answer_of(none);
    }
    if (a.opcode() == Opcode::Lookup && a.name() == "fleeting") return answer_of(EntryOut{});
    if (a.opcode() == Opcode::Lookup && a.name() == "nokeep") {
      EntryOut e = an_entry(20);
      e.entry_valid = 0;
      return answer_of(e);
    }
    return serve_tree(a);
  });
  const Context ctx;
  NodeId mine{};
  for (int i = 0; i < 3; i++) {
    auto e = call(op::Lookup{{}, NodeId::root, "mine"}, ctx);
    ASSERT_TRUE(e);
    mine = e->node;
    EXPECT_TRUE(call(op::Getattr{{}, mine}, ctx));
    EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "missing"}, ctx)->node, NodeId::none);
  }
  EXPECT_EQ(daemon.count(Opcode::Lookup), 2u);
  EXPECT_EQ(daemon.count(Opcode::Getattr), 0u);
  for (int i = 0; i < 2; i++) {
    EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "fleeting"}, ctx));
    EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "nokeep"}, ctx));
    EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "error"}, ctx).code(), ENOENT);
  }
  EXPECT_EQ(daemon.count(Opcode::Lookup), 8u);
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{7, -1, 0}));
  EXPECT_TRUE(soon([&] {
    EXPECT_TRUE(call(op::Getattr{{}, mine}, ctx));
    return daemon.count(Opcode::Getattr) == 1;
  }));
  daemon.tell(NotifyCode::InvalEntry, text_of_struct(NotifyInvalEntryOut{1, 4, 0}) + std::string("mine\0", 5));
  EXPECT_TRUE(soon([&] {
    EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "mine"}, ctx));
    return daemon.count(Opcode::Lookup) == 9;
  }));
}

// What is kept goes when the daemon wants to forget it; a count for each lookup, in the end all.
TEST_F(FuseHostRights, WhatIsKeptOnlyToHaveItIsGivenBack) {
  serve(serve_tree);
  const Context ctx;
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, ctx);
  ASSERT_TRUE(mine);
  EXPECT_TRUE(call(op::Forget{{}, mine->node, 1}, ctx));
  EXPECT_EQ(daemon.forgotten(7), 0u) << "its name is kept";
  daemon.tell(NotifyCode::Prune, text_of_struct(NotifyPruneOut{1, 0, 0}) + text_of_struct(uint64_t{7}));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 1; }));
  EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "mine"}, ctx));
  EXPECT_TRUE(call(op::Lookup{{}, NodeId::root, "dir"}, ctx));
  port->stop();
  port.reset();
  volume->stop();
  volume.reset();
  EXPECT_EQ(daemon.forgotten(7), 2u);
  EXPECT_EQ(daemon.forgotten(8), 1u);
  EXPECT_EQ(daemon.asked().back().opcode(), Opcode::Destroy);
}

// A file that was unlinked while it is open is not forgotten before it is released, and goes on.
TEST_F(FuseHostRights, AnOpenFileOutlivesItsName) {
  serve(serve_tree);
  const Context ctx;
  auto mine = call(op::Lookup{{}, NodeId::root, "mine"}, ctx);
  ASSERT_TRUE(mine);
  auto opened = call(open_of(mine->node, O_RDWR), ctx);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(call(op::Unlink{{}, NodeId::root, "mine"}, ctx));
  EXPECT_TRUE(call(op::Forget{{}, mine->node, 1}, ctx));
  op::Read read;
  read.node = mine->node;
  read.handle = opened->handle;
  read.size = 10;
  EXPECT_TRUE(call(read, ctx));
  EXPECT_EQ(daemon.forgotten(7), 0u);
  op::Release release;
  release.node = mine->node;
  release.handle = opened->handle;
  EXPECT_TRUE(call(release, ctx));
  EXPECT_TRUE(soon([&] { return daemon.forgotten(7) == 1; }));
  const auto all = daemon.asked();
  auto place = [&](Opcode o) {
    return std::find_if(all.begin(), all.end(), [&](auto& a) { return a.opcode() == o; }) - all.begin();
  };
  EXPECT_LT(place(Opcode::Release), place(Opcode::Forget));
}

// The death of a daemon is every waiter's error at once, and the end of the volume is not held up by it.
TEST_F(FuseHostRights, ADeadDaemonHoldsNobodyUp) {
  serve([](const Asked& a) -> Answer { return a.opcode() == Opcode::Statfs ? kSilence : serve_tree(a); });
  std::thread waits([&] { EXPECT_EQ(call(op::Statfs{}, user(1000)).code(), ENOTCONN); });
  EXPECT_TRUE(soon([&] { return daemon.count(Opcode::Statfs) == 1; }));
  daemon.hang_up();
  waits.join();
  EXPECT_EQ(call(op::Lookup{{}, NodeId::root, "mine"}, user(1000)).code(), ENOTCONN);
}

}  // namespace
}  // namespace isthmus::fuse_host
