#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "wire/dcerpc/environment.h"
#include "wire/dcerpc/interfaces.h"

namespace isthmus::dcerpc {

enum class PipeKind : uint8_t { srvsvc, wkssvc, lsarpc };

/// The kind of a name in IPC$, in either case and with a leading backslash or without. None: there is no such pipe.
std::optional<PipeKind> pipe_of(std::string_view name);

/// One open of a pipe: the server's end of one connection of DCE/RPC. Calls are answered while they are written. Not
/// safe for several threads at once.
class Pipe {
 public:
  /// Bytes of a call's parameters, of answers that wait while more is written, and contexts of one pipe.
  static constexpr size_t kMaxCall = 64 << 10, kMaxWaiting = 256 << 10, kMaxContexts = 16;
  /// Bytes of a fragment: what we send at most, and the least that everyone must take (C706 section 12.6.2).
  static constexpr uint16_t kMaxFragment = 4280, kMinFragment = 1432;

  /// `environment` must outlive the pipe; it may change between calls of write().
  Pipe(PipeKind kind, const Environment& environment);

  /// Any part of the client's PDUs, or several. False: the pipe is broken, by what the client wrote or because it does
  /// not read; answers to what came before can still be read.
  bool write(Bytes data);

  bool has_output() const { return !output_.empty(); }
  /// Bytes of the next PDU that are left. A pipe is of messages: a read that leaves some says BUFFER_OVERFLOW.
  size_t message_left() const { return output_.empty() ? 0 : output_.front().size() - read_; }
  /// What is left of the next PDU, `most` bytes at most; empty: there is none.
  std::string read(size_t most);

 private:
  struct Request {
    uint32_t call_id = 0;
    uint16_t context = 0, operation = 0;
    std::string stub;
  };

  bool take(const PduHead& head, Bytes pdu);
  bool take_bind(const PduHead& head, Bytes pdu);
  bool take_request(const PduHead& head, Bytes pdu);
  BindResult bind(const Bind::Context& context);
  void run(const Request& request, bool wants_answer);
  void put(std::string pdu);

  const Interface& interface_;
  Session session_;
  std::string input_;  // the beginning of a PDU
  std::deque<std::string> output_;
  size_t read_ = 0;                 // of the front of output_
  size_t waiting_ = 0;              // bytes in output_
  std::optional<Request> request_;  // some of its fragments came
  std::set<uint16_t> contexts_;
  uint16_t max_fragment_ = kMaxFragment;
  bool bound_ = false, broken_ = false;
};

}  // namespace isthmus::dcerpc
