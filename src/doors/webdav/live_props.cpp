#include "doors/webdav/live_props.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "base/file_time.h"
#include "doors/webdav/media_types.h"
#include "wire/dav/dates.h"
#include "wire/http/dates.h"

namespace isthmus::webdav {
namespace {

/// FILE_ATTRIBUTE_* of [MS-FSCC] section 2.6.
enum DosBits : uint32_t {
  kReadOnly = 0x1,
  kHidden = 0x2,
  kSystem = 0x4,
  kDirectory = 0x10,
  kArchive = 0x20,
  kNormal = 0x80
};
constexpr uint32_t kSettable = kReadOnly | kHidden | kSystem | kArchive;

bool is_dir(const Subject& of) { return S_ISDIR(of.attr.mode); }
uint64_t size_of(const Subject& of) { return S_ISREG(of.attr.mode) ? of.attr.size : 0; }

constexpr std::string_view kApache = "http://apache.org/dav/props/";

}  // namespace

struct LiveProps::Row {
  enum class Prop : uint8_t {
    creationdate,
    displayname,
    getcontentlength,
    getcontenttype,
    getetag,
    getlastmodified,
    lockdiscovery,
    resourcetype,
    supportedlock,
    quota_available,
    quota_used,
    executable,
    win_creation,
    win_access,
    win_modified,
    win_attributes,
  };
  Prop prop;
  std::string_view ns, local;
  bool in_all;     ///< of allprop
  bool for_files;  ///< not for directories

