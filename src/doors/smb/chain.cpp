#include "doors/smb/chain.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/log.h"
#include "doors/smb/logon.h"
#include "doors/smb/server.h"
#include "wire/smb2/error_response.h"

namespace isthmus::smb {
namespace {

using smb2::Command;
using smb2::NtStatus;

constexpr size_t kMostRequests = 64;                                           // of one frame
constexpr size_t kMostAnswers = smb2::kMaxFrame - (kMostRequests + 1) * 1024;  // bytes, without headers and errors

struct Row {
  Handler handler = nullptr;
  bool needs_session = true, needs_tree = true;
  bool waits = false;  ///< CANCEL may come for it
};

constexpr std::array<Row, smb2::kCommands> kTable = [] {
  std::array<Row, smb2::kCommands> t{};
  const auto at = [&t](Command c) -> Row& { return t[static_cast<size_t>(c)]; };
  at(Command::negotiate) = {negotiate, false, false, false};
  at(Command::session_setup) = {session_setup, false, false, false};
  at(Command::logoff) = {logoff, true, false, false};
  at(Command::tree_connect) = {tree_connect, true, false, false};
  at(Command::tree_disconnect) = {tree_disconnect, true, true, false};
  at(Command::create) = {create, true, true, true};
  at(Command::close) = {close, true, true, false};
  at(Command::flush) = {flush, true, true, false};
  at(Command::read) = {read, true, true, true};
  at(Command::write) = {write, true, true, true};
  at(Command::lock) = {lock, true, true, true};
  at(Command::ioctl) = {ioctl, true, true, false};
  at(Command::echo) = {echo, false, false, false};
  at(Command::query_directory) = {query_directory, true, true, false};
  at(Command::change_notify) = {change_notify, true, true, true};
  at(Command::query_info) = {query_info, true, true, false};
  at(Command::set_info) = {set_info, true, true, true};
  at(Command::oplock_break) = {oplock_break, true, true, false};
  return t;
}();

const Row* row_of(Command c) {
  const auto i = static_cast<size_t>(c);
  return i < kTable.size() && kTable[i].handler ? &kTable[i] : nullptr;
}

/// Commands that name a file: those that follow a failed CREATE fail as it did.
bool names_file(Command c) {
  return c >= Command::close && c <= Command::set_info && c != Command::echo && c != Command::cancel;
}

}  // namespace

Request::Request(Server& s, std::shared_ptr<Chain> c, const smb2::Header& h, Bytes b, std::shared_ptr<Cancel> by)
    : server(s), chain(std::move(c)), header(h), bytes(b), link(chain->link_), ctx(s.own), cancel(std::move(by)) {
  ctx.id = h.message_id;
  ctx.cancel = cancel.get();
}

FileSystem& Request::files() const { return server.port; }

Result<Attr> Request::attr_of(NodeId node) {
  op::Getattr get;
  get.node = node;
  auto got = call(get);
  if (!got) return got.error();
  return got->attr;
}

bool Request::find_open(const smb2::FileId& id) {
  open = id == smb2::kNoFileId && header.related() ? chain->open_ : server.files.find(id);
  if (open && (open->session_id != session->id || open->tree_id != tree.id)) open.reset();
  if (open && open->closed.load(std::memory_order_acquire)) open.reset();
  if (!open) return false;
  open->used = true;
  note_sequence(*this);
  use(open);
  return true;
}

void Request::use(std::shared_ptr<Open> o) {
  open = std::move(o);
  chain->open_ = open;
  ctx.lease_key = open->ctx.lease_key;
  ctx.parent_lease_key = open->ctx.parent_lease_key;
  ctx.client = open->ctx.client;  // as it was opened: durable opens outlive sessions
}

bool Request::is_protected() const { return chain->sealed_by_ || chain->signer(*this); }

void Request::go_async() {
  if (!last || async_id_ != 0) return;
  chain->send_interim(*this);
}

void Request::finish(Reply reply) {
  {
    std::lock_guard lock(m_);
    if (!interim_sent_) {
      early_ = std::move(reply);
      return;
    }
  }
  chain->send_final(*this, std::move(reply), true);
}

bool Chain::admit(bool& idle) {
  auto pdus = smb2::split_compound(frame_, kMostRequests);
  if (!pdus) return false;
  pdus_ = std::move(*pdus);
  for (const smb2::Pdu& pdu : pdus_) {
    const smb2::Header& h = pdu.header;
    if (h.flags & smb2::kFlagResponse) return false;
    if (h.command == Command::cancel) {
      if ((!h.async() || h.async_id != 0) && may_cancel(pdu))
        link_->cancel(h.async(), h.async() ? h.async_id : h.message_id);
      continue;
    }
    const uint32_t charge = std::max<uint32_t>(1, link_->agreed.large() ? h.credit_charge : 1);
    if (!link_->spend(h.message_id, charge)) return false;
    admitted_.push_back({&pdu, std::make_shared<Cancel>()});
    const Row* e = row_of(h.command);
    if (e && e->waits) link_->add_pending(h.message_id, admitted_.back().cancel);
  }
  idle = admitted_.empty();
  name_files();
  return true;
}

void Chain::name_files() {
  const auto add = [](std::vector<uint64_t>& to, uint64_t id) {
    if (std::find(to.begin(), to.end(), id) == to.end()) to.push_back(id);
  };
  for (const smb2::Pdu& pdu : pdus_) {
    const auto id = smb2::named_file(pdu);
    if (!id || *id == smb2::kNoFileId) continue;
    add(pdu.header.command == Command::close ? named_.closed : named_.used, id->temporary);
  }
}

bool Chain::is_urgent() const {
  switch (pdus_.front().header.command) {
    case Command::oplock_break:
    case Command::close:
    case Command::flush:
    case Command::write:  // which acknowledgments wait for; and nothing may come before it that was sent behind it
    case Command::lock:
    case Command::set_info:
    case Command::echo:
    case Command::session_setup:
    case Command::logoff:
    case Command::tree_disconnect:
      return true;
    default:
      return false;
  }
}

bool Chain::keeps_order() const { return pdus_.size() == 1 && pdus_.front().header.command == Command::change_notify; }

void Chain::run() {
  for (size_t i = 0; i < admitted_.size(); i++) {
    const auto request = std::make_shared<Request>(server_, shared_from_this(), admitted_[i].pdu->header,
                                                   admitted_[i].pdu->bytes, admitted_[i].cancel);
    Request& r = *request;
    r.last = i + 1 == admitted_.size();
    const auto begun = std::chrono::steady_clock::now();
    const Row* e = row_of(r.header.command);
    std::optional<Reply> reply;
    NtStatus status = NtStatus::success;
    if (i == 0) begins_related_ = r.header.related();
    if (!r.header.related()) {
      open_.reset();
      before_ = NtStatus::success;
    }
    find_session(r, i > 0 && r.header.related());
    status = begins_related_ && r.header.related() ? NtStatus::invalid_parameter : admit_request(r);
    if (status == NtStatus::success && r.header.related() && names_file(r.header.command) && !open_ &&
        smb2::is_error(before_))
      status = before_;
    if (status != NtStatus::success)
      reply = Reply(status);
    else
      reply = e->handler(r);
    const auto name = static_cast<size_t>(r.header.command);
    server_.metrics.request(
        name < command_names().size() ? command_names()[name] : "other", std::chrono::steady_clock::now() - begun,
        reply && (reply->status == NtStatus::io_device_error || reply->status == NtStatus::internal_error));
    if (!reply) {
      {
        std::lock_guard lock(r.m_);
        reply = std::exchange(r.early_, std::nullopt);
      }
      if (!reply) {
        if (!r.is_async()) send_interim(r);
        std::optional<Reply> meanwhile;
        {
          std::lock_guard lock(r.m_);
          r.interim_sent_ = true;
          meanwhile = std::exchange(r.early_, std::nullopt);
        }
        if (meanwhile) send_final(r, std::move(*meanwhile));
        return;
      }
    }
    if (r.header.command == Command::create && reply->status != NtStatus::success) open_.reset();
    before_ = reply->status;
    ends_link_ |= r.ends_link;
    if (e && e->waits && r.async_id_ == 0) link_->remove_pending(r.header.message_id);
    if (r.is_async())
      send_final(r, std::move(*reply));
    else
      append(r, std::move(*reply));
  }
  if (!out_.empty()) link_->send(out_, sealed_by_.get());
  if (ends_link_) link_->end();
}

/// Whoever signs must have the key. Some clients do not sign this, whatever they agreed to.
bool Chain::may_cancel(const smb2::Pdu& pdu) const {
  if (sealed_by_) return true;
  const auto channel = link_->channel(pdu.header.session_id);
  if (pdu.header.is_signed()) return channel && channel->ready() && channel->verify(pdu.bytes);
  return !channel || !channel->session->encrypts;
}

void Chain::find_session(Request& r, bool of_before) {
  if (!of_before) {
    session_id_ = r.header.session_id;
    tree_id_ = r.header.tree_id;
  }
  if (session_id_ == 0 || r.header.command == Command::negotiate) return;
  r.channel = link_->channel(session_id_);
  if (r.channel)
    r.session = r.channel->session;
  else if (r.header.command != Command::session_setup)
    return;  // nor would it be good to sign what others send again: GMAC's nonce is the message id
  else if (const auto elsewhere = server_.find_session(session_id_); elsewhere && elsewhere->valid())
    r.refused_by = stray_channel(r, elsewhere);
}

NtStatus Chain::admit_request(Request& r) {
  const smb2::Header& h = r.header;
  const Row* e = row_of(h.command);
  if (!e) return NtStatus::invalid_parameter;
  if (!link_->agreed.done() && h.command != Command::negotiate) {
    link_->end();
    return NtStatus::invalid_parameter;
  }
  if (h.command == Command::negotiate) return NtStatus::success;
  if (sealed_by_ && r.session && sealed_by_->session != r.session) return NtStatus::access_denied;
  // Whoever binds a session says so in the body.
  if (h.command == Command::session_setup)
    return r.channel && r.channel->has_keys() ? check_signature(r) : NtStatus::success;
  const bool ready = r.channel && r.channel->ready() && r.session->valid();
  // What is related to a request that had no session has none to be deleted.
  if (e->needs_session && !ready) return h.related() ? NtStatus::invalid_parameter : NtStatus::user_session_deleted;
  if (ready) {
    if (const NtStatus s = check_signature(r); s != NtStatus::success) return s;
    r.ctx.client = r.session->id;
  }
  if (!e->needs_tree) return NtStatus::success;
  const auto tree = r.session->tree(tree_id_);
  if (!tree) return NtStatus::network_name_deleted;
  r.tree = *tree;
  return NtStatus::success;
}

NtStatus Chain::check_signature(Request& r) {
  if (sealed_by_) return NtStatus::success;
  if (r.session->encrypts && r.header.command != Command::session_setup) return NtStatus::access_denied;
  if (!r.header.is_signed()) {
    // ECHO may come in the open: it says nothing.
    return r.session->signs && r.header.command != Command::echo ? NtStatus::access_denied : NtStatus::success;
  }
  return r.channel->verify(r.bytes) ? NtStatus::success : NtStatus::access_denied;
}

Outgoing Chain::outgoing(const Request& r, smb2::Header head, Reply&& reply) const {
  Outgoing out;
  smb2::append_header(out.head, head);
  if (reply.body.empty()) {
    out.body = smb2::write_error(link_->agreed.dialect, as_bytes(reply.error_data));
  } else {
    out.body = std::move(reply.body);
    out.data = std::move(reply.data);
    out.data_size = reply.data_size;
    out.file = std::move(reply.file);
  }
  out.sign_by = signer(r);
  return out;
}

/// All of a session that has its keys, also the answer that ends it; at least the end of a logon.
std::shared_ptr<Channel> Chain::signer(const Request& r) const {
  const auto& channel = r.channel ? r.channel : r.refused_by;
  const bool logon = r.header.command == Command::session_setup;
  if (!channel || sealed_by_ || !channel->has_keys() || !(channel->ready() || logon)) return nullptr;
  return channel->session->signs || r.header.is_signed() || logon ? channel : nullptr;
}

/// What the request has spent, and what it asks for besides.
uint16_t Chain::grant(const Request& r) const {
  return link_->grant(std::max<uint32_t>(1, r.header.credit_charge) + std::max<uint32_t>(1, r.header.credits) - 1);
}

void Chain::append(const Request& r, Reply&& reply) {
  smb2::Header head = smb2::answer_to(r.header, reply.status, grant(r));
  if (r.header.related()) {
    head.flags |= smb2::kFlagRelated;
    head.session_id = session_id_;
    head.tree_id = tree_id_;
  }
  if (r.session) head.session_id = r.session->id;
  if (r.header.command == Command::tree_connect) head.tree_id = r.tree.id;
  answered_ += reply.body.size() + reply.data_size + reply.file.length;
  if (answered_ > kMostAnswers) {
    reply = Reply(NtStatus::insufficient_resources);
    head.status = static_cast<uint32_t>(reply.status);
  }
  Outgoing out = outgoing(r, head, std::move(reply));
  // The hash of 3.1.1 takes NEGOTIATE, and the steps of a logon but the last, as they are sent: with their signature.
  const bool step = r.header.command == Command::session_setup && r.channel &&
                    head.status == static_cast<uint32_t>(NtStatus::more_processing_required);
  if (step && out.sign_by) {
    const Bytes body = as_bytes(out.body);
    const auto signer = std::exchange(out.sign_by, nullptr);
    if (!r.last || !signer->sign(std::as_writable_bytes(std::span(out.head)), std::span(&body, 1))) return link_->end();
  }
  const Bytes text[] = {as_bytes(out.head), as_bytes(out.body)};
  if (r.header.command == Command::negotiate && head.status == static_cast<uint32_t>(NtStatus::success)) {
    if (!link_->agreed.preauth.add(r.bytes) || !link_->agreed.preauth.add(text)) link_->end();
  } else if (step) {
    std::lock_guard lock(r.channel->logon_m);
    if (!r.channel->preauth.add(text)) link_->end();
  }
  out_.push_back(std::move(out));
}

void Chain::send_interim(Request& r) {
  r.async_id_ = link_->make_async(r.header.message_id, r.cancel);
  smb2::Header head = smb2::answer_to(r.header, NtStatus::pending, grant(r));
  head.flags |= smb2::kFlagAsync;
  head.async_id = r.async_id_;
  if (r.session) head.session_id = r.session->id;
  Outgoing out = outgoing(r, head, Reply(NtStatus::pending));
  out.sign_by.reset();
  out_.push_back(std::move(out));
  link_->send(out_, sealed_by_.get());
  out_.clear();
}

void Chain::send_final(Request& r, Reply&& reply, bool news) {
  link_->remove_pending(r.header.message_id);
  smb2::Header head = smb2::answer_to(r.header, reply.status, 0);
  head.flags |= smb2::kFlagAsync;
  head.async_id = r.async_id_;
  if (r.session) head.session_id = r.session->id;
  Outgoing out = outgoing(r, head, std::move(reply));
  if (news) return link_->send_news(std::move(out), sealed_by_);
  std::vector<Outgoing> one;
  one.push_back(std::move(out));
  link_->send(one, sealed_by_.get());
}

}  // namespace isthmus::smb
