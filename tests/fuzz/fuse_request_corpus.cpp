// usage: fuse_request_corpus FOLDER        writes the seeds of fuse_request_fuzz: every opcode of opcodes.def, plain,
// with extensions, as a ring entry
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "wire/fuse/request_sample.h"

namespace {

using namespace isthmus::wire::fuse;
using Message = std::vector<std::byte>;

bool write_seed(const std::string& path, uint8_t modes, const Message& message) {
  std::ofstream out(path, std::ios::binary);
  out.put(static_cast<char>(modes));
  out.write(reinterpret_cast<const char*>(message.data()), static_cast<std::streamsize>(message.size()));
  return out.flush().good();
}

// `in_header`: bytes of the struct that are not in the payload.
Message as_ring(const Message& message, size_t in_header) {
  UringReqHeader ring{};
  std::memcpy(ring.in_out, message.data(), sizeof(InHeader));
  std::memcpy(ring.op_in, message.data() + sizeof(InHeader), in_header);
  const size_t fixed = sizeof(InHeader) + in_header;
  ring.ring_ent_in_out.payload_sz = static_cast<uint32_t>(message.size() - fixed);
  Message out;
  detail::append(out, ring);
  detail::append(out, message.data() + fixed, message.size() - fixed);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuse_request_corpus FOLDER\n", stderr);
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  bool good = true;
  for (const OpcodeInfo& info : kOpcodes) {
    const std::string name(info.name);
    SampleOptions options;
    good &= write_seed(folder + name, 0, make_sample(info, options));
    if (info.opcode != Opcode::Init) {
      good &= write_seed(folder + name + "-ring", 4, as_ring(make_sample(info, options), info.in_size));
    }
    if (info.opcode == Opcode::NotifyReply) {
      good &= write_seed(folder + name + "-payload", 4, as_ring(make_sample(info, options), 0));
    }
    if ((info.flags & kOpcodeCreates) != 0 || info.opcode == Opcode::Setxattr) {
      options.extensions = true;
      options.negotiated.flags = kInitSetxattrExt;
      good &= write_seed(folder + name + "-ext", 9, make_sample(info, options));
    }
  }
  if (!good) std::perror("fuse_request_corpus");
  return good ? 0 : 1;
}
