#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "doors/smb/test_door.h"
#include "wire/ntlm/signing.h"
#include "wire/smb2/classes.h"
#include "wire/smb2/compound.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/directory_info.h"
#include "wire/smb2/error_response.h"
#include "wire/smb2/fsctl.h"
#include "wire/smb2/ioctl.h"
#include "wire/spnego/der.h"
#include "wire/spnego/tokens.h"

/// What the tests share that say what real clients say.
namespace isthmus::smb::testing {

using smb2::Disposition;
using smb2::FileId;
using smb2::FileInfoClass;
using smb2::FindClass;
using smb2::FsInfoClass;

/// An answer with data: what it has, or of an error what that says besides.
struct Told {
  NtStatus status = NtStatus::success;
  std::string data;

  template <class T>
  T number(size_t at) const {
    return load_le<T>(as_bytes(data), at).value_or(static_cast<T>(~T{0}));
  }
  std::string text(size_t at, size_t bytes) const {
    return at + bytes <= data.size() ? utf8_of(as_bytes(data).subspan(at, bytes)).value_or("?") : "?";
  }
};

/// What a CREATE asks for.
struct Wanted {
  std::string name;
  uint32_t access = 0x120089, share = 7;
  Disposition disposition = Disposition::open;
  uint32_t options = 0, attributes = 0;
  smb2::OplockLevel oplock = smb2::OplockLevel::none;
  std::string contexts{};
};
struct Got {
  NtStatus status = NtStatus::success;
  FileId id;
  smb2::CreateResponse facts;                   ///< without contexts
  std::map<std::string, std::string> contexts;  ///< data by name
};

struct ListedEntry {
  std::string name, bytes;  ///< UTF-8; the whole entry

  template <class T>
  T number(size_t at) const {
    return load_le<T>(as_bytes(bytes), at).value_or(static_cast<T>(~T{0}));
  }
};
inline size_t name_place(FindClass what) {
  switch (what) {
    case FindClass::names:
      return 12;
    case FindClass::directory:
      return 64;
    case FindClass::full:
      return 68;
    case FindClass::both:
      return 94;
    case FindClass::id_full:
      return 80;
    case FindClass::id_extd:
      return 88;
    case FindClass::id_extd_both:
      return 114;
    default:
      return 104;
  }
}
inline std::vector<ListedEntry> entries_of(FindClass what, const std::string& list) {
  std::vector<ListedEntry> all;
  const Bytes bytes = as_bytes(list);
  for (size_t at = 0; at < list.size();) {
    EXPECT_EQ(at % 8, 0u) << "entries lie at multiples of 8";
    const auto next = load_le<uint32_t>(bytes, at),
               size = load_le<uint32_t>(bytes, at + (what == FindClass::names ? 8 : 60));
    const size_t name_at = at + name_place(what);
    if (!next || !size || name_at + *size > list.size()) {
      ADD_FAILURE() << "an entry leads out of the answer";
      break;
    }
    all.push_back({utf8_of(bytes.subspan(name_at, *size)).value_or("?"), list.substr(at, *next ? *next : list.npos)});
    if (*next == 0) break;
    at += *next;
  }
  return all;
}
inline std::vector<std::string> names_of(const std::vector<ListedEntry>& all) {
  std::vector<std::string> names;
  for (const auto& e : all) names.push_back(e.name);
  return names;
}

/// A client that puts its requests together as those of real systems do.
class Peer : public Client {
 public:
  using Client::Client;

  struct Part {
    Command command;
    std::string body;
  };
  /// One frame, in which all but the first are related and have ids of ones. The answers, each of which must be signed.
  std::vector<Message> ask_related(const std::vector<Part>& parts) {
    std::string frame;
    for (size_t i = 0; i < parts.size(); i++) {
      smb2::Header h;
      h.command = parts[i].command;
      h.credit_charge = 1;
      h.credits = 1;
      h.message_id = next_id++;
      h.session_id = i ? UINT64_MAX : session;
      h.tree_id = i ? UINT32_MAX : tree;
      if (i) h.flags |= smb2::kFlagRelated;
      std::string text;
      const bool last = i + 1 == parts.size();
      const size_t size = smb2::kHeader + parts[i].body.size();
      if (!last) h.next_command = static_cast<uint32_t>(round_up(size, 8));
      smb2::append_header(text, h);
      text += parts[i].body;
      if (!last) text.resize(h.next_command);
      sign(text);
      frame += text;
    }
    send_frame(frame);
    std::vector<Message> all;
    while (all.size() < parts.size()) {
      const Message whole = receive();
      const auto pdus = smb2::split_compound(as_bytes(whole.bytes), 64);
      EXPECT_TRUE(pdus) << "the connection ended, or the answer is no compound";
      if (!pdus) break;
      for (const smb2::Pdu& pdu : *pdus) {
        Message m{pdu.header, std::string(as_text(pdu.bytes))};
        if (m.status() == NtStatus::pending) continue;
        EXPECT_TRUE(is_signed(m));
        all.push_back(std::move(m));
      }
    }
    all.resize(parts.size());
    return all;
  }

