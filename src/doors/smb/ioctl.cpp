#include "wire/smb2/ioctl.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/falloc.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "doors/smb/errors.h"
#include "doors/smb/facts.h"
#include "doors/smb/io.h"
#include "doors/smb/locks.h"
#include "doors/smb/logon.h"
#include "doors/smb/pipes.h"
#include "doors/smb/reparse.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "windows/reparse.h"
#include "windows/security.h"
#include "wire/smb2/fsctl.h"
#include "wire/smb2/fsctl_codes.h"

/// IOCTL (MS-SMB2 section 3.3.5.15).
namespace isthmus::smb {
namespace {

using smb2::NtStatus;
using windows::Rights;

struct Output {
  NtStatus status = NtStatus::success;
  std::string bytes{};
  Output(NtStatus s) : status(s) {}               // NOLINT(google-explicit-constructor)
  Output(std::string b) : bytes(std::move(b)) {}  // NOLINT(google-explicit-constructor)
  Output(NtStatus s, std::string b) : status(s), bytes(std::move(b)) {}
};

Output validate_negotiate(Request& r, Bytes input) {
  const Agreed& agreed = r.link->agreed;
  const auto m = smb2::read_validate_negotiate(input);
  // What the client heard may have been changed on its way: then nothing more is said (section 3.3.5.15.12).
  if (!m || agreed.dialect == smb2::Dialect::smb311 || m->capabilities != agreed.asked.capabilities ||
      m->client_guid != agreed.asked.client_guid || m->security_mode != agreed.asked.security_mode ||
      m->dialects != agreed.asked.dialects) {
    r.link->end();
    return NtStatus::access_denied;
  }
  return smb2::write_validate_negotiate(
      smb2::ValidateNegotiateResponse{agreed.capabilities, r.server.guid, security_mode(r.server), agreed.dialect});
}

/// Of the interface whose address is `address`; 0: it is not known.
uint32_t index_of_interface(Bytes address) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) < 0) return 0;
  uint32_t found = 0;
  for (const ifaddrs* i = all; i && !found; i = i->ifa_next) {
    if (!i->ifa_addr) continue;
    const auto* four = reinterpret_cast<const sockaddr_in*>(i->ifa_addr);
    const auto* six = reinterpret_cast<const sockaddr_in6*>(i->ifa_addr);
    const bool same = i->ifa_addr->sa_family == AF_INET && address.size() == sizeof(in_addr)
                          ? std::memcmp(&four->sin_addr, address.data(), address.size()) == 0
                          : i->ifa_addr->sa_family == AF_INET6 && address.size() == sizeof(in6_addr) &&
                                std::memcmp(&six->sin6_addr, address.data(), address.size()) == 0;
    if (same) found = if_nametoindex(i->ifa_name);
  }
  freeifaddrs(all);
  return found;
}

/// Where else a client may come in: by the interface that it came by.
Output network_interfaces(Request& r) {
  constexpr uint64_t kSpeed = 10'000'000'000;
  if (!(r.link->agreed.capabilities & smb2::kCapMultiChannel)) return NtStatus::not_supported;
  const std::string text = r.link->here.starts_with("::ffff:") ? r.link->here.substr(7) : r.link->here;
  std::array<std::byte, sizeof(in6_addr)> bytes{};
  Bytes address(bytes);
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1)
    address = address.first(sizeof(in_addr));
  else if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1)
    return NtStatus::not_supported;
  return smb2::write_network_interfaces({{index_of_interface(address), kSpeed, address}});
}

bool is_file(const Open& open) { return open.file && !open.stream && !open.file->directory && !open.reparse; }

Output resume_key(Request& r) {
  if (!has_data(*r.open)) return NtStatus::invalid_device_request;
  smb2::ResumeKey key{};
  std::string text;
  append_le<uint64_t>(text, r.open->id.persistent);
  append_le<uint64_t>(text, r.open->id.temporary);
  std::copy_n(as_bytes(text).begin(), text.size(), key.begin());
  return smb2::write_resume_key(key);
}

