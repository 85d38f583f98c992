#include "fs/trace/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "fs/trace/format.h"
#include "vfs/test_fs.h"

namespace isthmus::fs::trace {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct TraceTest : ::testing::Test {
  std::string path = ::testing::TempDir() + "trace." + std::to_string(getpid());
  ~TraceTest() override { unlink(path.c_str()); }
  std::unique_ptr<FileSystem> make(bool json, uint64_t ops = ~uint64_t{0}) {
    auto flat = std::make_unique<isthmus::testing::FlatFs>();
    flat->put("notes", "hello");
    auto t = Trace::make(std::move(flat), {path, json, ops});
    EXPECT_TRUE(t);
    return std::move(*t);
  }
  std::string written() {
    std::stringstream s;
    s << std::ifstream(path).rdbuf();
    return s.str();
  }
};

TEST_F(TraceTest, TextLine) {
  auto fs = make(false);
  ASSERT_TRUE(call_and_wait(*fs, op::Lookup{{}, NodeId::root, "notes"}));
  EXPECT_THAT(written(),
              MatchesRegex("[0-9:.]+ lookup\\(dir=1, name=\"notes\"\\) = node=10, mode=0100644, .* <0.[0-9]+>\n"));
}

TEST_F(TraceTest, ErrorsAndStrangeNames) {
  auto fs = make(false);
  EXPECT_FALSE(call_and_wait(*fs, op::Lookup{{}, NodeId::root, "a\"\n\xff\xc3\xa4"}));
  EXPECT_THAT(written(), HasSubstr("name=\"a\\\"\\n\\xff\xc3\xa4\") = ENOENT (No such file or directory) <"));
}

TEST_F(TraceTest, JsonLine) {
  auto fs = make(true);
  ASSERT_TRUE(call_and_wait(*fs, op::Lookup{{}, NodeId::root, "notes"}));
  EXPECT_FALSE(call_and_wait(*fs, op::Unlink{{}, NodeId::root, "\xff\x01"}));
  std::string w = written();
  EXPECT_THAT(
      w, HasSubstr(
             "\"op\":\"lookup\",\"uid\":0,\"pid\":0,\"args\":{\"dir\":1,\"name\":\"notes\"},\"result\":{\"node\":10,"));
  EXPECT_THAT(w, HasSubstr("\"args\":{\"dir\":1,\"name\":\"\\udcff\\u0001\"},\"error\":\"ENOSYS\",\"seconds\":0.0"));
}

TEST_F(TraceTest, OnlyChosenOperations) {
  Options o;
  std::string why;
  std::pair<std::string, std::string> keys[] = {
      {"trace.ops", "getattr,unlink"}, {"trace.format", "text"}, {"size", "1g"}};
  ASSERT_TRUE(parse_options(keys, o, why)) << why;
  auto fs = make(false, o.operations);
  (void)call_and_wait(*fs, op::Lookup{{}, NodeId::root, "notes"});
  EXPECT_EQ(written(), "");
  (void)call_and_wait(*fs, op::Getattr{{}, NodeId{10}});
  EXPECT_THAT(written(), HasSubstr("getattr(node=10)"));
}

TEST(TraceOptions, Errors) {
  Options o;
  std::string why;
  std::pair<std::string, std::string> ops[] = {{"trace.ops", "lookup,blink"}};
  EXPECT_FALSE(parse_options(ops, o, why));
  EXPECT_THAT(why, HasSubstr("'blink'"));
  std::pair<std::string, std::string> format[] = {{"trace.format", "xml"}};
  EXPECT_FALSE(parse_options(format, o, why));
  EXPECT_THAT(why, HasSubstr("'xml'"));
}

TEST(TraceFile, CannotBeOpened) {
  EXPECT_EQ(Trace::make(std::make_unique<isthmus::testing::FlatFs>(), {"/nowhere/trace", false}).code(), ENOENT);
}

/// Every operation prints, whatever its fields hold.
TEST(TraceFormat, EveryOperation) {
  size_t n = 0;
#define X(Type, method, R)                \
  {                                       \
    std::string text, json;               \
    Writer t(text, false), j(json, true); \
    write_args(t, op::Type{});            \
    write_args(j, op::Type{});            \
    R reply{};                            \
    write_reply(t, reply);                \
    write_reply(j, reply);                \
    n++;                                  \
  }
#include "vfs/ops.def"
#undef X
  EXPECT_EQ(n, kOpCount);
}

TEST(TraceFormat, LongNamesAreCutInTextOnly) {
  std::string text, json, name(200, 'x');
  Writer(text, false).text("name", name);
  Writer(json, true).text("name", name);
  EXPECT_THAT(text, ::testing::EndsWith("x\"..."));
  EXPECT_EQ(json, "\"name\":\"" + name + "\"");
}

}  // namespace
}  // namespace isthmus::fs::trace