  static std::string body_of(const Wanted& w) {
    const std::string name = *utf16_of(w.name);
    smb2::CreateRequest m;
    m.oplock = w.oplock;
    m.desired_access = w.access;
    m.attributes = w.attributes;
    m.share_access = w.share;
    m.disposition = w.disposition;
    m.options = w.options;
    m.name = as_bytes(name);
    m.contexts = as_bytes(w.contexts);
    return smb2::write_message(m);
  }
  static Got got(const Message& m) {
    Got g{.status = m.status(), .id = {}, .facts = {}, .contexts = {}};
    const auto read = smb2::read_message<smb2::CreateResponse>(as_bytes(m.bytes));
    if (g.status != NtStatus::success || !read) return g;
    g.id = read->file_id;
    g.facts = *read;
    const auto list = smb2::read_create_contexts(read->contexts);
    EXPECT_TRUE(list);
    for (const auto& c : list ? *list : std::vector<smb2::CreateContext>())
      g.contexts[std::string(c.name)] = as_text(c.data);
    g.facts.contexts = {};
    return g;
  }
  Got create(const Wanted& w) { return got(ask_raw(Command::create, body_of(w))); }

  /// Of QUERY_DIRECTORY, QUERY_INFO and CHANGE_NOTIFY.
  static Told told(const Message& m) {
    Told t{.status = m.status(), .data = {}};
    if (smb2::is_error(t.status)) {
      if (const auto data = smb2::read_error(as_bytes(m.bytes))) t.data = as_text(*data);
    } else if (const auto read = smb2::read_message<smb2::DataResponse>(as_bytes(m.bytes))) {
      t.data = as_text(read->data);
    }
    return t;
  }
  static std::string query_body(const FileId& id, smb2::InfoType type, uint8_t what, uint32_t room,
                                uint32_t additional = 0) {
    smb2::QueryInfoRequest m;
    m.type = type;
    m.info_class = what;
    m.max_output = room;
    m.additional = additional;
    m.file_id = id;
    return smb2::write_message(m);
  }
  static std::string query_body(const FileId& id, FileInfoClass what, uint32_t room = 4096) {
    return query_body(id, smb2::InfoType::file, static_cast<uint8_t>(what), room);
  }
  Told query(const FileId& id, FileInfoClass what, uint32_t room = 4096) {
    return told(ask_raw(Command::query_info, query_body(id, what, room)));
  }
  Told query(const FileId& id, FsInfoClass what, uint32_t room = 4096) {
    return told(
        ask_raw(Command::query_info, query_body(id, smb2::InfoType::filesystem, static_cast<uint8_t>(what), room)));
  }
  Told query_security(const FileId& id, uint32_t parts, uint32_t room = 4096) {
    return told(ask_raw(Command::query_info, query_body(id, smb2::InfoType::security, 0, room, parts)));
  }
  static std::string set_body(const FileId& id, FileInfoClass what, std::string_view data) {
    smb2::SetInfoRequest m;
    m.info_class = static_cast<uint8_t>(what);
    m.data = as_bytes(data);
    m.file_id = id;
    return smb2::write_message(m);
  }
  NtStatus set(const FileId& id, FileInfoClass what, std::string_view data) {
    return ask_raw(Command::set_info, set_body(id, what, data)).status();
  }
  NtStatus set_security(const FileId& id, uint32_t parts, std::string_view descriptor) {
    smb2::SetInfoRequest m;
    m.type = smb2::InfoType::security;
    m.additional = parts;
    m.data = as_bytes(descriptor);
    m.file_id = id;
    return ask(Command::set_info, m).status();
  }
  Told fsctl(const FileId& id, uint32_t code, std::string_view input, uint32_t room) {
    smb2::IoctlRequest m;
    m.code = code;
    m.file_id = id;
    m.input = as_bytes(input);
    m.max_output = room;
    m.flags = smb2::IoctlRequest::kIsFsctl;
    const Message answer = ask(Command::ioctl, m);
    Told t{.status = answer.status(), .data = {}};
    if (const auto read = smb2::read_message<smb2::IoctlResponse>(as_bytes(answer.bytes))) {
      t.data = as_text(read->output);
      EXPECT_EQ(read->code, code);
      EXPECT_EQ(read->file_id, id);
    }
    return t;
  }
  static std::string list_body(const FileId& id, FindClass what, const std::string& pattern, uint8_t flags = 0,
                               uint32_t room = 65536) {
    const std::string wide = *utf16_of(pattern);
    smb2::QueryDirectoryRequest m;
    m.find_class = what;
    m.flags = flags;
    m.file_id = id;
    m.pattern = as_bytes(wide);
    m.max_output = room;
    return smb2::write_message(m);
  }
  Told list(const FileId& id, FindClass what, const std::string& pattern, uint8_t flags = 0, uint32_t room = 65536) {
    return told(ask_raw(Command::query_directory, list_body(id, what, pattern, flags, room)));
  }
  /// All names of a directory that match.
  std::vector<std::string> names_in(const std::string& directory, const std::string& pattern = "*",
                                    FindClass what = FindClass::id_both) {
    const Got dir = create({.name = directory, .access = 0x100081, .options = smb2::kOptionDirectory});
    std::vector<std::string> names;
    while (dir.status == NtStatus::success) {
      const Told some = list(dir.id, what, pattern);
      if (some.status != NtStatus::success) break;
      for (const auto& e : entries_of(what, some.data)) names.push_back(e.name);
    }
    EXPECT_EQ(close_file(dir.id), NtStatus::success);
    return names;
  }
  static std::string rename_body(const std::string& name, uint32_t flags) {
    const std::string wide = *utf16_of(name);
    std::string data;
    append_le<uint32_t>(data, flags);
    data.append(12, '\0');
    append_le<uint32_t>(data, static_cast<uint32_t>(wide.size()));
    return data + wide;
  }
  static std::string flags_body(uint32_t flags) {
    std::string data;
    append_le<uint32_t>(data, flags);
    return data;
  }
  static std::string size_body(uint64_t size) {
    std::string data;
    append_le<uint64_t>(data, size);
    return data;
  }
  /// FileBasicInformation: times of creation, access, write and change.
  static std::string basic_body(std::array<uint64_t, 4> times, uint32_t attributes) {
    std::string data;
    for (uint64_t t : times) append_le<uint64_t>(data, t);
    append_le<uint32_t>(data, attributes);
    return data.append(4, '\0');
  }
  /// Makes a file of that text.
  void put(const std::string& name, std::string_view text) {
    const Got file = create({.name = name, .access = 0x12019f, .disposition = Disposition::overwrite_if});
    ASSERT_EQ(file.status, NtStatus::success) << name;
    if (!text.empty()) {
      EXPECT_EQ(write(file.id, 0, text), NtStatus::success);
    }
    EXPECT_EQ(close_file(file.id), NtStatus::success);
  }
  /// "?": it cannot be opened.
  std::string text_of(const std::string& name) {
    const Got file = create({.name = name});
    if (file.status != NtStatus::success) return "?";
    const auto text = read(file.id, 0, 65536);
    EXPECT_EQ(close_file(file.id), NtStatus::success);
    return text.value_or("");
  }
  NtStatus remove(const std::string& name, uint32_t options = 0) {
    const Got file = create({.name = name, .access = 0x10080, .options = options | smb2::kOptionDeleteOnClose});
    if (file.status == NtStatus::success) return close_file(file.id);
    return file.status;
  }

