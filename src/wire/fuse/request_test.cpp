#include "wire/fuse/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "wire/fuse/request_sample.h"

namespace isthmus::wire::fuse {
namespace {

using Message = std::vector<std::byte>;

const OpcodeInfo& info_of(Opcode op) { return *find_opcode(static_cast<uint32_t>(op)); }

void set_length(Message& m) {
  const auto length = static_cast<uint32_t>(m.size());
  std::memcpy(m.data(), &length, sizeof(length));
}

// A copy of exactly that length, so that AddressSanitizer sees a read behind it.
Message cut(const Message& m, size_t size, bool patch) {
  Message out(m.begin(), m.begin() + static_cast<std::ptrdiff_t>(size));
  out.shrink_to_fit();
  if (patch && size >= sizeof(InHeader)) set_length(out);
  return out;
}

ParseError error_of(const Parsed& p) {
  const auto* failure = std::get_if<ParseFailure>(&p);
  if (failure == nullptr) {
    ADD_FAILURE() << "accepted: " << describe(std::get<Request>(p));
    return ParseError{255};
  }
  return failure->error;
}

ParseError error_of_sample(Opcode op, const SampleOptions& options) {
  const Message m = make_sample(info_of(op), options);
  return error_of(parse_request(m, options.negotiated));
}

std::vector<SampleOptions> all_options() {
  SampleOptions plain;
  SampleOptions ext;
  ext.extensions = true;
  ext.negotiated.flags = kInitSetxattrExt | kInitSecurityCtx | kInitCreateSuppGroup;
  SampleOptions bare;
  bare.data = "";
  bare.records = 0;
  return {plain, ext, bare};
}

TEST(FuseRequest, EveryOpcodeIsReadFromItsSample) {
  for (const SampleOptions& options : all_options()) {
    for (const OpcodeInfo& info : kOpcodes) {
      SCOPED_TRACE(info.name);
      const Message m = make_sample(info, options);
      const Parsed parsed = parse_request(m, options.negotiated);
      ASSERT_TRUE(std::holds_alternative<Request>(parsed)) << std::get<ParseFailure>(parsed).describe();
      const Request& r = std::get<Request>(parsed);
      EXPECT_EQ(r.opcode(), info.opcode);
      EXPECT_EQ(static_cast<const void*>(r.header), m.data());
      EXPECT_EQ(r.header->unique, 42u);
      EXPECT_GE(r.body.size(), info.in_size);
      switch (info.trail) {
        case Trail::TwoNames:
        case Trail::NameTarget:
          EXPECT_EQ(r.name2, "other");
          [[fallthrough]];
        case Trail::Name:
        case Trail::XattrName:
          EXPECT_EQ(r.name, "name");
          break;
        case Trail::XattrNameData:
          EXPECT_EQ(r.name, "name");
          [[fallthrough]];
        case Trail::Data:
          EXPECT_EQ(r.data.size(), options.data.size());
          break;
        case Trail::Forgets:
          EXPECT_EQ(r.forgets.size(), options.records);
          break;
        case Trail::Mappings:
          EXPECT_EQ(r.data.size(), options.records * 16u);
          break;
        case Trail::None:
        case Trail::IgnoredName:
        case Trail::Open:
          EXPECT_TRUE(r.name.empty());
          break;
      }
      EXPECT_EQ(r.extensions.context_count(), options.extensions ? 1u : 0u);
      EXPECT_EQ(r.extensions.group_count(), options.extensions ? 1u : 0u);
      EXPECT_EQ(visit(r, [](auto tag, const Request&) { return decltype(tag)::value; }), info.opcode);
    }
  }
}

TEST(FuseRequest, EveryTruncationIsRefused) {
  for (const SampleOptions& options : all_options()) {
    for (const OpcodeInfo& info : kOpcodes) {
      const Message m = make_sample(info, options);
      for (size_t size = 0; size < m.size(); ++size) {
        SCOPED_TRACE(std::string(info.name) + " " + std::to_string(size));
        const Message as_is = cut(m, size, false);
        const ParseError error = error_of(parse_request(as_is, options.negotiated));
        EXPECT_EQ(error, size < sizeof(InHeader) ? ParseError::TooShort : ParseError::LengthMismatch);
        if (size < sizeof(InHeader)) continue;
        if (info.opcode == Opcode::Init && size == sizeof(InHeader) + sizeof(InitCompatIn)) continue;
        // What lies behind INIT is not looked at, so one with extensions may lose some of the bytes before them.
        if (info.opcode == Opcode::Init && options.extensions && size >= sizeof(InHeader) + sizeof(InitIn)) continue;
        const Message patched = cut(m, size, true);
        error_of(parse_request(patched, options.negotiated));
      }
    }
  }
}

TEST(FuseRequest, EveryOverlongMessageIsRefused) {
  for (const SampleOptions& options : all_options()) {
    for (const OpcodeInfo& info : kOpcodes) {
      for (size_t more = 1; more <= 48; ++more) {
        for (const std::byte fill : {std::byte{0}, std::byte{'x'}}) {
          SCOPED_TRACE(std::string(info.name) + " +" + std::to_string(more));
          Message m = make_sample(info, options);
          m.resize(m.size() + more, fill);
          EXPECT_EQ(error_of(parse_request(m, options.negotiated)), ParseError::LengthMismatch);
          set_length(m);
          const Parsed parsed = parse_request(m, options.negotiated);
          if (info.opcode == Opcode::Init && !options.extensions) {
            EXPECT_TRUE(std::holds_alternative<Request>(parsed));
          } else if (info.opcode != Opcode::Init) {
            error_of(parsed);
          }
        }
      }
    }
  }
}

TEST(FuseRequest, LengthsThatDoNotMatchAreRefused) {
  for (const Opcode op : {Opcode::Write, Opcode::Ioctl, Opcode::NotifyReply, Opcode::Setxattr, Opcode::BatchForget,
                          Opcode::Removemapping}) {
    const size_t offset = op == Opcode::Write         ? offsetof(WriteIn, size)
                          : op == Opcode::Ioctl       ? offsetof(IoctlIn, in_size)
                          : op == Opcode::NotifyReply ? offsetof(NotifyRetrieveIn, size)
                                                      : 0;
    for (const uint32_t size :
         {0u, 1u, 2u, 4u, 6u, 255u, 0x10000000u, 0x10000003u, 0x7fffffffu, 0xfffffff0u, 0xffffffffu}) {
      Message m = make_sample(info_of(op));
      std::memcpy(m.data() + sizeof(InHeader) + offset, &size, sizeof(size));
      EXPECT_EQ(error_of(parse_request(m)), ParseError::DataLength) << to_string(op) << ' ' << size;
    }
  }
}

TEST(FuseRequest, ComponentsAreChecked) {
  for (const OpcodeInfo& info : kOpcodes) {
    SCOPED_TRACE(info.name);
    const bool two = info.trail == Trail::TwoNames;
    if (!two && info.trail != Trail::Name && info.trail != Trail::NameTarget) continue;
    const std::string longest(kNameMax, 'n');
    const std::string too_long(kNameMax + 1, 'n');
    SampleOptions options;
    for (std::string_view SampleOptions::*which : {&SampleOptions::name, &SampleOptions::name2}) {
      if (which == &SampleOptions::name2 && !two) continue;
      const std::string_view good = options.*which;
      for (const std::string_view bad : {"/", "a/b", "/a", "a/", "../x"}) {
        options.*which = bad;
        EXPECT_EQ(error_of_sample(info.opcode, options), ParseError::NameSlash) << bad;
      }
      options.*which = "";
      EXPECT_EQ(error_of_sample(info.opcode, options), ParseError::NameEmpty);
      options.*which = too_long;
      EXPECT_EQ(error_of_sample(info.opcode, options), ParseError::NameTooLong);
      for (const std::string_view dots : {".", ".."}) {
        options.*which = dots;
        const Message m = make_sample(info, options);
        if (info.opcode == Opcode::Lookup) {
          EXPECT_TRUE(std::holds_alternative<Request>(parse_request(m)));
        } else {
          EXPECT_EQ(error_of(parse_request(m)), ParseError::NameDots);
        }
      }
      for (const std::string_view fine :
           {std::string_view("..."), std::string_view("\xff\x01 "), std::string_view(longest)}) {
        options.*which = fine;
        const Message m = make_sample(info, options);
        EXPECT_TRUE(std::holds_alternative<Request>(parse_request(m)));
      }
      // The NUL ends the name, what follows it is not part of the request (for the first of two names: is the second).
      options.*which = std::string_view("a\0b", 3);
      const ParseError error = error_of_sample(info.opcode, options);
      EXPECT_EQ(error, ParseError::TrailingBytes);
      options.*which = good;
    }
  }
}

TEST(FuseRequest, AttributeNamesAndLinkTextsAreChecked) {
  const std::string longest(kXattrNameMax, 'n');
  const std::string too_long(kXattrNameMax + 1, 'n');
  SampleOptions options;
  for (const Opcode op : {Opcode::Getxattr, Opcode::Setxattr, Opcode::Removexattr}) {
    options.name = "";
    EXPECT_EQ(error_of_sample(op, options), ParseError::NameEmpty);
    options.name = too_long;
    EXPECT_EQ(error_of_sample(op, options), ParseError::NameTooLong);
    for (const std::string_view fine :
         {std::string_view("user.a/b"), std::string_view("."), std::string_view(longest)}) {
      options.name = fine;
      const Message m = make_sample(info_of(op), options);
      EXPECT_TRUE(std::holds_alternative<Request>(parse_request(m)));
    }
  }
  SampleOptions link;
  link.name2 = "../a/b";
  const Message m = make_sample(info_of(Opcode::Symlink), link);
  EXPECT_EQ(std::get<Request>(parse_request(m)).name2, "../a/b");
  link.name2 = "";
  EXPECT_EQ(error_of_sample(Opcode::Symlink, link), ParseError::NameEmpty);
}

TEST(FuseRequest, SetxattrLayoutDependsOnTheNegotiation) {
  SampleOptions options;
  options.negotiated.flags = kInitSetxattrExt;
  Message m = make_sample(info_of(Opcode::Setxattr), options);
  const Parsed extended = parse_request(m, options.negotiated);
  EXPECT_EQ(std::get<Request>(extended).setxattr_flags(), kSetxattrAclKillSgid);
  error_of(parse_request(m));
  m = make_sample(info_of(Opcode::Setxattr));
  const Parsed old = parse_request(m);
  EXPECT_EQ(std::get<Request>(old).setxattr_flags(), 0u);
  EXPECT_EQ(std::get<Request>(old).in<Opcode::Setxattr>().size, 5u);
  error_of(parse_request(m, options.negotiated));
}

TEST(FuseRequest, InitIsReadInAllItsLengths) {
  Message m = make_sample(info_of(Opcode::Init));
  const Parsed whole = parse_request(m);
  EXPECT_EQ(std::get<Request>(whole).init_flags(), kInitInitExt | uint64_t{3} << 32);
  const Message old = cut(m, sizeof(InHeader) + sizeof(InitCompatIn), true);
  const Parsed short_one = parse_request(old);
  EXPECT_EQ(std::get<Request>(short_one).init_flags(), kInitInitExt);
  EXPECT_EQ(std::get<Request>(short_one).in<Opcode::Init>().minor, kMinor);
  m.resize(m.size() + 24, std::byte{1});
  set_length(m);
  const Parsed newer = parse_request(m);
  EXPECT_EQ(std::get<Request>(newer).init_flags(), kInitInitExt | uint64_t{3} << 32);
  Message unmarked = make_sample(info_of(Opcode::Init));
  std::memset(unmarked.data() + sizeof(InHeader) + offsetof(InitIn, flags), 0, 4);
  EXPECT_EQ(std::get<Request>(parse_request(unmarked)).init_flags(), 0u);
}

TEST(FuseRequest, ContextsWithoutALengthAreReadFromOldKernels) {
  SampleOptions options;
  options.negotiated = {37, kInitSecurityCtx};
  Message m = make_sample(info_of(Opcode::Mkdir), options);
  const Message extensions = detail::sample_extensions();
  m.insert(m.end(), extensions.begin(), extensions.begin() + 40);  // the security context only
  set_length(m);
  const Parsed parsed = parse_request(m, options.negotiated);
  ASSERT_TRUE(std::holds_alternative<Request>(parsed));
  EXPECT_EQ(std::get<Request>(parsed).extensions.context(0).name, "security.selinux");
  EXPECT_EQ(error_of(parse_request(m, {38, kInitSecurityCtx})), ParseError::TrailingBytes);
  EXPECT_EQ(error_of(parse_request(m, {37, 0})), ParseError::TrailingBytes);
  Message lookup = make_sample(info_of(Opcode::Lookup), options);
  lookup.insert(lookup.end(), extensions.begin(), extensions.begin() + 40);
  set_length(lookup);
  EXPECT_EQ(error_of(parse_request(lookup, options.negotiated)), ParseError::TrailingBytes);
}

TEST(FuseRequest, MisalignedAndUnknownMessagesAreRefused) {
  const Message m = make_sample(info_of(Opcode::Getattr));
  Message shifted(m.size() + 8);
  for (size_t shift = 1; shift < 8; ++shift) {
    std::memcpy(shifted.data() + shift, m.data(), m.size());
    EXPECT_EQ(error_of(parse_request(std::span(shifted).subspan(shift, m.size()))), ParseError::Misaligned);
  }
  Message unknown = make_sample(info_of(Opcode::Getattr));
  for (const uint32_t number : {0u, 7u, 54u, 436207616u}) {
    std::memcpy(unknown.data() + offsetof(InHeader, opcode), &number, sizeof(number));
    const Parsed parsed = parse_request(unknown);
    ASSERT_EQ(error_of(parsed), ParseError::UnknownOpcode);
    EXPECT_EQ(std::get<ParseFailure>(parsed).answer(), err(ENOSYS));
    EXPECT_TRUE(std::get<ParseFailure>(parsed).wants_answer());
  }
}

TEST(FuseRequest, FailuresSayWhatToAnswer) {
  SampleOptions options;
  options.name = "a/b";
  const Message m = make_sample(info_of(Opcode::Create), options);
  const Parsed parsed = parse_request(m);
  const auto& failure = std::get<ParseFailure>(parsed);
  EXPECT_EQ(failure.answer(), err(EINVAL));
  EXPECT_EQ(failure.describe(), "CREATE unique 42 node 1 length 60: name with a slash");
  EXPECT_TRUE(failure.wants_answer());
  Message forget = make_sample(info_of(Opcode::Forget));
  forget.pop_back();
  set_length(forget);
  const Parsed broken = parse_request(forget);
  EXPECT_EQ(std::get<ParseFailure>(broken).answer(), err(EPROTO));
  EXPECT_FALSE(std::get<ParseFailure>(broken).wants_answer());
  const ParseFailure empty = std::get<ParseFailure>(parse_request({}));
  EXPECT_FALSE(empty.wants_answer());
  EXPECT_EQ(empty.describe(), "shorter than a header");
}

TEST(FuseRequest, RequestsAreDescribed) {
  SampleOptions options;
  options.name = "a\n\"";
  const Message m = make_sample(info_of(Opcode::Rename), options);
  EXPECT_EQ(describe(std::get<Request>(parse_request(m))),
            "RENAME unique 42 node 1 uid 1000 gid 1001 pid 77 \"a\\x0a\\x22\" \"other\"");
}

TEST(FuseRequest, ResentRequestsAreMarked) {
  Message m = make_sample(info_of(Opcode::Getattr));
  EXPECT_FALSE(std::get<Request>(parse_request(m)).resent());
  const uint64_t unique = kUniqueResend | 6;
  std::memcpy(m.data() + offsetof(InHeader, unique), &unique, sizeof(unique));
  EXPECT_TRUE(std::get<Request>(parse_request(m)).resent());
}

// The two buffers of a ring entry, filled as the kernel does.
struct Ring {
  UringReqHeader header{};
  Message payload;
};

Ring ring_of(const Message& m, const OpcodeInfo& info, const Negotiated& negotiated) {
  size_t fixed = info.in_size;
  if (info.opcode == Opcode::Init) fixed = sizeof(InitIn);
  if (info.opcode == Opcode::Setxattr && (negotiated.flags & kInitSetxattrExt) != 0) fixed = sizeof(SetxattrIn);
  Ring ring;
  std::memcpy(ring.header.in_out, m.data(), sizeof(InHeader));
  std::memcpy(ring.header.op_in, m.data() + sizeof(InHeader), fixed);
  ring.payload.assign(m.begin() + static_cast<std::ptrdiff_t>(sizeof(InHeader) + fixed), m.end());
  ring.header.ring_ent_in_out.payload_sz = static_cast<uint32_t>(ring.payload.size());
  return ring;
}

TEST(FuseRequest, RingEntriesReadLikeMessages) {
  for (const SampleOptions& options : all_options()) {
    for (const OpcodeInfo& info : kOpcodes) {
      SCOPED_TRACE(info.name);
      const Message m = make_sample(info, options);
      Ring ring = ring_of(m, info, options.negotiated);
      const Parsed from_ring = parse_ring_request(ring.header, ring.payload, options.negotiated);
      ASSERT_TRUE(std::holds_alternative<Request>(from_ring)) << std::get<ParseFailure>(from_ring).describe();
      const Parsed from_message = parse_request(m, options.negotiated);
      EXPECT_EQ(describe(std::get<Request>(from_ring)), describe(std::get<Request>(from_message)));
      ring.header.ring_ent_in_out.payload_sz += 1;
      EXPECT_EQ(error_of(parse_ring_request(ring.header, ring.payload, options.negotiated)),
                ParseError::LengthMismatch);
      ring.payload.resize(ring.payload.size() + 16);
      EXPECT_EQ(error_of(parse_ring_request(ring.header, ring.payload, options.negotiated)),
                ParseError::LengthMismatch);
      ring.header.ring_ent_in_out.payload_sz -= 1;
      EXPECT_TRUE(std::holds_alternative<Request>(parse_ring_request(ring.header, ring.payload, options.negotiated)));
    }
  }
}

// Linux 6.18 puts all of a NOTIFY_REPLY in the payload.
TEST(FuseRequest, RingEntriesMayHaveTheStructInThePayload) {
  const OpcodeInfo& info = info_of(Opcode::NotifyReply);
  const Message m = make_sample(info);
  Ring ring;
  std::memcpy(ring.header.in_out, m.data(), sizeof(InHeader));
  ring.payload.assign(m.begin() + static_cast<std::ptrdiff_t>(sizeof(InHeader)), m.end());
  uint32_t& used = ring.header.ring_ent_in_out.payload_sz;
  used = static_cast<uint32_t>(ring.payload.size());
  const Parsed parsed = parse_ring_request(ring.header, ring.payload);
  ASSERT_TRUE(std::holds_alternative<Request>(parsed)) << std::get<ParseFailure>(parsed).describe();
  const auto& request = std::get<Request>(parsed);
  EXPECT_EQ(request.in<Opcode::NotifyReply>().size, request.data.size());
  used = static_cast<uint32_t>(sizeof(NotifyRetrieveIn)) - 8;
  reinterpret_cast<InHeader*>(ring.header.in_out)->len = static_cast<uint32_t>(sizeof(InHeader)) + used;
  EXPECT_EQ(error_of(parse_ring_request(ring.header, ring.payload)), ParseError::ShortBody);

  // Nothing else does: such a message has no struct where it belongs.
  Ring other = ring_of(make_sample(info_of(Opcode::Getattr)), info_of(Opcode::Getattr), {});
  other.payload.resize(sizeof(GetattrIn));
  other.header.ring_ent_in_out.payload_sz = sizeof(GetattrIn);
  EXPECT_EQ(error_of(parse_ring_request(other.header, other.payload)), ParseError::LengthMismatch);
}

}  // namespace
}  // namespace isthmus::wire::fuse
