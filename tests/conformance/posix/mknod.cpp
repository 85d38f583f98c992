// mknod(2): every type, device numbers, who may; fifos and sockets in use.
#include "tests/conformance/folder.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <cstring>

namespace isthmus::conformance {
namespace {

class Mknod : public FolderTest {};

TEST_F(Mknod, Types) {
  REQUIRE_TRAIT(special_files);
  const struct {
    const char* name;
    mode_t type;
  } cases[] = {{"file", S_IFREG}, {"plain", 0}, {"fifo", S_IFIFO}, {"sock", S_IFSOCK}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    ASSERT_OK(mknod(each.name, each.type | 0666, 0));
    EXPECT_EQ(lstat_of(each.name).st_mode, (each.type != 0 ? each.type : S_IFREG) | 0644u);
    EXPECT_EQ(lstat_of(each.name).st_nlink, 1u);
    EXPECT_ERRNO(mknod(each.name, each.type | 0666, 0), EEXIST);
  }
  EXPECT_ERRNO(mknod("dir", S_IFDIR | 0755, 0), EPERM, EINVAL);
  EXPECT_ERRNO(mknod("link", S_IFLNK | 0755, 0), EINVAL, EPERM);
  EXPECT_ERRNO(mknod("no/such", S_IFIFO | 0644, 0), ENOENT);
  EXPECT_ERRNO(mknod("file/x", S_IFIFO | 0644, 0), ENOTDIR);
}

TEST_F(Mknod, DeviceNumbers) {
  REQUIRE_TRAIT(devices);
  const std::pair<unsigned, unsigned> numbers[] = {{1, 3}, {0, 0}, {8, 255}, {255, 256}, {4095, 1048575}, {259, 65536}};
  for (const auto& [high, low] : numbers) {
    for (const mode_t type : {S_IFCHR, S_IFBLK}) {
      const std::string name = std::to_string(type) + "." + std::to_string(high) + "." + std::to_string(low);
      SCOPED_TRACE(name);
      ASSERT_OK(mknod(name.c_str(), type | 0640, makedev(high, low)));
      const struct stat about = lstat_of(name);
      EXPECT_EQ(about.st_mode, static_cast<mode_t>(type) | 0640u);
      EXPECT_EQ(major(about.st_rdev), high);
      EXPECT_EQ(minor(about.st_rdev), low);
    }
  }
}

TEST_F(Mknod, OnlyRootMakesDevices) {
  REQUIRE_TRAIT(devices);
  REQUIRE_TRAIT(other_users);
  as_user(kAlice, [] {
    EXPECT_ERRNO(mknod("chr", S_IFCHR | 0666, makedev(1, 3)), EPERM);
    EXPECT_ERRNO(mknod("blk", S_IFBLK | 0666, makedev(8, 0)), EPERM);
    EXPECT_OK(mknod("fifo", S_IFIFO | 0600, 0));
    EXPECT_OK(mknod("sock", S_IFSOCK | 0600, 0));
    EXPECT_OK(mknod("reg", S_IFREG | 0600, 0));
  });
  EXPECT_FALSE(exists("chr"));
  if (options().traits.owners) {
    EXPECT_EQ(lstat_of("fifo").st_uid, kAlice.uid);
    EXPECT_EQ(lstat_of("fifo").st_gid, kAlice.gid);
  }
}

TEST_F(Mknod, FifoCarriesBytes) {
  REQUIRE_TRAIT(special_files);
  ASSERT_OK(mkfifo("fifo", 0666));
  EXPECT_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  const std::string message = pattern(100000, 3);
  Child writer([&] {
    const Fd fd = open_ok("fifo", O_WRONLY);  // waits for the reader
    std::size_t sent = 0;
    while (sent < message.size()) {
      const ssize_t done = write(fd.get(), message.data() + sent, message.size() - sent);
      ASSERT_GT(done, 0);
      sent += static_cast<std::size_t>(done);
    }
  });
  const Fd fd = open_ok("fifo", O_RDONLY);
  std::string got;
  char buffer[4096];
  for (ssize_t done = 0; (done = read(fd.get(), buffer, sizeof buffer)) > 0;)
    got.append(buffer, static_cast<std::size_t>(done));
  writer.join();
  EXPECT_TRUE(got == message);
  EXPECT_ERRNO(lseek(fd.get(), 0, SEEK_SET), ESPIPE);
  EXPECT_EQ(lstat_of("fifo").st_size, 0);
}

TEST_F(Mknod, FifoSurvivesRenameAndUnlinkWhileOpen) {
  REQUIRE_TRAIT(special_files);
  ASSERT_OK(mkfifo("fifo", 0666));
  const Fd reader = open_ok("fifo", O_RDONLY | O_NONBLOCK);
  ASSERT_OK(rename("fifo", "moved"));
  const Fd writer = open_ok("moved", O_WRONLY | O_NONBLOCK);
  ASSERT_OK(unlink("moved"));
  EXPECT_EQ(write(writer.get(), "hi", 2), 2);
  char text[3] = {};
  EXPECT_EQ(read(reader.get(), text, 2), 2);
  EXPECT_STREQ(text, "hi");
}

TEST_F(Mknod, UnixSocket) {
  REQUIRE_TRAIT(special_files);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "sock");
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const Fd server(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_OK(bind(server.get(), where, sizeof address));
  EXPECT_TRUE(S_ISSOCK(lstat_of("sock").st_mode));
  EXPECT_EQ(mode_of("sock"), 0755u);
  const Fd second(socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_ERRNO(bind(second.get(), where, sizeof address), EADDRINUSE);
  const Fd early(socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_ERRNO(connect(early.get(), where, sizeof address), ECONNREFUSED);
  ASSERT_OK(listen(server.get(), 1));
  const Fd client(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_OK(connect(client.get(), where, sizeof address));
  const Fd peer(accept(server.get(), nullptr, nullptr));
  EXPECT_EQ(write(client.get(), "ping", 4), 4);
  char text[5] = {};
  EXPECT_EQ(read(peer.get(), text, 4), 4);
  EXPECT_STREQ(text, "ping");
  EXPECT_ERRNO(open("sock", O_RDWR), ENXIO);
  if (options().traits.other_users && options().traits.special_modes) {
    ASSERT_OK(chmod("sock", 0700));
    as_user(kAlice, [&] {
      const Fd stranger(socket(AF_UNIX, SOCK_STREAM, 0));
      EXPECT_ERRNO(connect(stranger.get(), where, sizeof address), EACCES);
    });
  }
  ASSERT_OK(unlink("sock"));
  const Fd late(socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_ERRNO(connect(late.get(), where, sizeof address), ENOENT);
}

TEST_F(Mknod, PermissionsOfAFifo) {
  REQUIRE_TRAIT(special_files);
  REQUIRE_TRAIT(special_modes);
  REQUIRE_TRAIT(other_users);
  ASSERT_OK(mkfifo("fifo", 0600));
  as_user(kAlice, [] {
    EXPECT_ERRNO(open("fifo", O_RDONLY | O_NONBLOCK), EACCES);
    EXPECT_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), EACCES);
  });
}

}  // namespace
}  // namespace isthmus::conformance
