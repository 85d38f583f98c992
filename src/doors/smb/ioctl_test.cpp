#include "wire/smb2/ioctl.h"
#include "doors/smb/test_door.h"
#include "wire/smb2/fsctl.h"
#include "wire/smb2/fsctl_codes.h"

namespace isthmus::smb::testing {
namespace {

using smb2::FileId;

/// The output, or the status in its place.
std::string control(Client& c, const FileId& id, uint32_t code, const std::string& input, NtStatus& status) {
  smb2::IoctlRequest m;
  m.code = code;
  m.file_id = id;
  m.input = as_bytes(input);
  m.max_output = 4096;
  m.flags = smb2::IoctlRequest::kIsFsctl;
  const Message answer = c.ask(Command::ioctl, m);
  status = answer.status();
  const auto read = smb2::read_message<smb2::IoctlResponse>(as_bytes(answer.bytes));
  return status == NtStatus::success && read ? std::string(as_text(read->output)) : std::string();
}
std::string numbers(std::initializer_list<uint64_t> list) {
  std::string text;
  for (uint64_t n : list) append_le<uint64_t>(text, n);
  return text;
}

TEST_F(DoorTest, OnlySparseFilesHaveHoles) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  ASSERT_EQ(c.write(id, 1 << 20, "end"), NtStatus::success);
  constexpr uint64_t kSize = (1 << 20) + 3;
  NtStatus status{};
  const auto ranges = [&] { return control(c, id, smb2::kFsctlQueryAllocatedRanges, numbers({0, kSize}), status); };
  EXPECT_EQ(ranges(), numbers({0, kSize}));
  control(c, id, smb2::kFsctlSetSparse, "\1", status);
  EXPECT_EQ(status, NtStatus::success);
  const std::string some = ranges();
  ASSERT_GE(some.size(), 16u);
  EXPECT_GT(load_le<uint64_t>(as_bytes(some), 0), 0u) << "the beginning is a hole";
  control(c, id, smb2::kFsctlSetSparse, std::string(1, '\0'), status);
  control(c, id, smb2::kFsctlSetZeroData, numbers({1 << 20, kSize - 1}), status);
  EXPECT_EQ(status, NtStatus::success);
  EXPECT_EQ(c.read(id, 1 << 20, 10), std::string("\0\0d", 3));
  EXPECT_EQ(ranges(), numbers({0, kSize}));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(DoorTest, RangesThatOverlapAreCopied) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  ASSERT_EQ(c.write(id, 0, "0123456789"), NtStatus::success);
  NtStatus status{};
  std::string input = control(c, id, smb2::kFsctlSrvRequestResumeKey, "", status).substr(0, 24);
  ASSERT_EQ(input.size(), 24u);
  append_le<uint32_t>(input, 1);
  append_le<uint32_t>(input, 0);
  input += numbers({0, 4});
  append_le<uint32_t>(input, 8);
  append_le<uint32_t>(input, 0);
  control(c, id, smb2::kFsctlSrvCopychunk, input, status);
  EXPECT_EQ(status, NtStatus::success);
  EXPECT_EQ(c.read(id, 0, 100), "012301234567");
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

}  // namespace
}  // namespace isthmus::smb::testing
