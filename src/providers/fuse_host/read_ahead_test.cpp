/// Read-ahead for doors without a page cache: what is asked for before anybody wants it, and when it is given.
#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

constexpr size_t kPiece = size_t{32} << 10;  // comes in one message

class FuseHostReadAhead : public HostTest {
 protected:
  FuseHostReadAhead() { opens = true; }
  void serve_pieces(size_t pieces, uint64_t flags = kInitAsyncRead | kInitBigWrites, uint32_t open_flags = 0) {
    daemon.agree_on(flags);
    daemon.init.max_write = 1 << 20;
    for (size_t i = 0; i < pieces; i++) file += std::string(kPiece, static_cast<char>('a' + i));
    serve([this, open_flags](const Asked& a) -> Answer {
      std::lock_guard lock(m);
      switch (a.opcode()) {
        case Opcode::Lookup: {
          EntryOut e = an_entry(7);
          e.attr.size = file.size();
          return answer_of(e);
        }
        case Opcode::Open:
          return answer_of(OpenOut{9, open_flags, 0});
        case Opcode::Read: {
          const auto in = a.in<ReadIn>();
          if (in.offset >= held_from) return kSilence;
          return {0, file.substr(std::min<size_t>(in.offset, file.size()), in.size)};
        }
        case Opcode::Write: {
          const auto in = a.in<WriteIn>();
          file.replace(in.offset, in.size, a.body.substr(sizeof in));
          return answer_of(WriteOut{in.size, 0});
        }
        default:
          return {};
      }
    });
    n = node();
    handle = open(n)->handle;
  }
  op::Read piece(size_t i, size_t size = kPiece) const {
    op::Read a;
    a.node = n;
    a.handle = handle;
    a.offset = i * kPiece;
    a.size = size;
    return a;
  }
  static Context of_door(DoorKind door = DoorKind::webdav) {
    Context ctx;
    ctx.door = door;
    return ctx;
  }
  /// The letter that fills a piece; '?': an error, '-': nothing.
  char get(size_t i, DoorKind door = DoorKind::webdav) {
    auto got = call(piece(i), of_door(door));
    if (!got) return '?';
    std::string room;
    auto bytes = got->in_one_piece(room);
    if (!bytes || bytes->empty()) return '-';
    const char first = as_text(*bytes)[0];
    EXPECT_TRUE(as_text(*bytes) == std::string(bytes->size(), first));
    return first;
  }
  size_t reads() const { return daemon.count(Opcode::Read); }
  Status release() {
    op::Release a;
    a.node = n;
    a.handle = handle;
    return call(a);
  }
  void answer_held() {
    {
      std::lock_guard lock(m);
      held_from = SIZE_MAX;
    }
    for (auto& a : daemon.asked(Opcode::Read)) {
      const auto in = a.in<ReadIn>();
      if (in.offset >= 2 * kPiece) daemon.answer(a.header.unique, {0, file.substr(in.offset, in.size)});
    }
  }

  std::mutex m;
  std::string file;
  size_t held_from = SIZE_MAX;  // reads from there on are not answered
  NodeId n{};
  HandleId handle{};
};

TEST_F(FuseHostReadAhead, AsksForWhatComesNextAndForNothingTwice) {
  serve_pieces(8);
  for (size_t i = 0; i < 8; i++) EXPECT_EQ(get(i), static_cast<char>('a' + i));
  EXPECT_EQ(get(8), '-');
  EXPECT_EQ(reads(), 9u) << "each piece once, and who asks behind the end";
  EXPECT_TRUE(release());
}

TEST_F(FuseHostReadAhead, IsThereBeforeItIsWanted) {
  serve_pieces(8);
  EXPECT_EQ(get(0), 'a');
  EXPECT_TRUE(soon([&] { return reads() == 5; })) << "who begins at the beginning goes on";
  EXPECT_EQ(get(1), 'b');
  EXPECT_TRUE(soon([&] { return reads() == 6; }));
}

TEST_F(FuseHostReadAhead, IsNotForThoseWhoJumpOrHaveACache) {
  serve_pieces(8);
  for (size_t i : {3, 1, 6}) get(i);
  EXPECT_EQ(reads(), 3u);
  for (size_t i : {0, 1, 2}) get(i, DoorKind::fuse);
  EXPECT_EQ(reads(), 6u);
}

TEST_F(FuseHostReadAhead, IsNotPastCaches) {
  serve_pieces(4, kInitAsyncRead, kFopenDirectIo);
  for (size_t i : {0, 1}) get(i);
  EXPECT_EQ(reads(), 2u);
}

TEST_F(FuseHostReadAhead, IsNotForDaemonsThatWantOneAtATime) {
  serve_pieces(4, 0);
  for (size_t i : {0, 1}) get(i);
  EXPECT_EQ(reads(), 2u);
}

TEST_F(FuseHostReadAhead, GivesNothingThatHasChanged) {
  serve_pieces(8);
  EXPECT_EQ(get(0), 'a');
  EXPECT_TRUE(soon([&] { return reads() == 5; }));
  EXPECT_EQ(*write(n, handle, kPiece, std::string(kPiece, 'X')), kPiece);
  EXPECT_EQ(get(1), 'X');
  EXPECT_TRUE(soon([&] { return reads() >= 10; }));
  {
    std::lock_guard lock(m);
    file.replace(2 * kPiece, kPiece, std::string(kPiece, 'Y'));
  }
  daemon.tell(NotifyCode::InvalInode, text_of_struct(NotifyInvalInodeOut{7, 0, 0}));
  EXPECT_TRUE(soon([&] { return up.heard(fmt::format("node {} 0 0", raw(n))); }));
  EXPECT_EQ(get(2), 'Y');
}

TEST_F(FuseHostReadAhead, ReleasesWhenNothingIsUnderWay) {
  serve_pieces(8);
  held_from = 2 * kPiece;
  EXPECT_EQ(get(0), 'a');
  EXPECT_TRUE(soon([&] { return reads() == 5; }));
  Status released = err(EAGAIN);
  std::thread releasing([&] { released = release(); });
  // All that it could be before is: the daemon knows nothing of it.
  EXPECT_EQ(daemon.count(Opcode::Release), 0u);
  answer_held();
  releasing.join();
  EXPECT_TRUE(released);
  const auto asked = daemon.asked();
  EXPECT_EQ(asked.back().opcode(), Opcode::Release);
}

TEST_F(FuseHostReadAhead, WaitsForWhatIsUnderWay) {
  serve_pieces(8);
  held_from = 2 * kPiece;
  EXPECT_EQ(get(0), 'a');
  EXPECT_TRUE(soon([&] { return reads() == 5; }));
  EXPECT_EQ(get(1), 'b');
  EXPECT_TRUE(soon([&] { return reads() == 6; }));
  char third = 0;
  std::thread reading([&] { third = get(2); });
  EXPECT_TRUE(soon([&] { return reads() == 7; }));
  answer_held();
  reading.join();
  EXPECT_EQ(third, 'c');
  EXPECT_TRUE(release());
}

TEST_F(FuseHostReadAhead, WhoDiesMeanwhileAnswersNone) {
  serve_pieces(8);
  held_from = 2 * kPiece;
  EXPECT_EQ(get(0), 'a');
  EXPECT_TRUE(soon([&] { return reads() == 5; }));
  EXPECT_EQ(get(1), 'b');
  char third = 0;
  std::thread reading([&] { third = get(2); });
  EXPECT_TRUE(soon([&] { return reads() == 7; }));
  daemon.hang_up();
  reading.join();
  EXPECT_EQ(third, '?');
}

}  // namespace
}  // namespace isthmus::fuse_host