  dav::Name name() const { return {std::string(ns), std::string(local)}; }
};

namespace {

using Prop = LiveProps::Row::Prop;
constexpr LiveProps::Row kRows[] = {
    {Prop::creationdate, dav::kDav, "creationdate", true, false},
    {Prop::displayname, dav::kDav, "displayname", false, false},
    {Prop::getcontentlength, dav::kDav, "getcontentlength", true, true},
    {Prop::getcontenttype, dav::kDav, "getcontenttype", true, true},
    {Prop::getetag, dav::kDav, "getetag", true, true},
    {Prop::getlastmodified, dav::kDav, "getlastmodified", true, false},
    {Prop::lockdiscovery, dav::kDav, "lockdiscovery", true, false},
    {Prop::resourcetype, dav::kDav, "resourcetype", true, false},
    {Prop::supportedlock, dav::kDav, "supportedlock", true, false},
    {Prop::quota_available, dav::kDav, "quota-available-bytes", false, false},
    {Prop::quota_used, dav::kDav, "quota-used-bytes", false, false},
    {Prop::executable, kApache, "executable", false, true},
    {Prop::win_creation, dav::kMicrosoft, "Win32CreationTime", false, false},
    {Prop::win_access, dav::kMicrosoft, "Win32LastAccessTime", false, false},
    {Prop::win_modified, dav::kMicrosoft, "Win32LastModifiedTime", false, false},
    {Prop::win_attributes, dav::kMicrosoft, "Win32FileAttributes", false, false},
};

}  // namespace

const LiveProps::Row* LiveProps::find(const dav::Name& name) {
  for (const Row& row : kRows)
    if (row.local == name.local && row.ns == name.ns) return &row;
  return nullptr;
}

const StatFs* LiveProps::statfs() {
  if (!std::exchange(statfs_asked_, true))
    if (auto got = x_.files.call(op::Statfs{})) statfs_ = *got;
  return statfs_ ? &*statfs_ : nullptr;
}

DosFacts LiveProps::dos_facts(NodeId node) {
  auto stored = x_.files.call(op::GetXattr{{}, node, kDosXattr});
  return stored ? read_dos_facts(*stored) : DosFacts{};
}

Status LiveProps::store(NodeId node, const DosFacts& facts) {
  // Whether a file may be written, its mode says.
  if (!facts.creation && (facts.attributes.value_or(0) & ~kReadOnly) == 0) {
    Status gone = x_.files.call(op::RemoveXattr{{}, node, kDosXattr});
    return !gone && gone.error() != err(ENODATA) && !is_unsupported(gone.error()) ? gone : Status(Unit{});
  }
  const std::string value = write_dos_facts(facts);
  Status done = x_.files.call(op::SetXattr{{}, node, kDosXattr, as_bytes(value)});
  // Without extended attributes they have no place; Windows takes a refusal for a failed write.
  return !done && is_unsupported(done.error()) ? Status(Unit{}) : done;
}

Status LiveProps::apply(NodeId node, const Change& change) {
  SetAttr set = change.set;
  // Extended attributes of a file that may not be written cannot be set.
  const bool closes = (set.mask & kSetMode) && !(set.to.mode & S_IWUSR);
  if (closes) set.mask &= ~kSetMode;
  bool born = false;
  if (Status s = set_attributes(node, set, born); !s) return s;
  if (Status s = set_dos_facts(node, change, born); !s || !closes) return s;
  set.mask = kSetMode;
  return set_attributes(node, set, born);
}

Status LiveProps::set_attributes(NodeId node, SetAttr set, bool& born) {
  if (!set.mask) return Unit{};
  const bool birth = set.mask & kSetBtime;
  auto done = x_.files.call(op::Setattr{{}, node, HandleId::none, set});
  if (done) {
    born = birth && done->attr.has_btime && done->attr.btime == set.to.btime;
  } else if (birth) {
    // Few file systems can be told a time of birth.
    set.mask &= ~kSetBtime;
    return set_attributes(node, set, born);
  }
  return done ? Status(Unit{}) : Status(done.error());
}

Status LiveProps::set_dos_facts(NodeId node, const Change& change, bool born) {
  const bool birth = change.set.mask & kSetBtime;
  if (!birth && !change.dos_attributes) return Unit{};
  DosFacts facts = dos_facts(node);
  const DosFacts before = facts;
  // What is stored counts for clients of SMB, whatever the file system says.
  if (birth && (!born || facts.creation)) facts.creation = file_time(change.set.to.btime);
  if (change.dos_attributes)
    facts.attributes = (facts.attributes.value_or(0) & ~kSettable) | (*change.dos_attributes & kSettable);
  return facts == before ? Status(Unit{}) : store(node, facts);
}

std::string LiveProps::dos_attributes(const Subject& of) {
  uint32_t bits = dos_facts(of.node).attributes.value_or(0) & kSettable;
  if (!(of.attr.mode & S_IWUSR)) bits |= kReadOnly;
  if (is_dir(of)) bits |= kDirectory;
  if (bits == 0) bits = kNormal;
  return fmt::format("{:08X}", bits);
}

bool LiveProps::write(dav::Multistatus& to, const Row& row, const Subject& of) {
  if (row.for_files && is_dir(of)) return false;
  const Attr& a = of.attr;
  const Time birth = a.has_btime ? a.btime : std::min(a.ctime, a.mtime);
  switch (row.prop) {
    case Prop::creationdate:
      to.raw(row.local, dav::format_rfc3339(birth));
      break;
    case Prop::displayname:
      to.text(row.local, of.names.empty() ? "/" : x_.client_name(of.names.back()));
      break;
    case Prop::getcontentlength:
      to.raw(row.local, fmt::format_int(size_of(of)).c_str());
      break;
    case Prop::getcontenttype:
      to.text(row.local, media_type(of.names.empty() ? "" : of.names.back()));
      break;
    case Prop::getetag:
      to.raw(row.local, etag_of(a));
      break;
    case Prop::getlastmodified:
      to.raw(row.local, http::format_date(a.mtime));
      break;
    case Prop::resourcetype:
      to.resourcetype(is_dir(of));
      break;
    case Prop::supportedlock:
      to.supportedlock();
      break;
    case Prop::lockdiscovery: {
      std::vector<dav::ActiveLock> active;
      const auto now = LockTable::Clock::now();
      for (const LockTable::Lock& lock : x_.site.locks.covering(path_text(of.names)))
        active.push_back(
            {lock.exclusive, lock.infinite, lock.owner, lock.token, x_.href_of_path(lock.path), lock.left(now)});
      to.lockdiscovery(active);
      break;
    }
    case Prop::quota_available:
    case Prop::quota_used: {
      const StatFs* fs = statfs();
      if (!is_dir(of) || !fs || fs->blocks == 0 || x_.client == ClientKind::macos_slow) return false;
      const uint64_t units = row.prop == Prop::quota_available ? fs->blocks_available : fs->blocks - fs->blocks_free;
      to.text(row.local, fmt::format_int(units * fs->fragment_size).c_str());
      break;
    }
    case Prop::executable:
      to.text(row.name(), a.mode & S_IXUSR ? "T" : "F");
      break;
    case Prop::win_creation: {
      const auto told = dos_facts(of.node).creation;
      to.text(row.name(), http::format_date(told ? from_file_time(*told) : birth));
      break;
    }
    case Prop::win_access:
      to.text(row.name(), http::format_date(a.atime));
      break;
    case Prop::win_modified:
      to.text(row.name(), http::format_date(a.mtime));
      break;
    case Prop::win_attributes:
      to.text(row.name(), dos_attributes(of));
      break;
  }
  return true;
}

void LiveProps::write_all(dav::Multistatus& to, const Subject& of) {
  for (const Row& row : kRows) {
    if (!row.in_all) continue;
    // Windows takes no more than 1,000,000 bytes of a listing, and needs none of these.
    const bool lengthy = row.prop == Prop::lockdiscovery || row.prop == Prop::supportedlock;
    const bool not_for_windows = row.prop == Prop::getcontenttype || row.prop == Prop::getetag;
    if (of.listed && (lengthy || (x_.client == ClientKind::windows && not_for_windows))) continue;
    write(to, row, of);
  }
}

void LiveProps::write_names(dav::Multistatus& to, const Subject& of) {
  for (const Row& row : kRows) {
    if (row.for_files && is_dir(of)) continue;
    const bool quota = row.prop == Prop::quota_available || row.prop == Prop::quota_used;
    if (quota && (!is_dir(of) || x_.client == ClientKind::macos_slow)) continue;
    to.empty(row.name());
  }
}

int LiveProps::change(const dav::PropChange& wanted, Change& to, const Attr& now) {
  const Row* row = find(wanted.name);
  if (!row || wanted.remove) return 403;
  SetAttr& set = to.set;
  auto set_mode = [&](uint32_t mode) {
    set.to.mode = mode & 07777;
    set.mask |= kSetMode;
  };
  const uint32_t mode = set.mask & kSetMode ? set.to.mode : now.mode;
  switch (row->prop) {
    case Prop::win_creation:
    case Prop::win_access:
    case Prop::win_modified: {
      auto time = http::parse_date(wanted.text);
      if (!time) return 409;
      Time& field = row->prop == Prop::win_creation ? set.to.btime
                    : row->prop == Prop::win_access ? set.to.atime
                                                    : set.to.mtime;
      field = *time;
      set.mask |= row->prop == Prop::win_creation ? kSetBtime : row->prop == Prop::win_access ? kSetAtime : kSetMtime;
      return 200;
    }
    case Prop::win_attributes: {
      uint32_t bits = 0;
      const char* end = wanted.text.data() + wanted.text.size();
      auto [next, ec] = std::from_chars(wanted.text.data(), end, bits, 16);
      if (ec != std::errc{} || next != end) return 409;
      to.dos_attributes = bits;
      if (!S_ISDIR(now.mode) && ((bits & kReadOnly) != 0) == ((mode & S_IWUSR) != 0))
        set_mode(bits & kReadOnly ? mode & ~0222u : mode | S_IWUSR);
      return 200;
    }
    case Prop::executable:
      if (!S_ISREG(now.mode) || (wanted.text != "T" && wanted.text != "F")) return 409;
      // As chmod +x does where reading is allowed.
      set_mode(wanted.text == "T" ? mode | ((mode & 0444) >> 2) : mode & ~0111u);
      return 200;
    default:
      return 403;
  }
}

}  // namespace isthmus::webdav
