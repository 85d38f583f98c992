// MS-SRVS: the shares, the server and its time.
#include <algorithm>
#include <initializer_list>

#include "wire/dcerpc/interfaces.h"

namespace isthmus::dcerpc {
namespace {

using Share = Environment::Share;

bool is_one_of(uint32_t level, std::initializer_list<uint32_t> levels) {
  return std::find(levels.begin(), levels.end(), level) != levels.end();
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

const Share* find_share(const Environment& e, std::string_view name) {
  auto same = [name](const Share& s) {
    return std::equal(s.name.begin(), s.name.end(), name.begin(), name.end(),
                      [](char a, char b) { return upper(a) == upper(b); });
  };
  const auto found = std::find_if(e.shares.begin(), e.shares.end(), same);
  return found == e.shares.end() ? nullptr : &*found;
}

constexpr uint32_t kUnlimited = 0xffffffff;

/// SHARE_INFO_x, without its strings (sections 2.2.4.22 to 2.2.4.31). Local paths and descriptors we have none.
void share_info(NdrWriter& out, uint32_t level, const Share& share) {
  if (level == 1005) return out.number<uint32_t>(share.flags);
  if (level == 1004) return out.text_pointer(share.comment);
  if (level == 1006) return out.number<uint32_t>(kUnlimited);
  out.text_pointer(share.name);
  if (level == 0) return;
  out.number<uint32_t>(share.type);
  out.text_pointer(share.comment);
  if (level == 501) out.number<uint32_t>(share.flags);
  if (level != 2 && level != 502) return;
  out.number<uint32_t>(0);  // permissions, of share-level security only
  out.number<uint32_t>(kUnlimited);
  out.number<uint32_t>(0);  // uses just now
  out.text_pointer("");     // path
  out.text_pointer("");     // password
  if (level == 2) return;
  out.number<uint32_t>(0);
  out.pointer(false);
}

Fault share_enum(Session& session, NdrReader& in, NdrWriter& out) {
  in.unique_text();
  const auto level = in.number<uint32_t>(), tag = in.number<uint32_t>();
  if (!in.ok()) return Fault::ndr;
  if (level != tag || !is_one_of(level, {0, 1, 2, 501, 502, 503})) return Fault::invalid_tag;
  const bool has_container = in.pointer();
  if (has_container) {
    in.number<uint32_t>();
    if (in.pointer() && in.number<uint32_t>() != 0) return Fault::ndr;  // entries that the client made up
  }
  in.number<uint32_t>();  // as many bytes as the client would like: it gets all
  const bool has_resume = in.pointer();
  const size_t resume = has_resume ? in.number<uint32_t>() : 0;
  if (!in.ok()) return Fault::ndr;

  const auto& shares = session.environment.shares;
  const size_t skipped = std::min(resume, shares.size());
  const auto count = static_cast<uint32_t>(shares.size() - skipped);
  const bool known = level != 503;
  out.number<uint32_t>(level);
  out.number<uint32_t>(level);
  out.pointer(has_container);
  if (has_container) {
    out.number<uint32_t>(known ? count : 0);
    out.pointer(known && count > 0);
    if (known && count > 0) {
      out.number<uint32_t>(count);
      for (const Share& share : std::span(shares).subspan(skipped)) share_info(out, level, share);
      out.pointees();
    }
  }
  out.number<uint32_t>(known && has_container ? count : 0);
  out.pointer(has_resume);
  if (has_resume) out.number<uint32_t>(0);
  if (!has_container) return answer(out, NetError::invalid_parameter);
  return answer(out, known ? NetError::ok : NetError::invalid_level);
}

Fault share_get_info(Session& session, NdrReader& in, NdrWriter& out) {
  in.unique_text();
  const std::string name = in.text();
  const auto level = in.number<uint32_t>();
  if (!in.ok()) return Fault::ndr;
  if (!is_one_of(level, {0, 1, 2, 501, 502, 503, 1004, 1005, 1006, 1501})) return Fault::invalid_tag;
  const bool known = level != 503 && level != 1501;
  const Share* share = find_share(session.environment, name);
  out.number<uint32_t>(level);
  out.pointer(known && share);
  if (known && share) {
    share_info(out, level, *share);
    out.pointees();
  }
  if (!known) return answer(out, NetError::invalid_level);
  return answer(out, share ? NetError::ok : NetError::no_such_share);
}

/// Section 2.2.4.40 and the next.
Fault server_get_info(Session& session, NdrReader& in, NdrWriter& out) {
  constexpr uint32_t kType = 0x1003;  // SV_TYPE_WORKSTATION, _SERVER, _NT
  in.unique_text();
  const auto level = in.number<uint32_t>();
  if (!in.ok()) return Fault::ndr;
  if (!is_one_of(level, {100, 101, 102})) return Fault::invalid_tag;
  out.number<uint32_t>(level);
  out.pointer();
  out.number<uint32_t>(kPlatformNt);
  out.text_pointer(session.environment.server_name);
  if (level > 100) {
    for (uint32_t n : {kVersionMajor, kVersionMinor, kType}) out.number<uint32_t>(n);
    out.text_pointer(session.environment.comment);
  }
  if (level > 101) {
    // Users and minutes until they are disconnected: no limit; not hidden; announced every 240 s +- 3 s; licences.
    for (uint32_t n : {kUnlimited, kUnlimited, 0u, 240u, 3000u, 0u}) out.number<uint32_t>(n);
    out.text_pointer("C:\\");
  }
  out.pointees();
  return answer(out, NetError::ok);
}

/// Section 2.2.4.105. In UTC, and says so.
Fault remote_time(Session& session, NdrReader& in, NdrWriter& out) {
  in.unique_text();
  if (!in.ok()) return Fault::ndr;
  const Time now = session.environment.now ? session.environment.now() : Time{};
  const time_t seconds = now.sec;
  tm civil{};
  gmtime_r(&seconds, &civil);
  constexpr int64_t kTick = 310;  // of 0.1 ms
  out.pointer();
  out.number<uint32_t>(static_cast<uint32_t>(now.sec));
  out.number<uint32_t>(static_cast<uint32_t>(now.sec * 1000 + now.nsec / 1'000'000));
  for (int64_t n : {int64_t{civil.tm_hour}, int64_t{civil.tm_min}, int64_t{civil.tm_sec},
                    int64_t{now.nsec} / 10'000'000, int64_t{0}, kTick, int64_t{civil.tm_mday},
                    int64_t{civil.tm_mon} + 1, int64_t{civil.tm_year} + 1900, int64_t{civil.tm_wday}})
    out.number<uint32_t>(static_cast<uint32_t>(n));
  return answer(out, NetError::ok);
}

constexpr Operation kOperations[] = {{15, share_enum}, {16, share_get_info}, {21, server_get_info}, {28, remote_time}};

}  // namespace

constinit const Interface kSrvsvc{"srvsvc", syntax(0x4b324fc8, 0x1670, 0x01d3, 0x12785a47bf6ee188, 3), kOperations};

}  // namespace isthmus::dcerpc