Result<uint64_t> size_of(Request& r, const Open& open) {
  if (open.stream) return stream_size(r, open);
  auto attr = r.attr_of(open.file->node);
  if (!attr) return attr.error();
  return attr->size;
}

/// Of what the file system cannot copy: streams, and ranges that overlap.
NtStatus copy_by_hand(Request& r, const Open& from, uint64_t source, uint64_t target, uint32_t length) {
  std::string bytes(length, '\0');
  const auto got = read_some(r, from, source, std::as_writable_bytes(std::span(bytes)));
  if (!got) return status_of(got.error());
  if (*got < length) return NtStatus::invalid_view_size;  // it was cut meanwhile
  if (r.open->stream) return write_stream(r, *r.open, target, as_bytes(bytes));
  const Buffer data = Buffer::view(as_bytes(bytes));
  op::Write write;
  write.node = r.open->file->node;
  write.handle = r.open->handle;
  write.offset = target;
  write.data = &data;
  auto done = r.call(write);
  if (!done) return status_of(done.error());
  return *done == length ? NtStatus::success : NtStatus::disk_full;
}

/// Copies by the file system's own means; what it cannot, by reading and writing.
Result<uint64_t> copy_some(Request& r, const Open& from, uint64_t source, uint64_t target, uint64_t length) {
  op::CopyRange copy;
  copy.from = from.file->node;
  copy.from_handle = from.handle;
  copy.from_offset = source;
  copy.to = r.open->file->node;
  copy.to_handle = r.open->handle;
  copy.to_offset = target;
  copy.length = length;
  uint64_t done = 0;
  while (done < length) {
    copy.from_offset = source + done;
    copy.to_offset = target + done;
    copy.length = length - done;
    auto n = r.call(copy);
    if (!n) return n.error();
    if (*n == 0) break;
    done += *n;
  }
  return done;
}

/// Apple's clients mean the whole file, and its streams, when they name no chunks.
Output copy_file(Request& r, const Open& from, uint64_t size) {
  smb2::CopychunkResponse done;
  if (is_locked(from, 0, size, false) || is_locked(*r.open, 0, size, true)) return NtStatus::file_lock_conflict;
  auto n = copy_some(r, from, 0, 0, size);
  if (!n) return status_of(n.error());
  done.total_bytes_written = static_cast<uint32_t>(*n);
  if (const NtStatus s = copy_streams(r, from.file->node, r.open->file->node); s != NtStatus::success) return s;
  return smb2::write_data(done);
}

Output copychunk(Request& r, Bytes input, bool write_only, uint32_t room) {
  const smb2::CopychunkLimits most;
  const std::string limits = smb2::write_data(smb2::CopychunkResponse{most.chunks, most.chunk_bytes, most.total_bytes});
  if (room < limits.size()) return NtStatus::invalid_parameter;
  const auto m = smb2::read_copychunk(input, most.chunks);
  if (!m) return NtStatus::invalid_parameter;
  if (m->too_many) return {NtStatus::invalid_parameter, limits};
  const Bytes key = m->source;
  const auto from = r.server.files.find(smb2::FileId{*load_le<uint64_t>(key, 0), *load_le<uint64_t>(key, 8)});
  if (!from || from->session_id != r.session->id) return NtStatus::object_name_not_found;
  if (!has_data(*from) || !has_data(*r.open)) return NtStatus::invalid_device_request;
  if (!from->may_some(Rights::kReadData | Rights::kExecute) ||
      !r.open->may_some(Rights::kWriteData | Rights::kAppendData))
    return NtStatus::access_denied;
  if (!write_only && !r.open->may(Rights::kReadData)) return NtStatus::access_denied;
  uint64_t total = 0;
  for (const auto& c : m->chunks) {
    if (c.length == 0 || c.length > most.chunk_bytes) return {NtStatus::invalid_parameter, limits};
    total += c.length;
  }
  if (total > most.total_bytes) return {NtStatus::invalid_parameter, limits};
  const auto size = size_of(r, *from);
  if (!size) return status_of(size.error());
  if (m->chunks.empty() && r.session->apple.load(std::memory_order_relaxed) && is_file(*from) && is_file(*r.open))
    return copy_file(r, *from, *size);
  const bool by_hand = from->stream || r.open->stream;
  smb2::CopychunkResponse done;
  for (const auto& c : m->chunks) {
    NtStatus status = NtStatus::success;
    if (c.source > *size || c.length > *size - c.source)
      status = NtStatus::invalid_view_size;
    else if (c.target > uint64_t{INT64_MAX} - c.length)
      status = NtStatus::invalid_parameter;
    else if (is_locked(*from, c.source, c.length, false) || is_locked(*r.open, c.target, c.length, true))
      status = NtStatus::file_lock_conflict;
    // A file system's own copy takes no ranges that overlap.
    const bool overlap =
        from->file->node == r.open->file->node && c.source < c.target + c.length && c.target < c.source + c.length;
    if (status == NtStatus::success && (by_hand || overlap)) {
      status = copy_by_hand(r, *from, c.source, c.target, c.length);
      if (status == NtStatus::success) done.total_bytes_written += c.length;
    } else if (status == NtStatus::success) {
      auto n = copy_some(r, *from, c.source, c.target, c.length);
      if (!n)
        status = status_of(n.error());
      else
        done.total_bytes_written += static_cast<uint32_t>(*n);
    }
    if (status != NtStatus::success) return {status, smb2::write_data(done)};
    done.chunks_written++;
  }
  return smb2::write_data(done);
}

