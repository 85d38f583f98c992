#include "fs/archive/passphrase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/archive/test_tools.h"

namespace isthmus::fs::archive {
namespace {

using namespace test;
using ::testing::HasSubstr;

struct Kind {
  const char* name;
  const char* needs;
  const char* command;
};

class Passphrase : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (!have(GetParam().needs)) GTEST_SKIP() << "needs " << GetParam().needs;
    write_file(folder_ / "f", text_bytes(500'000, 1));
    write_file(folder_ / "r", random_bytes(200'000, 2));
    write_file(folder_ / "small", "s");
    ASSERT_TRUE(run(fmt::format("cd {} && {}", folder_.path(), GetParam().command)));
  }
  ArchiveHooks asking(const std::vector<std::string>& answers) {
    ArchiveHooks h;
    h.passphrase = [this, answers](int attempt) -> std::optional<std::string> {
      asked_ = attempt;
      if (static_cast<size_t>(attempt) > answers.size()) return {};
      return answers[static_cast<size_t>(attempt - 1)];
    };
    return h;
  }
  void expect_readable(ArchiveFs& fs) {
    EXPECT_TRUE(*content(fs, "f") == text_bytes(500'000, 1));
    EXPECT_TRUE(*content(fs, "r") == random_bytes(200'000, 2));
    EXPECT_EQ(*content(fs, "small"), "s");
  }
  Folder folder_;
  std::string path_ = folder_ / "a.zip";
  int asked_ = 0;
  LogCatcher log_;
};

TEST_P(Passphrase, RightAtOnceOrLater) {
  auto fs = open_archive(path_, {}, asking({"open sesame"}));
  EXPECT_EQ(asked_, 1);
  expect_readable(*fs);
  fs = open_archive(path_, {}, asking({"wrong", "wronger", "open sesame"}));
  EXPECT_EQ(asked_, 3);
  expect_readable(*fs);
  EXPECT_EQ(log_.text().find("sesame"), std::string::npos);
}

TEST_P(Passphrase, WrongThreeTimes) {
  EXPECT_THAT(open_error(path_, {}, asking({"1", "2", "3", "open sesame"})), HasSubstr("the passphrase is wrong"));
  EXPECT_EQ(asked_, 3);
}

TEST_P(Passphrase, FromAFile) {
  write_file(folder_ / "p", "open sesame\nsecond line\n");
  ArchiveOptions o;
  o.passphrase_file = folder_ / "p";
  auto fs = open_archive(path_, o);
  expect_readable(*fs);
  write_file(folder_ / "p", "shut\n");
  EXPECT_THAT(open_error(path_, o), HasSubstr("the passphrase is wrong; see the first line of"));
  write_file(folder_ / "p", "\n");
  EXPECT_THAT(open_error(path_, o), HasSubstr("has no passphrase"));
  o.passphrase_file = folder_ / "absent";
  EXPECT_THAT(open_error(path_, o), HasSubstr("cannot read passphrase_file"));
}

TEST_P(Passphrase, NoneIsNoReadingButAListing) {
  auto fs = open_archive(path_);
  EXPECT_THAT(log_.text(), HasSubstr("no passphrase was given"));
  EXPECT_EQ(find(*fs, "f")->attr.size, 500'000u);
  EXPECT_EQ(content(*fs, "f").code(), EACCES);
  EXPECT_EQ(call_and_wait(*fs, op::Open{{}, find(*fs, "f")->node, O_RDONLY}).code(), EACCES);
}

INSTANTIATE_TEST_SUITE_P(Zip, Passphrase,
                         ::testing::Values(Kind{"classic", "zip", "zip -q -P 'open sesame' a.zip f r small"},
                                           Kind{"aes256", "7z", "7z a -bd -p'open sesame' -mem=AES256 a.zip f r small"},
                                           Kind{"aes128", "7z", "7z a -bd -p'open sesame' -mem=AES128 a.zip f r small"},
                                           Kind{"stored", "zip", "zip -q0 -P 'open sesame' a.zip f r small"}),
                         [](auto& i) { return std::string(i.param.name); });

// Two zips of the old cipher, as hexadecimal digits, with wrong passphrases that decrypt their file of one byte to that
// byte, by chance: neither the cipher's check nor the checksum of that file can tell.
constexpr std::string_view kTinyAndLarger =
    "504b03040a00090000000aad795d0bcf0e1b0d0000000100000005000000736d616c6c312d7e3c73aca537a3ee516a89504b"
    "07080bcf0e1b0d00000001000000504b03040a0009000000ccad795ddc6d9bdd200000001400000001000000725c7ba6f04e"
    "5107a63178574bbf8c822374045219edf2f414b414c02c8d5fabd6504b0708dc6d9bdd2000000014000000504b01021e030a"
    "00090000000aad795d0bcf0e1b0d00000001000000050000000000000000000000a48100000000736d616c6c504b01021e03"
    "0a0009000000ccad795ddc6d9bdd2000000014000000010000000000000000000000a4814000000072504b05060000000002"
    "000200620000008f0000000000";
constexpr std::string_view kTwoTiny =
    "504b03040a00090000000aad795d0bcf0e1b0d0000000100000005000000736d616c6cd9188b5374d0d55a1ee8ac674a504b"
    "07080bcf0e1b0d00000001000000504b03040a0009000000d7ad795da85a6a850d000000010000000400000074696e793a6e"
    "52aa9cc18c42a876184475504b0708a85a6a850d00000001000000504b01021e030a00090000000aad795d0bcf0e1b0d0000"
    "0001000000050000000000000000000000a48100000000736d616c6c504b01021e030a0009000000d7ad795da85a6a850d00"
    "000001000000040000000000000000000000a4814000000074696e79504b05060000000002000200650000007f0000000000";

class UnluckyPassphrase : public ::testing::Test {
 protected:
  std::string refusal(std::string_view hex, const std::string& passphrase) {
    std::string zip;
    for (size_t i = 0; i < hex.size(); i += 2)
      zip += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    write_file(folder_ / "a.zip", zip);
    write_file(folder_ / "p", passphrase);
    ArchiveOptions o;
    o.passphrase_file = folder_ / "p";
    if (passphrase != "open sesame") return open_error(folder_ / "a.zip", o);
    auto fs = open_archive(folder_ / "a.zip", o);
    EXPECT_EQ(*content(*fs, "small"), "s");
    return "";
  }
  Folder folder_;
};

TEST_F(UnluckyPassphrase, IsFoundByALargerFile) {
  EXPECT_EQ(refusal(kTinyAndLarger, "open sesame"), "");
  for (const char* wrong : {"w1757", "w39661", "w54013"})
    EXPECT_THAT(refusal(kTinyAndLarger, wrong), HasSubstr("the passphrase is wrong")) << wrong;
}

TEST_F(UnluckyPassphrase, IsFoundByAnotherTinyFile) {
  EXPECT_EQ(refusal(kTwoTiny, "open sesame"), "");
  for (const char* wrong : {"w14718", "w33381"})
    EXPECT_THAT(refusal(kTwoTiny, wrong), HasSubstr("the passphrase is wrong")) << wrong;
}

TEST(PassphraseOf7z, SaysThatItCannot) {
  if (!have("7z")) GTEST_SKIP() << "needs 7z";
  Folder f;
  LogCatcher log;
  write_file(f / "f", "secret data");
  ASSERT_TRUE(run(fmt::format("cd {} && 7z a -bd -pwhatever a.7z f && 7z a -bd -pwhatever -mhe b.7z f", f.path())));
  ArchiveHooks h;
  h.passphrase = [](int) { return std::optional<std::string>("whatever"); };
  auto fs = open_archive(f / "a.7z", {}, h);
  EXPECT_THAT(log.text(), HasSubstr("encrypted files cannot be read"));
  EXPECT_EQ(content(*fs, "f").code(), EACCES);
  EXPECT_THAT(open_error(f / "b.7z", {}, h), HasSubstr("list of files is encrypted"));
}

}  // namespace
}  // namespace isthmus::fs::archive
