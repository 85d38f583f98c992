#include "doors/smb/server.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/endian.h"
#include "doors/common/secret.h"
#include "doors/smb/link.h"
#include "doors/smb/oplock.h"
#include "vfs/volume/volume.h"
#include "windows/fold.h"

namespace isthmus::smb {
namespace {

constexpr std::array<std::string_view, smb2::kCommands> kNames = {
    "NEGOTIATE",       "SESSION_SETUP", "LOGOFF",     "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE",
    "FLUSH",           "READ",          "WRITE",      "LOCK",         "IOCTL",           "CANCEL", "ECHO",
    "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO",     "OPLOCK_BREAK"};

/// 15 characters at most, as NetBIOS has it. Clients keep what they know of a server under its name.
std::string random_name() {
  std::string name = "ISTHMUS-" + random_secret(4).substr(0, 6);
  for (char& c : name) c = static_cast<char>(toupper(c));
  return name;
}

Context own_context(uint32_t umask) {
  Context ctx;
  ctx.cred.umask = umask;
  ctx.umask_pending = true;
  ctx.cred.known = true;
  ctx.cred.uid = geteuid();
  ctx.cred.gid = getegid();
  ctx.cred.pid = static_cast<uint32_t>(getpid());
  ctx.door = DoorKind::smb;
  return ctx;
}

/// Its connection hears no more of the session by it.
void forget_channel(const Channel& channel) {
  const auto link = channel.link.lock();
  if (!link) return;
  std::lock_guard lock(link->channels_m);
  const auto it = link->channels.find(channel.session->id);
  if (it != link->channels.end() && it->second.get() == &channel) link->channels.erase(it);
}

std::vector<windows::Sid> sids_of(const windows::Identities& ids) {
  std::vector<windows::Sid> all{ids.of_user(geteuid()), ids.of_group(getegid()), windows::kEveryone,
                                windows::kAuthenticatedUsers};
  std::vector<gid_t> groups(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  const int n = getgroups(static_cast<int>(groups.size()), groups.data());
  for (int i = 0; i < n; i++) all.push_back(ids.of_group(groups[static_cast<size_t>(i)]));
  return all;
}

smb2::Guid random_guid() {
  smb2::Guid guid{};
  fill_random(guid);
  return guid;
}

}  // namespace

std::span<const std::string_view> command_names() { return kNames; }

Server::Server(VolumePort& volume_port, Options door_options)
    : port(volume_port),
      options(std::move(door_options)),
      read_only(options.read_only || volume_port.traits().read_only),
      name(options.server_name.empty() ? random_name() : options.server_name),
      guid(random_guid()),
      volume_serial(load_le<uint32_t>(guid, 0).value_or(0) | 1),
      own(own_context(options.umask)),
      sids(sids_of(options.identities)),
      metrics(command_names()),
      streams(VolumeOptions{}.break_time,
              [this](uint32_t, NodeId node, HandleId handle, uint8_t bits) { break_lease(node, handle, bits); }),
      frame_pool{.most = options.max_threads} {
  logons.names = {name, name, name, ""};
  logons.upper = windows::upper_case;
  logons.account = [this, hash = ntlm::nt_hash(options.password)](std::string_view user, std::string_view) {
    return windows::same_but_case(user, options.user) ? hash : std::nullopt;
  };
  fill_environment(*this);
}

std::shared_ptr<Channel> Server::new_session(const std::shared_ptr<Link>& link) {
  std::lock_guard lock(m_);
  uint64_t id = 0;
  do {
    std::array<std::byte, 4> bytes{};  // no secret; there are clients that keep no more of it
    fill_random(bytes);
    id = 0;
    for (std::byte b : bytes) id = id << 8 | std::to_integer<uint64_t>(b);
  } while (id == 0 || sessions_.contains(id));
  auto made = std::make_shared<Session>(id);
  auto channel = std::make_shared<Channel>(made, link);
  made->channels.push_back(channel);
  sessions_[id] = std::move(made);
  return channel;
}

std::shared_ptr<Session> Server::find_session(uint64_t id) const {
  std::lock_guard lock(m_);
  const auto it = sessions_.find(id);
  return it == sessions_.end() ? nullptr : it->second;
}

void Server::end_session(Session& session) {
  {
    std::lock_guard lock(session.m);
    if (session.state == Session::State::over) return;
    session.state = Session::State::over;
    session.trees.clear();
    session.channels.clear();
  }
  creations.cancel(session.id);
  // First those that a client may already be asking for again.
  bool kept = false;
  std::vector<std::shared_ptr<Open>> others;
  for (const auto& open : files.of_session(session.id)) {
    if (durables.keep(open))
      kept = true;
    else
      others.push_back(open);
  }
  for (const auto& open : others) close_open(*this, open);
  if (!kept) port.client_gone(session.id);
  std::lock_guard lock(m_);
  sessions_.erase(session.id);
}

void Server::end_channel(Channel& channel) {
  forget_channel(channel);
  Session& session = *channel.session;
  bool last = false;
  {
    std::lock_guard lock(session.m);
    const size_t gone = std::erase_if(session.channels, [&](const auto& w) {
      const auto one = w.lock();
      return !one || one.get() == &channel;
    });
    if (gone == 0) return;
    last = session.channels.empty();
  }
  if (last)
    end_session(session);
  else if (const auto link = channel.link.lock())
    resend_breaks(*this, *link);
}

void Server::end_link(Link& link) {
  std::map<uint64_t, std::shared_ptr<Channel>> all;
  {
    std::lock_guard lock(link.channels_m);
    all.swap(link.channels);
  }
  for (const auto& [id, channel] : all) end_channel(*channel);
  resend_breaks(*this, link);  // of leases, which are told to whichever of their clients' connections is the first
  std::lock_guard lock(m_);
  std::erase_if(links_, [&](const auto& w) {
    const auto l = w.lock();
    return !l || l.get() == &link;
  });
  if (links_.empty()) memory.trim();
}

void Server::add_link(const std::shared_ptr<Link>& link) {
  std::lock_guard lock(m_);
  links_.push_back(link);
}

std::vector<std::shared_ptr<Link>> Server::links() const {
  std::vector<std::shared_ptr<Link>> all;
  std::lock_guard lock(m_);
  for (const auto& w : links_)
    if (auto link = w.lock()) all.push_back(std::move(link));
  return all;
}

std::shared_ptr<Link> Server::link_of(const smb2::Guid& client) const {
  for (const auto& link : links())
    if (!link->ended() && link->known && link->agreed.asked.client_guid == client && link->has_session()) return link;
  return nullptr;
}

void Server::cancel_all() {
  for (const auto& link : links()) {
    link->end();
    link->cancel_all(true);
  }
  creations.cancel({});
}

/// Streams are attributes, which other doors and programs beside us change, too.
void Server::invalidate_attr(NodeId node) {
  if (streams.opens.leases() == 0) return;
  for (NodeId number : streams.numbers_of(node)) streams.opens.outside(number, volume::Use::change);
}
void Server::invalidate_node(NodeId node, uint64_t, uint64_t) { invalidate_attr(node); }
void Server::invalidate_entry(NodeId dir, std::string_view entry) { names.may_be(dir, entry); }
void Server::invalidate_all_names() { names.forget_all(); }
void Server::deleted(NodeId, NodeId child, std::string_view) { names.forget(child); }

void Server::break_lease(NodeId, HandleId handle, uint8_t bits) {
  if (const auto open = files.find(handle)) send_break(*this, *open, bits);
}

}  // namespace isthmus::smb
