#include "wire/dcerpc/pipe.h"

#include <algorithm>

#include "base/endian.h"

namespace isthmus::dcerpc {
namespace {

constexpr const Interface* kInterfaces[] = {&kSrvsvc, &kWkssvc, &kLsarpc};  // in the order of PipeKind

/// Any number but 0: an association group holds context handles that several connections share, and ours share none.
constexpr uint32_t kGroup = 0x15746d75;

constexpr size_t kObjectId = 16;  // bytes

/// MS-RPCE section 2.2.2.14: we keep the connection when a call is orphaned.
constexpr uint16_t kKeepsConnection = 2;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::optional<PipeKind> pipe_of(std::string_view name) {
  if (name.starts_with('\\')) name.remove_prefix(1);
  for (size_t i = 0; i < std::size(kInterfaces); i++) {
    const std::string_view pipe = kInterfaces[i]->pipe;
    if (std::equal(name.begin(), name.end(), pipe.begin(), pipe.end(), [](char a, char b) { return lower(a) == b; }))
      return static_cast<PipeKind>(i);
  }
  return std::nullopt;
}

Pipe::Pipe(PipeKind kind, const Environment& environment)
    : interface_(*kInterfaces[static_cast<size_t>(kind)]), session_{environment, 0, {}} {}

bool Pipe::write(Bytes data) {
  while (!broken_ && !data.empty()) {
    auto head = read_pdu_head(as_bytes(input_));
    const size_t n = std::min(data.size(), (head ? head->length : kPduHead) - input_.size());
    input_ += as_text(data.first(n));
    data = data.subspan(n);
    if (input_.size() < kPduHead) break;
    head = read_pdu_head(as_bytes(input_));
    if (!head || waiting_ > kMaxWaiting) {
      broken_ = true;
    } else if (input_.size() == head->length) {
      broken_ = !take(*head, as_bytes(input_));
      input_.clear();
    }
  }
  return !broken_;
}

std::string Pipe::read(size_t most) {
  if (output_.empty()) return {};
  std::string part = output_.front().substr(read_, most);
  read_ += part.size();
  waiting_ -= part.size();
  if (read_ == output_.front().size()) {
    output_.pop_front();
    read_ = 0;
  }
  return part;
}

void Pipe::put(std::string pdu) {
  waiting_ += pdu.size();
  output_.push_back(std::move(pdu));
}

bool Pipe::take(const PduHead& head, Bytes pdu) {
  switch (head.type) {
    case PduType::bind:
    case PduType::alter_context:
      return take_bind(head, pdu);
    case PduType::request:
      return take_request(head, pdu);
    case PduType::orphaned:
      if (request_ && request_->call_id == head.call_id) request_.reset();
      return true;
    case PduType::cancel:
      return true;  // its call is answered already
    default:
      return false;
  }
}

BindResult Pipe::bind(const Bind::Context& context) {
  using Outcome = BindResult::Outcome;
  if (context.transfers.size() == 1) {
    if (const auto features = features_of(context.transfers[0]))
      return {Outcome::features, static_cast<uint16_t>(*features & kKeepsConnection)};
  }
  if (context.interface != interface_.id) return {Outcome::refused, BindResult::kNoSuchInterface};
  if (std::find(context.transfers.begin(), context.transfers.end(), kNdr20) == context.transfers.end())
    return {Outcome::refused, BindResult::kNoSuchTransfer};
  if (contexts_.size() >= kMaxContexts && !contexts_.contains(context.id))
    return {Outcome::refused, BindResult::kLimit};
  contexts_.insert(context.id);
  return {Outcome::accepted, 0};
}

bool Pipe::take_bind(const PduHead& head, Bytes pdu) {
  const bool first = head.type == PduType::bind;
  // One BIND for each connection, and everything else after it (C706 section 12.6.3.4).
  if (first == bound_ || request_) return false;
  if (head.auth_length != 0) {
    if (!first) return false;
    put(write_bind_nak(head.call_id, NakReason::authentication_type));
    return true;
  }
  const auto bind_pdu = read_bind(pdu);
  if (!bind_pdu) {
    if (first) put(write_bind_nak(head.call_id, NakReason::not_specified));
    return first;
  }
  if (first) {
    max_fragment_ = std::clamp(bind_pdu->max_receive, kMinFragment, kMaxFragment);
    bound_ = true;
  }
  std::vector<BindResult> results;
  for (const auto& context : bind_pdu->contexts) results.push_back(bind(context));
  const std::string address = first ? "\\PIPE\\" + std::string(interface_.pipe) : std::string();
  put(write_bind_ack(first ? PduType::bind_ack : PduType::alter_context_response, head.call_id, max_fragment_,
                     bind_pdu->group != 0 ? bind_pdu->group : kGroup, address, results));
  return true;
}

bool Pipe::take_request(const PduHead& head, Bytes pdu) {
  NdrReader in(pdu);
  in.bytes(kPduHead);
  in.number<uint32_t>();  // a hint of how much will come
  Request r{head.call_id, in.number<uint16_t>(), in.number<uint16_t>(), {}};
  if (head.flags & kObject) in.bytes(kObjectId);
  if (!in.ok() || !bound_) return false;
  if (head.auth_length != 0) {
    put(write_fault(r.call_id, r.context, Fault::access_denied));
    return true;
  }
  // Fragments of calls do not mix: we have not offered to take several at once.
  const bool first = head.flags & kFirst;
  if (first == request_.has_value()) return false;
  if (first) request_ = r;
  if (request_->call_id != r.call_id || request_->context != r.context || request_->operation != r.operation)
    return false;
  const Bytes part = in.rest();
  if (part.size() > kMaxCall - request_->stub.size()) return false;
  request_->stub += as_text(part);
  if (!(head.flags & kLast)) return true;
  run(*request_, !(head.flags & kMaybe));
  request_.reset();
  return true;
}

void Pipe::run(const Request& request, bool wants_answer) {
  NdrReader in(as_bytes(request.stub));
  NdrWriter out;
  const auto& operations = interface_.operations;
  const auto found = std::find_if(operations.begin(), operations.end(),
                                  [&](const Operation& o) { return o.number == request.operation; });
  Fault fault = Fault::none;
  if (!contexts_.contains(request.context))
    fault = Fault::unknown_interface;
  else if (found == operations.end())
    fault = Fault::no_such_operation;
  else
    fault = found->run(session_, in, out);
  if (!wants_answer) return;
  if (fault != Fault::none) return put(write_fault(request.call_id, request.context, fault));
  const std::string stub = out.take();
  // Multiples of 8, so that no number of NDR lies in two fragments.
  const size_t most = (max_fragment_ - kResponseHead) / 8 * 8;
  for (size_t at = 0; at == 0 || at < stub.size(); at += most) {
    const auto part = std::string_view(stub).substr(at, most);
    const uint8_t flags = (at == 0 ? kFirst : 0) | (at + part.size() == stub.size() ? kLast : 0);
    put(write_response(request.call_id, flags, request.context, stub.size() - at, part));
  }
}

}  // namespace isthmus::dcerpc