/// Only sparse files have holes (MS-FSA sections 2.1.5.10.22 and 2.1.5.10.38).
bool is_sparse(Request& r, Attr& attr) { return attributes_of(r, r.open->file->node, attr, {}) & smb2::kAttrSparse; }

Output set_zero(Request& r, Bytes input) {
  if (!is_file(*r.open)) return NtStatus::invalid_parameter;
  if (!r.open->may(Rights::kWriteData)) return NtStatus::access_denied;
  const auto m = smb2::read_zero_data(input);
  if (!m) return NtStatus::invalid_parameter;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  const uint64_t end = std::min(m->beyond, attr->size);
  if (m->offset >= end) return NtStatus::success;
  if (is_locked(*r.open, m->offset, end - m->offset, true)) return NtStatus::file_lock_conflict;
  op::Fallocate punch;
  punch.node = r.open->file->node;
  punch.handle = r.open->handle;
  punch.mode = (is_sparse(r, *attr) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
  punch.offset = m->offset;
  punch.length = end - m->offset;
  const Status done = r.call(punch);
  if (done) return NtStatus::success;
  if (!is_unsupported(done.error())) return status_of(done.error());
  static const std::string zeros(size_t{1} << 20, '\0');
  for (uint64_t at = m->offset; at < end;) {
    const Buffer data = Buffer::view(as_bytes(zeros).first(std::min<uint64_t>(zeros.size(), end - at)));
    op::Write write;
    write.node = punch.node;
    write.handle = punch.handle;
    write.offset = at;
    write.data = &data;
    auto n = r.call(write);
    if (!n) return status_of(n.error());
    if (*n == 0) return NtStatus::disk_full;
    at += *n;
  }
  return NtStatus::success;
}

Output allocated_ranges(Request& r, Bytes input, uint32_t room) {
  if (!is_file(*r.open)) return NtStatus::invalid_parameter;
  if (!r.open->may(Rights::kReadData)) return NtStatus::access_denied;
  const auto m = smb2::read_file_range(input);
  if (!m) return NtStatus::invalid_parameter;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  const uint64_t end = std::min(attr->size, m->offset + m->length);
  std::vector<smb2::FileRange> ranges;
  if (m->offset < end && !is_sparse(r, *attr)) {
    if (room < smb2::kFileRange) return NtStatus::buffer_too_small;
    return smb2::write_file_ranges({{m->offset, end - m->offset}});
  }
  auto seek = [&](uint64_t offset, int whence) {
    return r.call(op::SeekHole{{}, r.open->file->node, r.open->handle, offset, whence});
  };
  for (uint64_t at = m->offset; at < end;) {
    auto data = seek(at, SEEK_DATA);
    if (!data && data.error() == err(ENXIO)) break;
    if (!data) return status_of(data.error());
    if (*data >= end) break;
    auto hole = seek(*data, SEEK_HOLE);
    if (!hole) return status_of(hole.error());
    const uint64_t stop = std::min(*hole, end);
    if (stop <= *data) break;
    if ((ranges.size() + 1) * smb2::kFileRange > room)
      return {ranges.empty() ? NtStatus::buffer_too_small : NtStatus::buffer_overflow, smb2::write_file_ranges(ranges)};
    ranges.push_back({*data, stop - *data});
    at = stop;
  }
  return smb2::write_file_ranges(ranges);
}

Output set_sparse(Request& r, Bytes input) {
  if (!is_file(*r.open)) return NtStatus::invalid_parameter;
  if (!r.open->may_some(Rights::kWriteData | Rights::kWriteAttributes | Rights::kAppendData))
    return NtStatus::access_denied;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  uint32_t bits = attributes_of(r, r.open->file->node, *attr, {});
  bits = smb2::read_set_sparse(input) ? bits | smb2::kAttrSparse : bits & ~smb2::kAttrSparse;
  const Status done = set_attributes(r, r.open->file->node, *attr, bits);
  return done ? NtStatus::success : status_of(done.error());
}

Output duplicate(Request& r, Bytes input, bool ex) {
  const auto m = smb2::read_duplicate_extents(input, ex);
  if (!m) return NtStatus::invalid_parameter;
  const auto from = r.server.files.find(m->source_id);
  if (!from || from->session_id != r.session->id || from->closed.load()) return NtStatus::invalid_handle;
  if (!is_file(*from) || !is_file(*r.open)) return NtStatus::invalid_parameter;
  if (!from->may(Rights::kReadData) || !r.open->may(Rights::kWriteData)) return NtStatus::access_denied;
  auto attr = r.attr_of(from->file->node);
  auto own = r.attr_of(r.open->file->node);
  if (!attr || !own) return NtStatus::io_device_error;
  if (m->source > attr->size || m->length > attr->size - m->source || m->target > own->size ||
      m->length > own->size - m->target)
    return NtStatus::not_supported;
  if (is_locked(*from, m->source, m->length, false) || is_locked(*r.open, m->target, m->length, true))
    return NtStatus::file_lock_conflict;
  auto n = copy_some(r, *from, m->source, m->target, m->length);
  if (!n) return status_of(n.error());
  return *n == m->length ? NtStatus::success : NtStatus::disk_full;
}

Output get_reparse_point(Request& r) {
  if (!r.open->file) return NtStatus::invalid_parameter;
  if (!r.open->reparse) return NtStatus::not_a_reparse_point;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  windows::Special file;
  file.type = attr->mode & S_IFMT;
  file.major = major(attr->rdev);
  file.minor = minor(attr->rdev);
  if (file.type == S_IFLNK) {
    auto target = r.call(op::Readlink{{}, r.open->file->node});
    if (!target) return status_of(target.error());
    file.target = std::move(*target);
  }
  auto bytes = windows::to_reparse(file, r.open->posix);
  if (!bytes) return NtStatus::io_reparse_tag_not_handled;
  return std::move(*bytes);
}

bool writes_data(uint32_t code) {
  return code == smb2::kFsctlSetZeroData || code == smb2::kFsctlSrvCopychunk || code == smb2::kFsctlSrvCopychunkWrite ||
         code == smb2::kFsctlDuplicateExtentsToFile || code == smb2::kFsctlDuplicateExtentsToFileEx;
}

Output run(Request& r, const smb2::IoctlRequest& m) {
  using namespace smb2;  // NOLINT(google-build-using-namespace): the codes
  const bool on_file = m.file_id != kNoFileId || r.header.related();
  switch (m.code) {
    case kFsctlValidateNegotiateInfo:
      return validate_negotiate(r, m.input);
    case kFsctlDfsGetReferrals:
    case kFsctlDfsGetReferralsEx:
      return NtStatus::fs_driver_required;  // there is no DFS
    case kFsctlQueryNetworkInterfaceInfo:
      return network_interfaces(r);
    case kFsctlLmrRequestResiliency:
    case kFsctlPipeWait:
      return NtStatus::not_supported;
    default:
      break;
  }
  if (!on_file || !r.find_open(m.file_id)) return NtStatus::file_closed;
  const InSequence in_sequence(r);
  if (!in_sequence) return NtStatus::file_not_available;
  if (m.code == kFsctlPipeTransceive) {
    if (!r.open->pipe) return NtStatus::invalid_device_request;
    std::string output;
    const NtStatus s = transceive(r, m.input, m.max_output, output);
    return {s, std::move(output)};
  }
  if (!r.open->file) return NtStatus::invalid_device_request;
  const bool changes = m.code == kFsctlSetSparse || m.code == kFsctlSetZeroData || m.code == kFsctlSetReparsePoint ||
                       m.code == kFsctlSrvCopychunk || m.code == kFsctlSrvCopychunkWrite;
  if (changes && r.server.read_only) return NtStatus::media_write_protected;
  switch (m.code) {
    case kFsctlSrvRequestResumeKey:
      return resume_key(r);
    case kFsctlSrvCopychunk:
      return copychunk(r, m.input, false, m.max_output);
    case kFsctlSrvCopychunkWrite:
      return copychunk(r, m.input, true, m.max_output);
    case kFsctlSrvEnumerateSnapshots:  // section 3.3.5.15.1
      if (m.max_output < no_snapshots().size()) return NtStatus::invalid_parameter;
      return no_snapshots();
    case kFsctlSetSparse:
      return set_sparse(r, m.input);
    case kFsctlSetZeroData:
      return set_zero(r, m.input);
    case kFsctlQueryAllocatedRanges:
      return allocated_ranges(r, m.input, m.max_output);
    case kFsctlDuplicateExtentsToFile:
      return duplicate(r, m.input, false);
    case kFsctlDuplicateExtentsToFileEx:
      return duplicate(r, m.input, true);
    case kFsctlGetReparsePoint:
      return get_reparse_point(r);
    case kFsctlSetReparsePoint:
      return set_reparse_point(r, m.input);
    case kFsctlGetObjectId:
    case kFsctlCreateOrGetObjectId: {
      Guid id{};
      std::string text;
      append_le<uint64_t>(text, raw(r.open->file->node));
      std::copy_n(as_bytes(text).begin(), text.size(), id.begin());
      return write_object_id(id, r.server.guid);
    }
    case kFsctlGetCompression:
      return no_compression();
    case kFsctlSetCompression:
      return read_compression(m.input) == 0 ? NtStatus::success : NtStatus::not_supported;
    default:
      return NtStatus::invalid_device_request;
  }
}

}  // namespace

std::optional<Reply> ioctl(Request& r) {
  const auto m = r.read<smb2::IoctlRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!(m->flags & smb2::IoctlRequest::kIsFsctl)) return Reply(NtStatus::not_supported);
  if (m->max_output > most_io(r.link->agreed) || m->input.size() > most_io(r.link->agreed))
    return Reply(NtStatus::invalid_parameter);
  Output out = run(r, *m);
  if (r.open && r.open->file && writes_data(m->code)) keep_write_time(r);
  if (out.bytes.size() > m->max_output) {
    if (smb2::is_error(out.status)) return Reply(out.status);
    return Reply(NtStatus::buffer_too_small);
  }
  // Some refusals say more (section 3.3.4.4).
  if (smb2::is_error(out.status) && out.bytes.empty()) return Reply(out.status);
  smb2::IoctlResponse response;
  response.code = m->code;
  response.file_id = m->file_id;
  response.output = as_bytes(out.bytes);
  Reply reply(response);
  reply.status = out.status;
  return reply;
}

}  // namespace isthmus::smb
