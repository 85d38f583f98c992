#include <sys/mman.h>

#include "doors/smb/test_door.h"
#include "vfs/decorator.h"
#include "wire/smb2/compound.h"

/// READ of file systems whose data is that of a file of the server's.
namespace isthmus::smb::testing {
namespace {

constexpr size_t kFileSize = 100'000, kMost = 65536;

std::string contents() {
  std::string text(kFileSize, '\0');
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>(i * 31 >> 3);
  return text;
}

/// Answers reads with a range of one file.
class Ranges final : public Decorator<Ranges> {
 public:
  explicit Ranges(FileSystem& inner)
      : Decorator(inner), fd_(std::make_shared<const Fd>(::memfd_create("data", MFD_CLOEXEC))) {
    const std::string text = contents();
    EXPECT_EQ(::write(fd_->get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  template <class T>
  void around(Pending<T>& p) {
    if constexpr (T::id == Op::Read)
      Call<T>(p).reply(Buffer::file(fd_->get(), p.args.offset, p.args.size, fd_));
    else
      inner().submit(p);
  }

 private:
  const std::shared_ptr<const Fd> fd_;
};

struct FileRanges : ::testing::Test {
  FileRanges() : ranges(mem), volume(ranges) {
    EXPECT_TRUE(volume.start());
    port = volume.port({.door = DoorKind::smb});
    Options options;
    options.share = "share";
    options.user = "user";
    options.password = "right";
    options.must_sign = false;
    door = std::make_unique<SmbDoor>(*port, std::move(options));
    EXPECT_TRUE(door->start());
  }
  ~FileRanges() override {
    door.reset();
    port.reset();
    volume.stop();
  }
  fs::mem::MemFs mem;
  Ranges ranges;
  Volume volume;
  std::unique_ptr<VolumePort> port;
  std::unique_ptr<SmbDoor> door;
  const std::string text = contents();
};

std::string reading(const smb2::FileId& id, uint64_t offset, uint32_t length) {
  smb2::ReadRequest m;
  m.file_id = id;
  m.offset = offset;
  m.length = length;
  return smb2::write_message(m);
}

TEST_F(FileRanges, SignedOrNot) {
  Client c(door->endpoint().port);
  c.begin();
  smb2::FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  for (const bool signs : {false, true, false}) {
    c.signs = signs;
    for (const auto& [offset, length] : {std::pair<size_t, uint32_t>{0, kMost}, {kMost, kMost}, {99'999, 5}, {7, 1}}) {
      const Message m = c.ask_raw(Command::read, reading(id, offset, length));
      ASSERT_EQ(m.status(), NtStatus::success) << offset;
      EXPECT_EQ(m.header.is_signed(), signs);
      EXPECT_TRUE(!signs || c.is_signed(m));
      const auto got = smb2::read_message<smb2::ReadResponse>(as_bytes(m.bytes));
      ASSERT_TRUE(got);
      EXPECT_TRUE(as_text(got->data) == text.substr(offset, length)) << offset;
    }
    EXPECT_EQ(c.ask_raw(Command::read, reading(id, kFileSize, 10)).status(), NtStatus::end_of_file);
    EXPECT_EQ(c.ask_raw(Command::read, reading(id, uint64_t{1} << 40, 10)).status(), NtStatus::end_of_file);
    EXPECT_EQ(c.read(id, 0, 0), "");
  }
  EXPECT_EQ(c.close_file(id), NtStatus::success);
}

TEST_F(FileRanges, InCompounds) {
  Client c(door->endpoint().port);
  c.begin();
  smb2::FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  c.signs = false;
  std::string frame = c.message(Command::read, reading(id, 1, 1001));
  smb2::link_next(frame, 0);
  const size_t second = frame.size();
  frame += c.message(Command::read, reading(id, 50'000, 50'000));
  smb2::link_next(frame, second);
  frame += c.message(Command::echo, smb2::write_message(smb2::EmptyMessage{}));
  ASSERT_TRUE(c.send_frame(frame));
  const Message m = c.receive();
  const auto answers = smb2::split_compound(as_bytes(m.bytes), 10);
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 3u);
  const auto one = smb2::read_message<smb2::ReadResponse>((*answers)[0].bytes),
             two = smb2::read_message<smb2::ReadResponse>((*answers)[1].bytes);
  ASSERT_TRUE(one && two);
  EXPECT_TRUE(as_text(one->data) == text.substr(1, 1001));
  EXPECT_TRUE(as_text(two->data) == text.substr(50'000, 50'000));
  EXPECT_EQ(static_cast<NtStatus>((*answers)[2].header.status), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
}

}  // namespace
}  // namespace isthmus::smb::testing