  /// A logon by SPNEGO with these mechanisms, NTLMSSP the first of them, and the MIC over their list.
  NtStatus log_on_as(const std::string& domain, uint16_t security_mode, uint32_t session_capabilities,
                     const std::vector<std::string_view>& mechanisms, uint64_t previous = 0,
                     smb2::SigningAlgorithm signing = smb2::SigningAlgorithm::aes_cmac,
                     smb2::Cipher cipher = smb2::Cipher::none) {
    using namespace spnego;  // NOLINT(google-build-using-namespace): to_der() and its tags
    ntlm::test::Client ntlm;
    ntlm.user = "user";
    ntlm.domain = domain;
    ntlm.password = "right";
    std::string types;
    for (auto mechanism : mechanisms) types += to_der(der::kObject, mechanism);
    const std::string list = to_der(der::kSequence, types), hello = ntlm::test::negotiate();
    const std::string fields = to_der(der::context(0), list) + to_der(der::context(2), to_der(der::kOctets, hello));
    const Message first =
        set_up(to_der(der::kApplication0, to_der(der::kObject, "\x2b\x06\x01\x05\x05\x02") +
                                              to_der(der::context(0), to_der(der::kSequence, fields))),
               security_mode, session_capabilities, previous);
    session = first.header.session_id;
    const auto challenged = smb2::read_message<smb2::SessionSetupResponse>(as_bytes(first.bytes));
    const auto resp = challenged ? read_resp(challenged->token) : std::nullopt;
    if (first.status() != NtStatus::more_processing_required || !resp || !resp->response_token) return first.status();
    EXPECT_EQ(resp->state, NegState::accept_incomplete);
    EXPECT_TRUE(resp->supported_mech && as_text(*resp->supported_mech) == kNtlmssp);
    EXPECT_TRUE(preauth.add(as_bytes(first.bytes)));
    const std::string authenticate = ntlm.authenticate(hello, as_text(*resp->response_token));
    const std::string mic =
        *ntlm::Signing::start(ntlm.session_key, ntlm.flags, ntlm::Sender::client)->sign(as_bytes(list));
    const NegTokenResp second{
        .state = NegState::accept_incomplete, .response_token = as_bytes(authenticate), .mech_list_mic = as_bytes(mic)};
    const Message last = set_up(to_bytes(second), security_mode, session_capabilities, previous);
    if (last.status() != NtStatus::success) return last.status();
    const auto done = smb2::read_message<smb2::SessionSetupResponse>(as_bytes(last.bytes));
    const auto end = done ? read_resp(done->token) : std::nullopt;
    EXPECT_TRUE(end && end->state == NegState::accept_completed);
    const bool has_mic = end && end->mech_list_mic;
    EXPECT_TRUE(has_mic && ntlm::Signing::start(ntlm.session_key, ntlm.flags, ntlm::Sender::server)
                               ->verify(as_bytes(list), *end->mech_list_mic));
    const auto keys = smb2::derive_session_keys(agreed, cipher, ntlm.session_key.bytes(), preauth);
    signing_key = keys->signing;
    signer = smb2::Signer::make(signing, signing_key.bytes());
    EXPECT_TRUE(is_signed(last)) << "the end of a logon is signed";
    return last.status();
  }

