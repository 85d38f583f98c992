#include "doors/webdav/test_door.h"

namespace isthmus::webdav {
namespace {

class UploadsTest : public testing::DoorTest {
 protected:
  testing::Reply begin(const std::string& target, size_t length, Fields fields = {}) {
    fields.emplace_back("Upload-Complete", "?0");
    fields.emplace_back("Upload-Length", std::to_string(length));
    return ask("PUT", target, fields);
  }
  static Fields part(size_t offset, bool complete) {
    return {{"Content-Type", "application/partial-upload"},
            {"Upload-Offset", std::to_string(offset)},
            {"Upload-Complete", complete ? "?1" : "?0"}};
  }
  std::string head_of_patch(const std::string& resource, size_t offset, size_t length) const {
    std::string s = "PATCH " + resource + " HTTP/1.1\r\nHost: " + host() + "\r\n";
    for (auto& [name, value] : part(offset, true)) s += name + ": " + value + "\r\n";
    return s + "Content-Length: " + std::to_string(length) + "\r\n\r\n";
  }
  /// Until the file system has been asked to write so often. (Asking the upload itself would end its transfer.)
  void wait_for_writes(uint64_t count) const {
    for (int i = 0; i < 1000 && fs_->counters().get(Op::Write) < count; ++i) usleep(10'000);
    ASSERT_GE(fs_->counters().get(Op::Write), count);
  }
  std::string offset_of(const std::string& resource) { return ask("HEAD", resource).field("upload-offset"); }
};

TEST_F(UploadsTest, PartsBecomeAFileWhenAllIsThere) {
  auto made = begin("/a", 10);
  ASSERT_EQ(made.status, 201);
  const std::string resource = made.field("location");
  EXPECT_EQ(made.field("upload-offset"), "0");
  EXPECT_EQ(ask("GET", "/a").status, 404);
  auto first = ask("PATCH", resource, part(0, false), "01234");
  EXPECT_EQ(first.status, 204);
  EXPECT_EQ(first.field("upload-offset"), "5");
  EXPECT_EQ(ask("GET", "/a").status, 404);
  EXPECT_EQ(ask("PROPFIND", "/", {{"Depth", "1"}}).body.find("isthmus-"), std::string::npos);
  auto state = ask("HEAD", resource);
  EXPECT_EQ(state.status, 204);
  EXPECT_EQ(state.field("upload-offset"), "5");
  EXPECT_EQ(state.field("upload-length"), "10");
  EXPECT_EQ(state.field("upload-complete"), "?0");
  auto last = ask("PATCH", resource, part(5, true), "56789");
  EXPECT_EQ(last.status, 201);
  EXPECT_EQ(last.field("upload-complete"), "?1");
  auto got = ask("GET", "/a");
  EXPECT_EQ(got.body, "0123456789");
  EXPECT_EQ(got.field("etag"), last.field("etag"));
  EXPECT_EQ(ask("HEAD", resource).status, 404);
  EXPECT_EQ(ask("PATCH", resource, part(10, true)).status, 404);
}

TEST_F(UploadsTest, AHalfUploadReplacesNothing) {
  ASSERT_EQ(ask("PUT", "/a", {}, "old").status, 201);
  const std::string resource = begin("/a", 6).field("location");
  {
    // The connection breaks.
    testing::Client client(port());
    const uint64_t writes = fs_->counters().get(Op::Write);
    client.send(head_of_patch(resource, 0, 6) + "new");
    wait_for_writes(writes + 1);
  }
  ASSERT_EQ(offset_of(resource), "3");
  EXPECT_EQ(ask("GET", "/a").body, "old");
  EXPECT_EQ(ask("PATCH", resource, part(3, true), "er").status, 400);    // too short
  EXPECT_EQ(ask("PATCH", resource, part(3, true), "er..").status, 400);  // too long
  EXPECT_EQ(ask("GET", "/a").body, "old");
  EXPECT_EQ(ask("PATCH", resource, part(3, true), "er.").status, 204);
  EXPECT_EQ(ask("GET", "/a").body, "newer.");
}

TEST_F(UploadsTest, WhoeverAsksForTheOffsetEndsTheOlderTransfer) {
  const std::string resource = begin("/a", 6).field("location");
  testing::Client old(port());
  old.send(head_of_patch(resource, 0, 6) + "ab");
  wait_for_writes(1);
  ASSERT_EQ(offset_of(resource), "2");
  old.send("cd");
  EXPECT_EQ(old.read().status, 409);
  EXPECT_EQ(offset_of(resource), "2");
  auto wrong = ask("PATCH", resource, part(4, true), "ef");
  EXPECT_EQ(wrong.status, 409);
  EXPECT_EQ(wrong.field("upload-offset"), "2");
  EXPECT_EQ(ask("PATCH", resource, part(2, true), "CDEF").status, 201);
  EXPECT_EQ(ask("GET", "/a").body, "abCDEF");
}

TEST_F(UploadsTest, ConditionsAndLocksHoldToTheEnd) {
  EXPECT_EQ(begin("/no/a", 1).status, 409);
  ASSERT_EQ(ask("PUT", "/b", {}, "there").status, 201);
  EXPECT_EQ(begin("/b", 1, {{"If-None-Match", "*"}}).status, 412);
  const std::string resource = begin("/a", 3, {{"If-None-Match", "*"}}).field("location");
  auto fields = part(0, true);
  fields.emplace_back("If-None-Match", "*");
  ASSERT_EQ(ask("PUT", "/a", {}, "theirs").status, 201);
  EXPECT_EQ(ask("PATCH", resource, fields, "our").status, 412);
  EXPECT_EQ(ask("GET", "/a").body, "theirs");
  // It can still be had, by who says so.
  EXPECT_EQ(ask("PATCH", resource, part(0, true), "our").status, 204);
  EXPECT_EQ(ask("GET", "/a").body, "our");
}

TEST_F(UploadsTest, IsCancelledAndRefusedWhereItMustBe) {
  const std::string resource = begin("/a", 3).field("location");
  EXPECT_EQ(ask("GET", resource).status, 405);
  EXPECT_EQ(ask("PATCH", resource, {{"Upload-Offset", "0"}, {"Upload-Complete", "?1"}}, "abc").status, 415);
  EXPECT_EQ(ask("PATCH", resource, {{"Content-Type", "application/partial-upload"}}, "abc").status, 400);
  EXPECT_EQ(ask("DELETE", resource).status, 204);
  EXPECT_EQ(ask("DELETE", resource).status, 404);
  EXPECT_EQ(ask("HEAD", "/?isthmus=upload.guess").status, 404);
  EXPECT_EQ(ask("PATCH", "/a").status, 405);
  EXPECT_EQ(ask("PUT", "/a", {{"Upload-Complete", "?0"}}).status, 400);  // no length
  EXPECT_EQ(ask("PUT", "/a", {{"Upload-Complete", "?0"}, {"Upload-Length", "3"}}, "abc").status, 400);
  EXPECT_EQ(ask("PROPFIND", "/", {{"Depth", "1"}}).body.find("/a<"), std::string::npos);
  // The folder goes, and the upload with it.
  ASSERT_EQ(ask("MKCOL", "/d").status, 201);
  const std::string below = begin("/d/a", 1).field("location");
  ASSERT_EQ(ask("DELETE", "/d").status, 204);
  EXPECT_EQ(ask("PATCH", below, part(0, true), "x").status, 404);
}

TEST_F(UploadsTest, AnEmptyFileAndTheServersEnd) {
  const std::string resource = begin("/empty", 0).field("location");
  EXPECT_EQ(ask("PATCH", resource, part(0, true)).status, 201);
  EXPECT_EQ(ask("GET", "/empty").status, 200);
  ASSERT_EQ(begin("/left", 100).status, 201);
  door_->stop();  // stop() of the fixture fails if a file is left
  auto left = call_and_wait(*fs_, op::Lookup{{}, NodeId::root, "left"});
  EXPECT_TRUE(!left || left->node == NodeId::none);
}

TEST_F(UploadsTest, AFullDiskIsToldAtTheBegin) {
  fs::mem::MemOptions mem;
  mem.limits.bytes = 8 << 20;
  start({}, mem);
  EXPECT_EQ(begin("/a", 64 << 20).status, 507);
}

}  // namespace
}  // namespace isthmus::webdav
