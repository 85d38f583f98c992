#include "doors/common/loopback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace isthmus {
namespace {

constexpr uint32_t kStranger = 54'321;

sockaddr_in address_of(const Endpoint& e) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(e.port);
  inet_pton(AF_INET, e.address.c_str(), &a.sin_addr);
  return a;
}

/// A process of another user that holds a connection until the end of the test.
class Stranger {
 public:
  explicit Stranger(const Endpoint& to) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      const sockaddr_in a = address_of(to);
      close(ends[1]);
      const int s = setuid(kStranger) == 0 ? socket(AF_INET, SOCK_STREAM, 0) : -1;
      if (s < 0 || connect(s, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) _exit(1);
      char c;
      const ssize_t n = read(ends[0], &c, 1);  // until the test ends, however it does
      _exit(n == 0 ? 0 : 1);
    }
    close(ends[0]);
    until_ = Fd(ends[1]);
  }
  ~Stranger() {
    until_.reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

 private:
  pid_t pid_ = -1;
  Fd until_;
};

Fd accepted(const Listener& at) {
  pollfd p{at.socket.get(), POLLIN, 0};
  return poll(&p, 1, 60'000) == 1 ? Fd(accept4(at.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)) : Fd();
}

TEST(Loopback, ListensOnLoopbackOnlyUnlessToldOtherwise) {
  EXPECT_EQ(listen_on({"0.0.0.0", 0}).problem().code, err(EPERM));
  EXPECT_EQ(listen_on({"localhost", 0}).problem().code, err(EINVAL));
  auto at = listen_on({});
  ASSERT_TRUE(at);
  EXPECT_EQ(at->bound.address, "127.0.0.1");
  EXPECT_NE(at->bound.port, 0);
  EXPECT_EQ(listen_on(at->bound).problem().code, err(EADDRINUSE));
}

TEST(Admission, ItsOwnUserComesIn) {
  auto at = listen_on({});
  ASSERT_TRUE(at);
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in a = address_of(at->bound);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a), 0);
  const Fd server = accepted(*at);
  Admission own(false, {});
  std::optional<uint32_t> uid;
  EXPECT_TRUE(own.admits(server.get(), uid));
  EXPECT_EQ(uid, geteuid());
}

TEST(Admission, OthersAreRefusedUnlessNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  auto at = listen_on({});
  ASSERT_TRUE(at);
  const Stranger stranger(at->bound);
  const Fd server = accepted(*at);
  ASSERT_TRUE(server);
  std::optional<uint32_t> uid;
  EXPECT_FALSE(Admission(false, {}).admits(server.get(), uid));
  EXPECT_FALSE(Admission(true, {}).admits(server.get(), uid)) << "of this machine, and still another's";
  EXPECT_EQ(uid, kStranger);
  EXPECT_TRUE(Admission(false, {kStranger}).admits(server.get(), uid));
}

}  // namespace
}  // namespace isthmus
