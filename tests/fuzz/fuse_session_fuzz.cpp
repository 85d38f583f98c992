// A whole session against a hostile kernel: requests of every kind, in any order, on the nodes the session has handed
// out, served by the file system in memory. Every request that wants an answer gets exactly one, and its length is
// right. Input: for each request the number of its opcode in kOpcodes, a byte that chooses the node, two bytes with the
// length of the body, the body; what the body lacks of the fixed struct is zeros.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "base/log.h"
#include "doors/fuse/session.h"
#include "fs/mem/mem_fs.h"
#include "wire/fuse/opcodes.h"

namespace {

using namespace isthmus;
using namespace isthmus::wire::fuse;

void require(bool holds) {
  if (!holds) std::abort();
}

class FuzzTransport final : public fuse::Transport {
 public:
  explicit FuzzTransport(Bytes input) : input_(input) {}

  void open_lane(unsigned) override {}
  Result<size_t> receive(unsigned, MutableBytes into) override {
    InHeader h{};
    std::vector<std::byte> body;
    if (next_unique_ == 0) {
      h.opcode = static_cast<uint32_t>(Opcode::Init);
      InitIn in{};
      in.major = kMajor;
      in.minor = kMinor;
      in.flags = UINT32_MAX;
      in.flags2 = UINT32_MAX;
      body.resize(sizeof in);
      std::memcpy(body.data(), &in, sizeof in);
    } else if (!next(h, body)) {
      return err(ENODEV);
    }
    h.len = static_cast<uint32_t>(sizeof(h) + body.size());
    h.unique = next_unique_ += 2;
    require(h.len <= into.size());
    std::memcpy(into.data(), &h, sizeof h);
    std::copy(body.begin(), body.end(), into.begin() + sizeof h);
    wanted_[h.unique] = h.opcode;
    return size_t{h.len};
  }
  bool readable() override { return false; }
  Status send(unsigned, std::span<const iovec> message) override {
    std::vector<std::byte> all;
    for (const iovec& part : message) {
      const auto* p = static_cast<const std::byte*>(part.iov_base);
      all.insert(all.end(), p, p + part.iov_len);
    }
    OutHeader h;
    require(all.size() >= sizeof h);
    std::memcpy(&h, all.data(), sizeof h);
    require(h.len == all.size() && h.error <= 0 && h.error > -512);
    auto i = wanted_.find(h.unique);
    require(i != wanted_.end());
    const OpcodeInfo* info = find_opcode(i->second);
    if (info && h.error == 0 && (info->reply == Reply::Entry || info->reply == Reply::EntryOpen)) {
      EntryOut e;
      require(all.size() >= sizeof h + sizeof e);
      std::memcpy(&e, all.data() + sizeof h, sizeof e);
      if (e.nodeid && nodes_.size() < 256) nodes_.push_back(e.nodeid);
    }
    wanted_.erase(i);
    return Unit{};
  }
  Result<bool> send_file(unsigned, const OutHeader&, const Buffer::FileRange&) override { return false; }
  Status notify(std::span<const iovec>) override { return Unit{}; }
  void hang_up() override {}

  /// After the end: whoever wanted an answer has it.
  void check() const {
    for (auto& [unique, opcode] : wanted_) {
      const OpcodeInfo* info = find_opcode(opcode);
      require(info && (info->flags & kOpcodeNoReply));
    }
  }

 private:
  bool next(InHeader& h, std::vector<std::byte>& body) {
    constexpr size_t kHead = 4, kLongest = 70'000;
    if (input_.size() < kHead) return false;
    const OpcodeInfo& info = kOpcodes[std::to_integer<size_t>(input_[0]) % kOpcodes.size()];
    h.opcode = static_cast<uint32_t>(info.opcode);
    h.nodeid = nodes_[std::to_integer<size_t>(input_[1]) % nodes_.size()];
    h.uid = std::to_integer<uint32_t>(input_[1]) >> 6;
    size_t size = std::to_integer<size_t>(input_[2]) | std::to_integer<size_t>(input_[3]) << 8;
    input_ = input_.subspan(kHead);
    size = std::min({size, input_.size(), kLongest});
    body.assign(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(size));
    input_ = input_.subspan(size);
    if (body.size() < info.in_size) body.resize(info.in_size);
    return true;
  }

  Bytes input_;
  uint64_t next_unique_ = 0;
  std::vector<uint64_t> nodes_{kRootId};
  std::map<uint64_t, uint32_t> wanted_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = [] {
    set_log_level(LogLevel::off);
    return true;
  }();
  static_cast<void>(quiet);
  fs::mem::MemOptions options;
  options.limits.bytes = 4 << 20;
  fs::mem::MemFs fs(options);
  FuzzTransport transport(std::as_bytes(std::span(data, size)));
  {
    fuse::Session session(fs, transport, {});
    if (!fs.start(session.notifier())) return 0;
    for (;;) {
      auto got = session.wait(0);
      if (got == LineSource::Got::closed) break;
      if (got == LineSource::Got::request) session.run(0);
    }
    session.drain();
    fs.stop();
  }
  transport.check();
  return 0;
}