 private:
  Message set_up(const std::string& token, uint16_t security_mode, uint32_t session_capabilities, uint64_t previous) {
    smb2::SessionSetupRequest m;
    m.security_mode = static_cast<uint8_t>(security_mode);
    m.capabilities = session_capabilities;
    m.token = as_bytes(token);
    m.previous_session_id = previous;
    const std::string text = message(Command::session_setup, smb2::write_message(m));
    EXPECT_TRUE(preauth.add(as_bytes(text)));
    send_frame(text);
    return receive();
  }
};

inline std::string contexts_of(std::initializer_list<std::pair<std::string_view, std::string>> all) {
  std::string list;
  for (const auto& [name, data] : all) smb2::append_create_context(list, name, as_bytes(data));
  return list;
}
inline smb2::Guid guid_of(uint8_t fill) {
  smb2::Guid guid;
  guid.fill(std::byte{fill});
  return guid;
}
/// The data of RqLs, version 2. parent: 0: none.
inline std::string lease_of(uint8_t key, uint32_t state, uint8_t parent = 0) {
  smb2::Lease lease;
  lease.key = guid_of(key);
  lease.state = state;
  lease.v2 = true;
  if (parent) lease.parent = guid_of(parent);
  return smb2::write_lease(lease);
}

}  // namespace isthmus::smb::testing
