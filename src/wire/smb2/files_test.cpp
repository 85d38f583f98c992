#include <gtest/gtest.h>

#include "wire/smb2/io.h"
#include "wire/smb2/oplock.h"
#include "wire/smb2/query.h"
#include "wire/smb2/test_messages.h"
#include "wire/smb2/test_vectors.h"

namespace isthmus::smb2 {
namespace {

using namespace std::literals;

constexpr FileId kSomeFile{0x0102030405060708, 0x1112131415161718};

FileTimes some_times() { return {0x01d0000000000001, 0x01d0000000000002, 0x01d0000000000003, 0x01d0000000000004}; }

TEST(Smb2FileMessages, ThereAndBackAndCut) {
  CreateRequest create;
  create.oplock = OplockLevel::lease;
  create.desired_access = 0x120089;
  create.disposition = Disposition::overwrite_if;
  create.options = kOptionNonDirectory;
  create.name = as_bytes("a\0b\0c\0"sv);
  create.contexts = as_bytes("contexts");
  there_and_back_and_cut(create);
  CreateResponse created;
  created.times = some_times();
  created.file_id = kSomeFile;
  created.contexts = as_bytes("contexts");
  there_and_back_and_cut(created);
  there_and_back_and_cut(CloseRequest{kPostQueryAttributes, kSomeFile});
  there_and_back_and_cut(CloseResponse{kPostQueryAttributes, some_times(), 4096, 5, kAttrArchive});
  there_and_back_and_cut(FlushRequest{0xFFFF, kSomeFile});
  ReadRequest read;
  read.file_id = kSomeFile;
  read.length = 65536;
  there_and_back_and_cut(read, 1);
  read.channel_info = as_bytes("channel");
  there_and_back_and_cut(read);
  there_and_back_and_cut(ReadResponse{as_bytes("data"), 1});
  WriteRequest write;
  write.file_id = kSomeFile;
  write.data = as_bytes("data");
  write.channel_info = as_bytes("channel");
  there_and_back_and_cut(write);
  there_and_back_and_cut(WriteResponse{5}, 1);
  there_and_back_and_cut(LockRequest{0x21, kSomeFile, {{1, 2, LockElement::kShared}, {3, 4, LockElement::kUnlock}}});
}

TEST(Smb2FileMessages, QueriesThereAndBackAndCut) {
  QueryDirectoryRequest find;
  find.find_class = FindClass::id_both;
  find.flags = QueryDirectoryRequest::kReopen;
  find.file_id = kSomeFile;
  find.pattern = as_bytes("*\0"sv);
  there_and_back_and_cut(find);
  QueryInfoRequest query;
  query.info_class = static_cast<uint8_t>(FileInfoClass::full_ea);
  query.input = as_bytes("names");
  query.additional = kSecurityDacl;
  query.file_id = kSomeFile;
  there_and_back_and_cut(query);
  SetInfoRequest set;
  set.type = InfoType::filesystem;
  set.data = as_bytes("label");
  set.file_id = kSomeFile;
  there_and_back_and_cut(set);
  there_and_back_and_cut(SetInfoResponse{});
  there_and_back_and_cut(DataResponse{as_bytes("data")});
  there_and_back_and_cut(ChangeNotifyRequest{ChangeNotifyRequest::kWatchTree, 4096, kSomeFile, 0xFFF});
}

TEST(Smb2FileMessages, BreaksThereAndBackAndCut) {
  there_and_back_and_cut(OplockBreak{OplockLevel::level2, kSomeFile});
  LeaseBreakNotification notification;
  notification.key.fill(std::byte{5});
  notification.current = 7;
  notification.next = 3;
  there_and_back_and_cut(notification);
  LeaseBreakAck ack;
  ack.key.fill(std::byte{5});
  ack.state = 3;
  there_and_back_and_cut(ack);
}

TEST(Smb2FileMessages, CreateRequestLayout) {
  CreateRequest m;
  m.oplock = OplockLevel::batch;
  m.desired_access = 0x00120089;
  m.attributes = kAttrNormal;
  m.share_access = kShareRead | kShareWrite | kShareDelete;
  m.options = kOptionNonDirectory | kOptionOpenReparsePoint;
  m.name = as_bytes("a\0.\0b\0"sv);
  m.contexts = as_bytes("01234567");
  const std::string fixed = from_hex(
      "3900"
      "00"
      "09"
      "02000000"
      "0000000000000000"
      "0000000000000000"
      "89001200"
      "80000000"
      "07000000"
      "01000000"
      "40002000"
      "7800"
      "0600");
  // The name is at 120, contexts at the next multiple of 8.
  EXPECT_EQ(write_message(m), fixed +
                                  from_hex("8000000008000000"
                                           "61002e006200"
                                           "0000") +
                                  "01234567");
  m.contexts = {};
  EXPECT_EQ(write_message(m), fixed + from_hex("0000000000000000"
                                               "61002e006200"));
  // The root, from a client that sends no byte behind the fixed part.
  std::string root = write_message(CreateRequest{});
  root.pop_back();
  root = behind_header(root);
  const auto read = read_message<CreateRequest>(as_bytes(root));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->name.empty() && read->contexts.empty());
}

TEST(Smb2FileMessages, CreateResponseLayout) {
  CreateResponse m;
  m.oplock = OplockLevel::level2;
  m.flags = CreateResponse::kReparsePoint;
  m.action = kActionCreated;
  m.times = some_times();
  m.allocation = 0x1000;
  m.end_of_file = 5;
  m.attributes = kAttrArchive;
  m.file_id = kSomeFile;
  m.contexts = as_bytes("c");
  EXPECT_EQ(write_message(m), from_hex("5900"
                                       "01"
                                       "01"
                                       "02000000"
                                       "010000000000d001"
                                       "020000000000d001"
                                       "030000000000d001"
                                       "040000000000d001"
                                       "0010000000000000"
                                       "0500000000000000"
                                       "20000000"
                                       "00000000"
                                       "0807060504030201"
                                       "1817161514131211"
                                       "98000000"
                                       "01000000") +
                                  "c");
}

TEST(Smb2FileMessages, InputLayouts) {
  ReadRequest read;
  read.length = 0x1000;
  read.offset = 0x2000;
  read.file_id = kSomeFile;
  read.minimum = 1;
  EXPECT_EQ(write_message(read), from_hex("3100"
                                          "0000"
                                          "00100000"
                                          "0020000000000000"
                                          "0807060504030201"
                                          "1817161514131211"
                                          "01000000"
                                          "00000000"
                                          "00000000"
                                          "7000"
                                          "0000"
                                          "00"));
  WriteRequest write;
  write.data = as_bytes("hello");
  write.offset = 7;
  write.file_id = kSomeFile;
  write.flags = WriteRequest::kWriteThrough;
  EXPECT_EQ(write_message(write), from_hex("3100"
                                           "7000"
                                           "05000000"
                                           "0700000000000000"
                                           "0807060504030201"
                                           "1817161514131211"
                                           "00000000"
                                           "00000000"
                                           "7500"
                                           "0000"
                                           "01000000") +
                                      "hello");
  EXPECT_EQ(write_message(WriteResponse{5}), from_hex("1100"
                                                      "0000"
                                                      "05000000"
                                                      "00000000"
                                                      "0000"
                                                      "0000"
                                                      "00"));
  const LockRequest lock{0x31, kSomeFile, {{1, 2, LockElement::kExclusive | LockElement::kFailImmediately}}};
  EXPECT_EQ(write_message(lock), from_hex("3000"
                                          "0100"
                                          "31000000"
                                          "0807060504030201"
                                          "1817161514131211"
                                          "0100000000000000"
                                          "0200000000000000"
                                          "12000000"
                                          "00000000"));
  EXPECT_EQ(read_response_head(4) + "data", write_message(ReadResponse{as_bytes("data")}));
  EXPECT_EQ(read_response_head(4), from_hex("1100"
                                            "50"
                                            "00"
                                            "04000000"
                                            "00000000"
                                            "00000000"));
}

TEST(Smb2FileMessages, QueryLayouts) {
  QueryInfoRequest query;
  query.info_class = static_cast<uint8_t>(FileInfoClass::all);
  query.max_output = 0x1000;
  query.file_id = kSomeFile;
  EXPECT_EQ(write_message(query), from_hex("2900"
                                           "01"
                                           "12"
                                           "00100000"
                                           "6800"
                                           "0000"
                                           "00000000"
                                           "00000000"
                                           "00000000"
                                           "0807060504030201"
                                           "1817161514131211"
                                           "00"));
  SetInfoRequest set;
  set.info_class = static_cast<uint8_t>(FileInfoClass::disposition);
  set.data = as_bytes("\1");
  set.file_id = kSomeFile;
  EXPECT_EQ(write_message(set), from_hex("2100"
                                         "01"
                                         "0d"
                                         "01000000"
                                         "6000"
                                         "0000"
                                         "00000000"
                                         "0807060504030201"
                                         "1817161514131211"
                                         "01"));
  EXPECT_EQ(write_message(DataResponse{as_bytes("data")}), from_hex("0900"
                                                                    "4800"
                                                                    "04000000") +
                                                               "data");
  EXPECT_EQ(write_message(SetInfoResponse{}), "\2\0"s);
}

TEST(Smb2FileMessages, LocksAreCounted) {
  LockRequest m{0, kNoFileId, {{1, 2, 3}}};
  std::string bytes = behind_header(write_message(m));
  ASSERT_TRUE(read_message<LockRequest>(as_bytes(bytes)));
  for (std::string_view count : {"\0\0"sv, "\2\0"sv, "\xff\xff"sv}) {
    std::string bad = bytes;
    bad.replace(kHeader + 2, 2, count);
    EXPECT_FALSE(read_message<LockRequest>(as_bytes(bad)));
  }
}

}  // namespace
}  // namespace isthmus::smb2
