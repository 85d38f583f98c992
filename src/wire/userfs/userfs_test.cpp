#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/userfs/print.h"
#include "wire/userfs/test_samples.h"

namespace isthmus::wire::userfs {
namespace {

std::string header(const Header& h) {
  std::string to;
  append_header(to, h);
  return to;
}

TEST(Header, RequestIsFiveWordsInNetworkOrder) {
  const std::string bytes = header({.sequence = 7, .op = Opcode::lookup, .type = PacketType::request, .size = 258});
  EXPECT_EQ(hex(bytes), "00000007 00000007 00000001 00000102 00000001");
  const auto h = read_header(as_bytes(bytes));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->sequence, 7u);
  EXPECT_EQ(h->op, Opcode::lookup);
  EXPECT_EQ(h->type, PacketType::request);
  EXPECT_EQ(h->size, 258u);
  EXPECT_EQ(h->length(), kHeader);
}

TEST(Header, ReplyHasTheErrorBehind) {
  const std::string bytes = header({.sequence = 1, .op = Opcode::mkdir, .type = PacketType::reply, .error = ENOSPC});
  EXPECT_EQ(hex(bytes), "00000001 0000000e 00000002 00000000 00000001 0000001c");
  const auto h = read_header(as_bytes(bytes));
  ASSERT_TRUE(h);
  EXPECT_EQ(h->error, static_cast<uint32_t>(ENOSPC));
  EXPECT_EQ(h->length(), kReplyHeader);
  EXPECT_FALSE(read_header(as_bytes(bytes).first(kHeader)));
}

TEST(Header, RefusesWhatCannotBeOne) {
  const Header good{.sequence = 1, .op = Opcode::read, .type = PacketType::reply, .size = 4};
  ASSERT_TRUE(read_header(as_bytes(header(good))));
  auto refused = [&](auto change) {
    Header h = good;
    change(h);
    return !read_header(as_bytes(header(h)));
  };
  EXPECT_TRUE(refused([](Header& h) { h.sequence = 0; }));
  EXPECT_TRUE(refused([](Header& h) { h.type = PacketType{0}; }));
  EXPECT_TRUE(refused([](Header& h) { h.type = PacketType{4}; }));
  EXPECT_TRUE(refused([](Header& h) { h.size = kMostBody + 1; }));
  EXPECT_TRUE(refused([](Header& h) { h.error = 5; }));  // with a body
  EXPECT_TRUE(refused([](Header& h) { h.size = 0, h.error = kLongest + 1; }));
  EXPECT_TRUE(refused([](Header& h) { h.type = PacketType::enquiry; }));  // with a body
  EXPECT_FALSE(refused([](Header& h) { h.size = kMostBody; }));
  EXPECT_FALSE(refused([](Header& h) { h.version = 9; }));  // the caller's affair
}

TEST(Packets, NumbersGoUpAndHaveNames) {
  uint32_t last = 0;
  for (Opcode op : kOpcodes) {
    EXPECT_GT(static_cast<uint32_t>(op), last);
    last = static_cast<uint32_t>(op);
    EXPECT_FALSE(name_of(op).empty());
  }
  EXPECT_EQ(name_of(Opcode{22}), "");
  EXPECT_EQ(name_of(Opcode{kOpcodeEnd}), "");
}

/// What comes back is the same, and neither less nor more bytes are taken for it.
template <class B>
void round_trip() {
  const std::string bytes = encoded(filled<B>());
  const auto back = read_body<B>(as_bytes(bytes));
  ASSERT_TRUE(back);
  EXPECT_EQ(encoded(*back), bytes);
  for (size_t n = 0; n < bytes.size(); n++) EXPECT_FALSE(read_body<B>(as_bytes(bytes).first(n))) << n;
  EXPECT_FALSE(read_body<B>(as_bytes(bytes + '\0')));
}

TEST(Packets, RoundTripAndRefuseOtherLengths) {
#define X(number, name, Request, Reply, what, otherwise) \
  {                                                      \
    SCOPED_TRACE(#name);                                 \
    round_trip<Request>();                               \
    round_trip<Reply>();                                 \
  }
#include "wire/userfs/packets.def"
#undef X
  round_trip<Cred>();
}

TEST(Packets, RequestsTakeValidNamesOnly) {
  auto taken = [](std::string_view name) {
    return bool(read_body<NameRequest>(as_bytes(encoded(NameRequest{1, {name}}))));
  };
  EXPECT_TRUE(taken("a"));
  EXPECT_TRUE(taken("."));
  EXPECT_TRUE(taken(std::string(255, 'x')));
  EXPECT_FALSE(taken(""));
  EXPECT_FALSE(taken("a/b"));
  EXPECT_FALSE(taken(std::string_view("a\0b", 3)));
  EXPECT_FALSE(taken(std::string(256, 'x')));
}

TEST(Packets, CountsAreNoPromiseOfMemory) {
  std::string bytes("\xff\xff\xff\xff", 4);
  EXPECT_FALSE(read_body<ReaddirplusReply>(as_bytes(bytes + std::string(1000, '\0'))));
  EXPECT_FALSE(read_body<NamesReply>(as_bytes(bytes)));
  EXPECT_FALSE(read_body<DataReply>(as_bytes(bytes)));
}

TEST(Packets, LongDataIsNotCopied) {
  const std::string data(100'000, 'd');
  std::string head;
  Encoder e(head);
  const WriteRequest request{.handle = 1, .data = as_bytes(data)};
  WriteRequest::fields(e, request);
  EXPECT_EQ(e.tail().data(), as_bytes(data).data());
  EXPECT_LT(head.size(), 100u);
  const std::string whole = head + std::string(as_text(e.tail()));
  const auto back = read_body<WriteRequest>(as_bytes(whole));
  ASSERT_TRUE(back);
  EXPECT_EQ(as_text(back->data), data);
}

TEST(Print, ShowsFieldsByName) {
  const std::string body = encoded(sample_cred()) + encoded(NameRequest{3, {"a\n\"b"}});
  EXPECT_EQ(print({.sequence = 9, .op = Opcode::lookup, .type = PacketType::request}, as_bytes(body)),
            R"(#9 lookup cred={flags=3 uid=1000 gid=1000 pid=42 umask=18 groups=[1000]} dir=3 name="a\x0a\x22b")");
  EXPECT_EQ(print({.sequence = 9, .op = Opcode::lookup, .type = PacketType::reply, .error = ENOENT}, {}),
            "#9 lookup = ENOENT");
  EXPECT_EQ(print({.sequence = 9, .op = Opcode::write, .type = PacketType::enquiry}, {}), "#9 write?");
  EXPECT_EQ(print({.sequence = 9, .op = Opcode::read, .type = PacketType::reply},
                  as_bytes(encoded(DataReply{as_bytes("abc")}))),
            "#9 read = data=<3 bytes>");
  EXPECT_THAT(print({.sequence = 9, .op = Opcode::read, .type = PacketType::reply}, as_bytes("x")),
              testing::HasSubstr("malformed"));
  EXPECT_THAT(print({.sequence = 9, .op = Opcode{22}, .type = PacketType::request}, {}),
              testing::HasSubstr("operation 22"));
}

}  // namespace
}  // namespace isthmus::wire::userfs
