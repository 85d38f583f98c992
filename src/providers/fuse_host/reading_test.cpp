/// Reads that take several requests: which go at once, and what becomes of their answers.
#include "providers/fuse_host/test_daemon.h"

namespace isthmus::fuse_host {
namespace {

using namespace wire::fuse;

constexpr size_t kPage = 4096;

class FuseHostReading : public HostTest {
 protected:
  /// A file of so many pages, each of another letter; a read is one page. Reads are answered by the test.
  void serve_pages(size_t pages, uint64_t flags) {
    daemon.agree_on(flags);
    for (size_t i = 0; i < pages; i++) file += std::string(kPage, static_cast<char>('a' + i));
    Options options;
    options.max_read = kPage;
    serve(
        [this](const Asked& a) -> Answer {
          if (a.opcode() == Opcode::Lookup) {
            EntryOut e = an_entry(7);
            e.attr.size = file.size();
            return answer_of(e);
          }
          if (a.opcode() != Opcode::Read) return {};
          return kSilence;
        },
        options);
  }
  Answer page(const Asked& a) const {
    const auto in = a.in<ReadIn>();
    return {0, file.substr(std::min<size_t>(in.offset, file.size()), in.size)};
  }
  bool asked_for(size_t reads) {
    return soon([&] { return daemon.count(Opcode::Read) >= reads; });
  }
  void read_in_background(NodeId n, size_t size) {
    reader = std::thread([this, n, size] { got = read(n, HandleId::none, 0, size); });
  }

  std::string file;
  std::thread reader;
  Result<std::string> got = err(EAGAIN);
};

TEST_F(FuseHostReading, AsksForAllPiecesAtOnce) {
  serve_pages(3, kInitAsyncRead);
  read_in_background(node(), 3 * kPage);
  ASSERT_TRUE(asked_for(3));
  const auto asked = daemon.asked(Opcode::Read);
  for (size_t i : {2, 0, 1}) daemon.answer(asked[i].header.unique, page(asked[i]));
  reader.join();
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == file);
  EXPECT_EQ(daemon.count(Opcode::Read), 3u);
}

TEST_F(FuseHostReading, OneAfterTheOtherWhereTheDaemonSaysSo) {
  serve_pages(3, 0);
  read_in_background(node(), 3 * kPage);
  for (size_t i = 0; i < 3; i++) {
    ASSERT_TRUE(asked_for(i + 1));
    EXPECT_EQ(daemon.count(Opcode::Read), i + 1);
    const Asked a = daemon.asked(Opcode::Read)[i];
    daemon.answer(a.header.unique, page(a));
  }
  reader.join();
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == file);
}

// Nobody asks for what is behind the end, as far as that is known; where the file is longer, what is there is read.
TEST_F(FuseHostReading, AsFarAsTheFileIsKnownToGo) {
  serve_pages(2, kInitAsyncRead);
  const NodeId n = node();
  file += std::string(kPage, 'x') + "end";
  read_in_background(n, 8 * kPage);
  for (size_t i = 0; i < 4; i++) {
    const size_t known = std::max<size_t>(i + 1, 2);
    ASSERT_TRUE(asked_for(known));
    EXPECT_EQ(daemon.count(Opcode::Read), known);
    const Asked a = daemon.asked(Opcode::Read)[i];
    daemon.answer(a.header.unique, page(a));
  }
  reader.join();
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == file);
}

TEST_F(FuseHostReading, WhatIsShortOrWrongIsTheEnd) {
  serve_pages(3, kInitAsyncRead);
  const NodeId n = node();
  read_in_background(n, 3 * kPage);
  ASSERT_TRUE(asked_for(3));
  auto asked = daemon.asked(Opcode::Read);
  daemon.answer(asked[2].header.unique, page(asked[2]));
  daemon.answer(asked[1].header.unique, {0, "b"});
  daemon.answer(asked[0].header.unique, page(asked[0]));
  reader.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), kPage + 1) << "what is behind a short answer is not of the file";
  read_in_background(n, 3 * kPage);
  ASSERT_TRUE(asked_for(6));
  asked = daemon.asked(Opcode::Read);
  daemon.answer(asked[3].header.unique, page(asked[3]));
  daemon.answer(asked[4].header.unique, {.error = EACCES});
  daemon.answer(asked[5].header.unique, page(asked[5]));
  reader.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), kPage) << "what came before";
  read_in_background(n, 3 * kPage);
  ASSERT_TRUE(asked_for(9));
  asked = daemon.asked(Opcode::Read);
  daemon.answer(asked[6].header.unique, {.error = EACCES});
  daemon.answer(asked[7].header.unique, page(asked[7]));
  daemon.answer(asked[8].header.unique, page(asked[8]));
  reader.join();
  EXPECT_EQ(got.code(), EACCES);
}

TEST_F(FuseHostReading, WhoDiesMeanwhileAnswersNone) {
  serve_pages(3, kInitAsyncRead);
  read_in_background(node(), 3 * kPage);
  ASSERT_TRUE(asked_for(3));
  daemon.hang_up();
  reader.join();
  EXPECT_EQ(got.code(), ENOTCONN);
}

}  // namespace
}  // namespace isthmus::fuse_host
