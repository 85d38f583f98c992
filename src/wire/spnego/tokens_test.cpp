#include "wire/spnego/tokens.h"

#include <gtest/gtest.h>

#include "wire/spnego/der.h"

namespace isthmus::spnego {
namespace {

using namespace std::string_view_literals;

std::string_view text(const std::optional<Bytes>& b) { return b ? as_text(*b) : "none"sv; }

TEST(Der, Lengths) {
  for (size_t size : {0, 1, 127, 128, 255, 256, 65535, 65536}) {
    const std::string made = to_der(der::kOctets, std::string(size, 'x'));
    auto element = only(as_bytes(made), der::kOctets);
    ASSERT_TRUE(element) << size;
    EXPECT_EQ(element->contents.size(), size);
    EXPECT_EQ(element->whole.size(), made.size());
    EXPECT_FALSE(only(as_bytes(made).first(made.size() - 1), der::kOctets));
    EXPECT_FALSE(only(as_bytes(made + "x"), der::kOctets));
    EXPECT_FALSE(only(as_bytes(made), der::kObject));
  }
  for (std::string_view bad : {"\x04\x80\0\0"sv, "\x04\x81\x01x"sv, "\x04\x82\0\x80"sv, "\x04\x85\0\0\0\0\0"sv,
                               "\x04\x84\xff\xff\xff\xff"sv, "\x1f\x01\0"sv, "\x04\x83\x01"sv, "\x04"sv, ""sv})
    EXPECT_FALSE(DerReader(as_bytes(bad)).next()) << bad.size();
}

// As Windows' and Samba's servers say it.
TEST(Spnego, Hint) {
  EXPECT_EQ(negotiate_hint(),
            "\x60\x48\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x3e\x30\x3c\xa0\x0e\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82"
            "\x37\x02\x02\x0a"
            "\xa3\x2a\x30\x28\xa0\x26\x1b\x24not_defined_in_RFC4178@please_ignore"sv);
  const std::string hint = negotiate_hint();
  auto init = read_init(as_bytes(hint));
  ASSERT_TRUE(init);
  ASSERT_EQ(init->mech_types.size(), 1u);
  EXPECT_EQ(as_text(init->mech_types[0]), kNtlmssp);
  EXPECT_FALSE(init->mech_token || init->mech_list_mic);
}

std::string init_of(const std::string& fields) {
  return to_der(der::kApplication0, to_der(der::kObject, "\x2b\x06\x01\x05\x05\x02") +
                                        to_der(der::context(0), to_der(der::kSequence, fields)));
}

TEST(Spnego, Init) {
  const std::string list = to_der(der::kSequence, to_der(der::kObject, "other") + to_der(der::kObject, kNtlmssp));
  const std::string whole = init_of(to_der(der::context(0), list) + to_der(der::context(1), "\x03\x02\x01\x06") +
                                    to_der(der::context(2), to_der(der::kOctets, std::string(300, 't'))) +
                                    to_der(der::context(3), to_der(der::kOctets, "mic")));
  auto init = read_init(as_bytes(whole));
  ASSERT_TRUE(init);
  ASSERT_EQ(init->mech_types.size(), 2u);
  EXPECT_EQ(as_text(init->mech_types[1]), kNtlmssp);
  EXPECT_EQ(as_text(init->mech_list), list);
  EXPECT_EQ(text(init->mech_token), std::string(300, 't'));
  EXPECT_EQ(text(init->mech_list_mic), "mic");
  for (size_t n = 0; n < whole.size(); n++) EXPECT_FALSE(read_init(as_bytes(whole).first(n))) << n;
  EXPECT_FALSE(read_init(as_bytes(whole + '\0')));
  EXPECT_FALSE(read_init(as_bytes(init_of(""))));
  EXPECT_FALSE(read_init(as_bytes(init_of(to_der(der::context(0), to_der(der::kSequence, ""))))));
  EXPECT_FALSE(read_init(as_bytes(init_of(to_der(der::context(0), list) + to_der(der::context(9), "")))));
  std::string many;
  for (int i = 0; i < 33; i++) many += to_der(der::kObject, kNtlmssp);
  EXPECT_FALSE(read_init(as_bytes(init_of(to_der(der::context(0), to_der(der::kSequence, many))))));
  EXPECT_FALSE(read_init(as_bytes(init_of(
      to_der(der::context(0), list) + to_der(der::context(2), to_der(der::kOctets, std::string(kMaxToken, 't')))))));
}

TEST(Spnego, Resp) {
  const NegTokenResp full{NegState::accept_incomplete, as_bytes(kNtlmssp), as_bytes("token"), as_bytes("mic")};
  const std::string whole = to_bytes(full);
  auto read = read_resp(as_bytes(whole));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->state, NegState::accept_incomplete);
  EXPECT_EQ(text(read->supported_mech), kNtlmssp);
  EXPECT_EQ(text(read->response_token), "token");
  EXPECT_EQ(text(read->mech_list_mic), "mic");
  EXPECT_EQ(to_bytes(*read), whole);
  for (size_t n = 0; n < whole.size(); n++) EXPECT_FALSE(read_resp(as_bytes(whole).first(n))) << n;
  EXPECT_TRUE(read_resp(as_bytes(to_bytes({}))));
  EXPECT_EQ(to_bytes({.state = NegState::reject}), "\xa1\x07\x30\x05\xa0\x03\x0a\x01\x02"sv);
  EXPECT_FALSE(read_resp(as_bytes("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x04"sv)));
}

}  // namespace
}  // namespace isthmus::spnego
