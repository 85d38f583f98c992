// What a client writes to a pipe of IPC$. The first byte chooses the pipe, the second how many bytes it writes at a
// time: neither may change what is answered. Answers are whole PDUs, no fragment is longer than was agreed.
#include <algorithm>

#include "tests/fuzz/check.h"
#include "wire/dcerpc/pipe.h"
#include "wire/dcerpc/test_environment.h"

using namespace isthmus;
using namespace isthmus::dcerpc;

namespace {

/// Whether the pipe held, and all that it said.
std::pair<bool, std::string> talk(PipeKind kind, Bytes input, size_t step) {
  static const Environment environment = test::environment();
  Pipe pipe(kind, environment);
  bool holds = true;
  for (size_t at = 0; at < input.size() && holds; at += step)
    holds = pipe.write(input.subspan(at, std::min(step, input.size() - at)));
  std::string all;
  while (pipe.has_output()) {
    const size_t left = pipe.message_left();
    const std::string pdu = pipe.read(left);
    const auto head = read_pdu_head(as_bytes(pdu));
    check(head && pdu.size() == left && head->length == left);
    check(head->type != PduType::response || left <= Pipe::kMaxFragment);
    all += pdu;
  }
  return {holds, all};
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto kind = static_cast<PipeKind>(data[0] % 3);
  const Bytes input = std::as_bytes(std::span(data + 2, size - 2));
  check(talk(kind, input, std::max<size_t>(input.size(), 1)) == talk(kind, input, size_t{data[1]} + 1));
  return 0;
}
