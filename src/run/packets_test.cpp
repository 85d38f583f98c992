#include "run/packets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <string>
#include <thread>

namespace isthmus {
namespace {

/// A packet is a byte with its length, itself included, and as many bytes as that; 0 is an error.
Result<size_t> length_of(Bytes have) {
  if (have.empty()) return size_t{0};
  const auto n = std::to_integer<size_t>(have[0]);
  return n == 0 ? Result<size_t>(err(EPROTO)) : Result<size_t>(n);
}

std::string packet(const std::string& text) { return std::string(1, static_cast<char>(text.size() + 1)) + text; }

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  void put(const std::string& bytes) const {
    EXPECT_EQ(::write(write.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  Fd read, write;
};

TEST(PacketReader, TakesPacketsHoweverTheyCome) {
  Pipe p;
  PacketReader reader(p.read.get(), -1, length_of);
  Room room;
  EXPECT_FALSE(reader.readable());
  p.put(packet("first") + packet("") + packet("third").substr(0, 3));
  EXPECT_TRUE(reader.readable());
  EXPECT_EQ(as_text(*reader.next(room)), packet("first"));
  EXPECT_TRUE(reader.readable());
  EXPECT_EQ(as_text(*reader.next(room)), packet(""));
  std::thread slow([&] {
    for (char c : packet("third").substr(3) + packet("fourth")) p.put(std::string(1, c));
    p.write.reset();
  });
  EXPECT_EQ(as_text(*reader.next(room)), packet("third"));
  EXPECT_EQ(as_text(*reader.next(room)), packet("fourth"));
  const auto end = reader.next(room);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error(), err(ENOTCONN));
  slow.join();
}

TEST(PacketReader, TellsAnEndInTheMiddleAndWhatIsNoPacket) {
  {
    Pipe p;
    PacketReader reader(p.read.get(), -1, length_of);
    Room room;
    p.put(packet("whole") + packet("cut off").substr(0, 4));
    p.write.reset();
    EXPECT_TRUE(reader.next(room));
    EXPECT_EQ(reader.next(room).error(), err(EPROTO));
  }
  Pipe p;
  PacketReader reader(p.read.get(), -1, length_of);
  Room room;
  p.put(std::string(4, '\0'));
  EXPECT_EQ(reader.next(room).error(), err(EPROTO));
}

TEST(PacketReader, IsWokenAndGoesOn) {
  Pipe p;
  const Fd wake(eventfd(0, EFD_CLOEXEC));
  PacketReader reader(p.read.get(), wake.get(), length_of);
  Room room;
  p.put(packet("late").substr(0, 2));
  eventfd_write(wake.get(), 1);
  EXPECT_EQ(reader.next(room).error(), err(ECANCELED));
  eventfd_t count = 0;
  eventfd_read(wake.get(), &count);
  p.put(packet("late").substr(2));
  EXPECT_EQ(as_text(*reader.next(room)), packet("late"));
}

TEST(PacketWriter, NeverWaitsUnlessToldTo) {
  Pipe p;
  const int flags = fcntl(p.write.get(), F_GETFL);
  const Fd kept(dup(p.write.get()));
  const PacketWriter writer(std::move(p.write));
  EXPECT_EQ(fcntl(kept.get(), F_GETFL), flags);  // others' descriptor is as it was
  const std::string data(1 << 20, 'x');
  const iovec part{const_cast<char*>(data.data()), data.size()};
  size_t written = 0;
  for (;;) {
    const auto n = writer.write_some(std::span(&part, 1), false);
    if (!n) {
      EXPECT_EQ(n.error(), err(EAGAIN));
      break;
    }
    written += *n;
  }
  EXPECT_GT(written, 0u);
  EXPECT_EQ(writer.write_some(std::span(&part, 1), true).error(), err(EINTR));  // after a while
  std::string room(written, '\0');
  EXPECT_GT(read(p.read.get(), room.data(), room.size()), 0);
  EXPECT_TRUE(writer.write_some(std::span(&part, 1), true));
}

TEST(PacketWriter, TellsThatNobodyReads) {
  signal(SIGPIPE, SIG_IGN);
  Pipe p;
  p.read.reset();
  const PacketWriter writer(std::move(p.write));
  const iovec part{const_cast<char*>("x"), 1};
  EXPECT_EQ(writer.write_some(std::span(&part, 1), false).error(), err(ENOTCONN));
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[1]);
  const PacketWriter socket{Fd(ends[0])};
  signal(SIGPIPE, SIG_DFL);  // sockets raise none
  EXPECT_EQ(socket.write_some(std::span(&part, 1), false).error(), err(ENOTCONN));
}

}  // namespace
}  // namespace isthmus
