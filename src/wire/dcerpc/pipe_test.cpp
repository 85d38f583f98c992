#include "wire/dcerpc/pipe.h"

#include <gtest/gtest.h>

#include "wire/dcerpc/test_environment.h"
#include "wire/dcerpc/test_vectors.h"

namespace isthmus::dcerpc {
namespace {

using test::from_hex;
using namespace std::string_literals;

std::string read_all(Pipe& pipe) {
  std::string all;
  while (pipe.has_output()) all += pipe.read(pipe.message_left());
  return all;
}

/// What the pipe says to this; none: it is broken.
std::optional<std::string> say(Pipe& pipe, std::string_view pdus) {
  if (!pipe.write(as_bytes(pdus))) return std::nullopt;
  return read_all(pipe);
}

void set_length(std::string& pdu) {
  pdu[8] = static_cast<char>(pdu.size() & 0xff);
  pdu[9] = static_cast<char>(pdu.size() >> 8);
}

std::string pdu_of(PduType type, uint8_t flags, std::string_view body) {
  std::string pdu{5, 0, static_cast<char>(type), static_cast<char>(flags), 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
  pdu += body;
  set_length(pdu);
  return pdu;
}

std::string request(uint16_t operation, std::string_view stub, uint8_t flags = kFirst | kLast, uint16_t context = 0) {
  std::string body(4, '\0');
  append_le<uint16_t>(body, context);
  append_le<uint16_t>(body, operation);
  return pdu_of(PduType::request, flags, body.append(stub));
}

std::string bind_of(std::initializer_list<std::pair<Syntax, Syntax>> contexts, PduType type = PduType::bind,
                    uint16_t max_receive = 4280, uint16_t first_id = 0) {
  std::string body;
  append_le<uint16_t>(body, 4280);
  append_le<uint16_t>(body, max_receive);
  append_le<uint32_t>(body, 0);
  append_le<uint32_t>(body, static_cast<uint32_t>(contexts.size()));
  for (const auto& [interface, transfer] : contexts) {
    append_le<uint16_t>(body, first_id++);
    append_le<uint16_t>(body, 1);
    body.append(as_text(interface)).append(as_text(transfer));
  }
  return pdu_of(type, kFirst | kLast, body);
}

/// Outcomes and reasons of an acknowledgement, as numbers.
std::vector<std::pair<int, int>> results_of(const std::optional<std::string>& ack) {
  std::vector<std::pair<int, int>> all;
  if (!ack) return all;
  const Bytes b = as_bytes(*ack);
  size_t at = round_up(26 + load_le<uint16_t>(b, 24).value_or(0), 4);
  const size_t count = load_le<uint8_t>(b, at).value_or(0);
  for (at += 4; all.size() < count; at += 24)
    all.emplace_back(load_le<uint16_t>(b, at).value_or(99), load_le<uint16_t>(b, at + 2).value_or(99));
  return all;
}

uint32_t fault_of(const std::optional<std::string>& answer) {
  if (!answer || answer->size() != 32 || (*answer)[2] != static_cast<char>(PduType::fault)) return 0;
  return *load_le<uint32_t>(as_bytes(*answer), 24);
}
constexpr uint32_t number(Fault f) { return static_cast<uint32_t>(f); }

struct Dialogue {
  PipeKind kind;
  std::span<const test::Exchange> exchanges;
};
const Dialogue kDialogues[] = {{PipeKind::srvsvc, test::kSrvsvcDialogue},
                               {PipeKind::wkssvc, test::kWkssvcDialogue},
                               {PipeKind::lsarpc, test::kLsarpcDialogue}};

class PipeTest : public testing::Test {
 protected:
  Environment environment_ = test::environment();
  Pipe pipe_{PipeKind::srvsvc, environment_};

  void bind() { ASSERT_TRUE(say(pipe_, from_hex(test::kSrvsvcDialogue[0].request))); }
};

TEST_F(PipeTest, HasNames) {
  EXPECT_EQ(pipe_of("srvsvc"), PipeKind::srvsvc);
  EXPECT_EQ(pipe_of("\\WksSvc"), PipeKind::wkssvc);
  EXPECT_EQ(pipe_of("LSARPC"), PipeKind::lsarpc);
  for (auto name : {"", "\\", "\\\\srvsvc", "srvsv", "srvsvc2", "samr"}) EXPECT_FALSE(pipe_of(name)) << name;
}

TEST_F(PipeTest, AnswersAsGolden) {
  for (const Dialogue& d : kDialogues) {
    Pipe pipe(d.kind, environment_);
    for (size_t i = 0; i < d.exchanges.size(); i++)
      EXPECT_EQ(say(pipe, from_hex(d.exchanges[i].request)), from_hex(d.exchanges[i].answer)) << i;
  }
}

TEST_F(PipeTest, TakesPdusInPieces) {
  for (const Dialogue& d : kDialogues) {
    std::string all, answers;
    for (const auto& e : d.exchanges) all += from_hex(e.request), answers += from_hex(e.answer);
    for (size_t split = 0; split <= all.size(); split++) {
      Pipe pipe(d.kind, environment_);
      ASSERT_TRUE(pipe.write(as_bytes(all).first(split)));
      ASSERT_EQ(say(pipe, all.substr(split)), answers) << split;
    }
    Pipe pipe(d.kind, environment_);
    for (char c : all) ASSERT_TRUE(pipe.write(as_bytes({&c, 1})));
    EXPECT_EQ(read_all(pipe), answers);
  }
}

TEST_F(PipeTest, TakesFragmentsOfRequests) {
  for (const Dialogue& d : kDialogues) {
    Pipe pipe(d.kind, environment_);
    ASSERT_TRUE(say(pipe, from_hex(d.exchanges[0].request)));
    // Without LsarClose, which would end what the others need.
    for (const auto& e : d.exchanges.subspan(1, d.exchanges.size() - (d.kind == PipeKind::lsarpc ? 3 : 1))) {
      if (d.kind == PipeKind::lsarpc && &e == &d.exchanges[1]) {
        ASSERT_TRUE(say(pipe, from_hex(e.request)));
        continue;
      }
      const std::string whole = from_hex(e.request);
      for (size_t split = kResponseHead; split <= whole.size(); split++) {
        std::string one = whole.substr(0, split), two = whole.substr(0, kResponseHead) + whole.substr(split);
        one[3] = kFirst, two[3] = kLast;
        set_length(one), set_length(two);
        ASSERT_EQ(say(pipe, one), "");
        ASSERT_EQ(say(pipe, two), from_hex(e.answer)) << split;
      }
    }
  }
}

TEST_F(PipeTest, FaultsWhatIsCutShort) {
  for (const Dialogue& d : kDialogues) {
    Pipe pipe(d.kind, environment_);
    for (size_t i = 0; i < d.exchanges.size(); i++) {
      const std::string whole = from_hex(d.exchanges[i].request);
      for (size_t size = kPduHead; size < whole.size(); size++) {
        std::string cut = whole.substr(0, size);
        set_length(cut);
        if (i == 0) {
          const auto nak = say(pipe, cut);
          ASSERT_TRUE(nak) << size;
          EXPECT_EQ((*nak)[2], static_cast<char>(PduType::bind_nak)) << size;
        } else if (size >= kResponseHead && d.kind != PipeKind::lsarpc) {
          EXPECT_EQ(fault_of(say(pipe, cut)), number(whole[22] == 12 ? Fault::no_such_operation : Fault::ndr))
              << i << ' ' << size;
        } else if (size >= kResponseHead) {
          ASSERT_TRUE(say(pipe, cut)) << i << ' ' << size;  // some of these calls have ends that we need not
        } else {
          Pipe other(d.kind, environment_);
          ASSERT_TRUE(say(other, from_hex(d.exchanges[0].request)));
          EXPECT_FALSE(other.write(as_bytes(cut)));
        }
      }
      ASSERT_TRUE(say(pipe, whole)) << i;
    }
  }
}

TEST_F(PipeTest, SendsFragments) {
  for (size_t i = 0; i < 300; i++) environment_.shares.push_back({"share" + std::to_string(i), "a comment", 0, 0});
  const std::string enumerate = from_hex(test::kSrvsvcDialogue[2].request);
  std::string stubs[2];
  for (uint16_t size : {uint16_t{10}, uint16_t{65535}}) {
    Pipe pipe(PipeKind::srvsvc, environment_);
    ASSERT_TRUE(say(pipe, bind_of({{kSrvsvc.id, kNdr20}}, PduType::bind, size)));
    ASSERT_TRUE(pipe.write(as_bytes(enumerate)));
    const size_t most = size == 10 ? Pipe::kMinFragment : Pipe::kMaxFragment;
    std::string& stub = stubs[size == 10];
    for (bool first = true; pipe.has_output(); first = false) {
      const std::string pdu = pipe.read(100000);
      const auto head = read_pdu_head(as_bytes(pdu));
      ASSERT_TRUE(head);
      EXPECT_EQ(head->length, pdu.size());
      EXPECT_LE(pdu.size(), most);
      EXPECT_EQ(head->flags, (first ? kFirst : 0) | (pipe.has_output() ? 0 : kLast));
      stub += pdu.substr(kResponseHead);
    }
    EXPECT_GT(stub.size(), 4 * most);
  }
  EXPECT_EQ(stubs[0], stubs[1]);
}

TEST_F(PipeTest, ReadsStopAtMessages) {
  ASSERT_TRUE(pipe_.write(as_bytes(from_hex(test::kSrvsvcDialogue[0].request) + request(99, ""))));
  EXPECT_EQ(pipe_.message_left(), 68u);
  EXPECT_EQ(pipe_.read(0), "");
  const std::string begin = pipe_.read(20);
  EXPECT_EQ(pipe_.message_left(), 48u);
  EXPECT_EQ(begin + pipe_.read(1000), from_hex(test::kSrvsvcDialogue[0].answer));
  EXPECT_EQ(pipe_.message_left(), 32u);
  EXPECT_EQ(fault_of(pipe_.read(1000)), number(Fault::no_such_operation));
  EXPECT_EQ(pipe_.read(1000), "");
  EXPECT_FALSE(pipe_.has_output());
}

TEST_F(PipeTest, ChoosesAmongContexts) {
  constexpr Syntax kNdr64 = syntax(0x71710533, 0xbeba, 0x4937, 0x8319b5dbef9ccc36, 1);
  constexpr Syntax kFeatures = syntax(0x6cb71c2c, 0x9812, 0x4540, 0x0300000000000000, 1);
  const auto ack =
      say(pipe_, bind_of({{kSrvsvc.id, kNdr20}, {kSrvsvc.id, kNdr64}, {kSrvsvc.id, kFeatures}, {kWkssvc.id, kNdr20}}));
  EXPECT_EQ(results_of(ack), (std::vector<std::pair<int, int>>{{0, 0}, {2, 2}, {3, 2}, {2, 1}}));
  EXPECT_EQ(fault_of(say(pipe_, request(99, "", kFirst | kLast, 1))), number(Fault::unknown_interface));
  EXPECT_EQ(fault_of(say(pipe_, request(99, "", kFirst | kLast, 0))), number(Fault::no_such_operation));
  for (uint16_t id = 1; id < Pipe::kMaxContexts; id++)
    EXPECT_EQ(results_of(say(pipe_, bind_of({{kSrvsvc.id, kNdr20}}, PduType::alter_context, 0, id))),
              (std::vector<std::pair<int, int>>{{0, 0}}));
  EXPECT_EQ(fault_of(say(pipe_, request(99, "", kFirst | kLast, 1))), number(Fault::no_such_operation));
  EXPECT_EQ(results_of(say(pipe_, bind_of({{kSrvsvc.id, kNdr20}}, PduType::alter_context, 0, 500))),
            (std::vector<std::pair<int, int>>{{2, 3}}));
}

TEST_F(PipeTest, RefusesAuthentication) {
  EXPECT_EQ(say(pipe_, from_hex(test::kNtlmBind.request)), from_hex(test::kNtlmBind.answer));
  bind();  // the client may try again without
  std::string call = request(28, std::string(40, '\0'));
  call[10] = 8;
  EXPECT_EQ(fault_of(say(pipe_, call)), number(Fault::access_denied));
}

TEST_F(PipeTest, BreaksByWhatIsNoProtocol) {
  const std::string hello = from_hex(test::kSrvsvcDialogue[0].request);
  auto broken = [&](std::string before, const std::string& pdu) {
    Pipe pipe(PipeKind::srvsvc, environment_);
    EXPECT_TRUE(say(pipe, before));
    const bool breaks = !pipe.write(as_bytes(pdu)) && !pipe.write(as_bytes(hello));
    return breaks && !pipe.has_output();
  };
  auto with = [&](size_t at, char value) { return std::string(hello).replace(at, 1, 1, value); };
  EXPECT_TRUE(broken("", with(0, 4)));
  EXPECT_TRUE(broken("", with(4, 0)));   // big-endian
  EXPECT_TRUE(broken("", with(8, 15)));  // shorter than its head
  EXPECT_TRUE(broken("", with(2, static_cast<char>(PduType::alter_context))));
  EXPECT_TRUE(broken("", with(2, static_cast<char>(PduType::response))));
  EXPECT_TRUE(broken("", request(28, "")));
  EXPECT_TRUE(broken(hello, hello));
  EXPECT_TRUE(broken(hello, request(28, "", kLast)));
  EXPECT_TRUE(broken(hello + request(28, "", kFirst), request(28, "", kFirst)));
  EXPECT_TRUE(broken(hello + request(28, "", kFirst), request(27, "", kLast)));
}

TEST_F(PipeTest, LimitsWhatAClientCanMakeGrow) {
  bind();
  const std::string part(30000, 'x');
  EXPECT_EQ(say(pipe_, request(28, part, kFirst)), "");
  EXPECT_EQ(say(pipe_, request(28, part, 0)), "");
  EXPECT_FALSE(say(pipe_, request(28, part, kLast)));

  Pipe silent(PipeKind::srvsvc, environment_);
  ASSERT_TRUE(silent.write(as_bytes(from_hex(test::kSrvsvcDialogue[0].request))));
  const std::string enumerate = from_hex(test::kSrvsvcDialogue[3].request);
  size_t calls = 0;
  while (silent.write(as_bytes(enumerate))) ASSERT_LT(calls++, 2000u);
  EXPECT_GT(calls, 500u);
}

TEST_F(PipeTest, ForgetsOrphans) {
  bind();
  EXPECT_EQ(say(pipe_, request(28, "", kFirst)), "");
  EXPECT_EQ(say(pipe_, pdu_of(PduType::cancel, 0, "") + pdu_of(PduType::orphaned, 0, "")), "");
  EXPECT_EQ(fault_of(say(pipe_, request(28, ""))), number(Fault::ndr));
  EXPECT_EQ(say(pipe_, request(28, "", kFirst | kLast | kMaybe)), "");
}

TEST_F(PipeTest, SkipsTheObject) {
  bind();
  const auto plain = say(pipe_, request(28, std::string(4, '\0')));
  EXPECT_EQ(say(pipe_, request(28, std::string(16, 'o') + std::string(4, '\0'), kFirst | kLast | kObject)), plain);
  EXPECT_TRUE(plain && plain->size() == 80);
}

TEST_F(PipeTest, LimitsPolicies) {
  Pipe pipe(PipeKind::lsarpc, environment_);
  ASSERT_TRUE(say(pipe, bind_of({{kLsarpc.id, kNdr20}})));
  auto open = [&] { return say(pipe, request(6, "")).value_or("").substr(kResponseHead); };
  for (int i = 0; i < 64; i++) ASSERT_EQ(open().substr(20), std::string(4, '\0')) << i;
  EXPECT_EQ(open(), std::string(20, '\0') + "\x9a\0\0\xc0"s);
  EXPECT_EQ(fault_of(say(pipe, request(0, std::string(20, '\0')))), number(Fault::context_mismatch));
}

}  // namespace
}  // namespace isthmus::dcerpc
