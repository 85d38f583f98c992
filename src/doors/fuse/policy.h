#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "doors/fuse/fuse_door.h"
#include "vfs/capabilities.h"
#include "wire/fuse/flags.h"
#include "wire/fuse/opcodes.h"
#include "wire/fuse/structs.h"

namespace isthmus::fuse {

/// What a session settled with its kernel, once, in the answer to INIT; read by every request afterwards.
struct Policy {
  uint32_t minor = 0;
  uint64_t flags = 0;  ///< kInit...: offered by the kernel and wanted by us
  uint32_t max_write = 0, max_readahead = 0;
  uint16_t max_pages = 0, max_background = 0, congestion_threshold = 0;
  uint32_t max_stack_depth = 0;    ///< with kInitPassthrough
  uint16_t request_timeout_s = 0;  ///< with kInitRequestTimeout
  uint32_t time_granularity_ns = 1;

  bool stateless_open = false;     ///< OPEN answers ENOSYS: opens and closes cost nothing any more
  bool stateless_opendir = false;  ///< OPENDIR likewise
  bool flushes = true;             ///< false: FLUSH answers ENOSYS, close(2) costs no request
  bool keep_cache = false;         ///< opens keep the page cache
  bool direct_io = false;          ///< no open has one
  bool access_checked = false;     ///< the kernel has checked permissions
  std::optional<Ttl> entry_ttl, negative_ttl, attr_ttl;

  bool has(uint64_t flag) const { return (flags & flag) != 0; }
  bool writeback() const;
};

/// The facts that decide.
struct PolicyFacts {
  Traits traits;
  Capabilities can;
  SessionOptions options;
  uint64_t offered = 0;        ///< kInit... of the kernel
  uint32_t minor = 0;          ///< of the kernel
  uint32_t max_readahead = 0;  ///< bytes, of the kernel
  bool rings = false;          ///< io_uring queues are ready to be used
  size_t buffer_size = 0;      ///< bytes of data that a request or an answer of ours can hold
};

/// The table of policy.cpp, applied.
Policy decide(const PolicyFacts& facts);

/// The policy in words, for `isthmus list --json`: names and values (docs/fuse.md).
std::vector<std::pair<std::string, std::string>> describe(const Policy& policy);

/// INIT's answer. `size`: how much of it the kernel takes.
wire::fuse::InitOut init_reply(const Policy& policy, size_t& size);

/// Requests that the kernel is to do without, whatever the file system can: it is told ENOSYS, once.
bool is_unwanted(wire::fuse::Opcode opcode, const Policy& policy);

/// The waist's operation without which the kernel is told ENOSYS, once, and does without for good; nullopt when the
/// request is always passed on, because the waist's default is better than what the kernel would do.
std::optional<Op> needed_for(wire::fuse::Opcode opcode);

/// fs.fuse.max_pages_limit of this kernel (256 where it has none), in pages.
uint32_t kernel_max_pages();

/// Whether this kernel lets FUSE use io_uring: the parameter enable_uring of its module, which kernels before 6.14
/// lack.
bool kernel_has_rings();

}  // namespace isthmus::fuse
