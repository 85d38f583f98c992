#include <sys/stat.h>

#include "base/utf16.h"
#include "doors/smb/errors.h"
#include "doors/smb/extended.h"
#include "doors/smb/facts.h"
#include "doors/smb/logon.h"
#include "doors/smb/names.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stored_acl.h"
#include "doors/smb/stream.h"
#include "windows/security.h"
#include "wire/smb2/file_info.h"
#include "wire/smb2/query.h"
#include "wire/smb2/volume_info.h"

/// QUERY_INFO (MS-SMB2 section 3.3.5.20).
namespace isthmus::smb {
namespace {

using smb2::FileInfoClass;
using smb2::FsInfoClass;
using smb2::NtStatus;
using windows::Rights;

/// An answer that may be cut where the client has less room (section 3.3.5.20.1).
Reply data_reply(const std::string& data, uint32_t room, size_t minimum) {
  if (room < minimum) return NtStatus::info_length_mismatch;
  if (data.size() <= room) return smb2::DataResponse{as_bytes(data)};
  Reply cut = smb2::DataResponse{as_bytes(data).first(room)};
  cut.status = NtStatus::buffer_overflow;
  return cut;
}

uint32_t rights_for(FileInfoClass c) {
  switch (c) {
    case FileInfoClass::basic:
    case FileInfoClass::all:
    case FileInfoClass::network_open:
    case FileInfoClass::attribute_tag:
      return Rights::kReadAttributes;
    case FileInfoClass::full_ea:
      return Rights::kReadEa;
    default:
      return 0;
  }
}

/// What Windows' clients ask of pipes before they use them, as Windows answers: it goes with its last handle.
Reply query_pipe(const smb2::QueryInfoRequest& m) {
  const auto what = static_cast<FileInfoClass>(m.info_class);
  if (what != FileInfoClass::standard) return NtStatus::not_supported;
  smb2::FileFacts facts;
  facts.allocation = 4096;
  facts.delete_pending = true;
  return data_reply(smb2::write_file_info(what, facts).value_or(""), m.max_output, smb2::minimum_size(what));
}

Reply query_file(Request& r, const smb2::QueryInfoRequest& m) {
  Open& open = *r.open;
  const auto what = static_cast<FileInfoClass>(m.info_class);
  if (open.pipe) return query_pipe(m);
  if (!open.may(rights_for(what))) return NtStatus::access_denied;
  // MS-SMB2 section 3.3.5.20.1.
  if (what == FileInfoClass::normalized_name && r.link->agreed.dialect < smb2::Dialect::smb311)
    return NtStatus::not_supported;
  if (what == FileInfoClass::posix && !open.posix) return NtStatus::invalid_info_class;
  const size_t minimum = smb2::minimum_size(what);
  if (minimum == 0) return NtStatus::invalid_info_class;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  std::string path;
  bool pending = false, there = true;
  size_t name_at = 0;
  {
    std::lock_guard lock(open.file->m);
    path = open.file->path;
    pending = open.file->delete_pending;
    there = !open.file->name_gone;
    name_at = path.size() - std::min(path.size(), open.file->name.size());
  }
  smb2::FileFacts facts =
      facts_of(r.server, *attr, attributes_of(r, open.file->node, *attr, std::string_view(path).substr(name_at)));
  facts.name = client_path(path, open.posix);
  if (open.stream) {
    const auto size = stream_size(r, open);
    if (!size) return status_of(size.error());
    facts.end_of_file = *size;
    facts.allocation = stream_allocation(*size);
    facts.directory = false;
    facts.attributes &= ~smb2::kAttrDirectory;
    if (facts.attributes == 0) facts.attributes = smb2::kAttrNormal;
    facts.name += stream_suffix(open);
    pending = r.server.streams.is_delete_pending(*open.stream->stream);
  }
  facts.delete_pending = pending;
  // The link that is to go does not count.
  if (pending && there && facts.links > 0) facts.links--;
  if (pending && there && facts.posix_links > 0) facts.posix_links--;
  facts.granted_access = open.access;
  {
    std::lock_guard lock(open.m);
    facts.mode = open.mode;
    facts.position = open.position;
  }
  facts.volume_serial = r.server.volume_serial;
  if (what == FileInfoClass::stream) {
    if (!open.file->directory && !open.reparse)
      facts.streams.push_back({*utf16_of("::$DATA"), attr->size, allocation_of(*attr)});
    auto named = streams_of(r, open.file->node);
    if (!named) return status_of(named.error());
    std::move(named->begin(), named->end(), std::back_inserter(facts.streams));
  }
  facts.case_sensitive = open.posix || r.server.options.case_sensitive;
  if (what == FileInfoClass::full_ea || what == FileInfoClass::ea || what == FileInfoClass::all) {
    auto list = extended_attributes(r, open.file->node);
    if (!list) return status_of(list.error());
    if (what == FileInfoClass::full_ea && list->empty()) return NtStatus::no_eas_on_file;
    facts.eas = std::move(*list);
    for (const smb2::Ea& ea : facts.eas) facts.ea_size += static_cast<uint32_t>(smb2::ea_size(ea));
  }
  if (what == FileInfoClass::alternate_name) return NtStatus::object_name_not_found;  // there are no names of 8.3
  const auto data = smb2::write_file_info(what, facts);
  if (!data) return NtStatus::invalid_info_class;
  return data_reply(*data, m.max_output, minimum);
}

Reply query_volume(Request& r, const smb2::QueryInfoRequest& m) {
  const auto what = static_cast<FsInfoClass>(m.info_class);
  if (what == FsInfoClass::posix && !r.link->agreed.posix) return NtStatus::invalid_info_class;
  const size_t minimum = smb2::minimum_size(what);
  if (minimum == 0) return NtStatus::invalid_info_class;
  op::Statfs stat;
  if (r.open->file) stat.node = r.open->file->node;
  auto fs = r.call(stat);
  if (!fs) return status_of(fs.error());
  smb2::VolumeFacts v;
  v.serial = r.server.volume_serial;
  if (const auto root = r.attr_of(NodeId::root)) v.creation = times_of(*root).creation;
  v.label = utf16_of(fs->volume_name.empty() ? r.server.options.share : fs->volume_name).value_or("");
  const uint32_t unit = std::max(fs->fragment_size, 512u);
  v.bytes_per_sector = 512;
  v.sectors_per_unit = unit / 512;
  v.total_units = fs->blocks;
  v.available_units = fs->blocks_available;
  v.free_units = fs->blocks_free;
  v.attributes = smb2::kFsCasePreserved | smb2::kFsUnicode | smb2::kFsPersistentAcls | smb2::kFsSparseFiles |
                 smb2::kFsReparsePoints | smb2::kFsHardLinks;
  if (has_streams(r, stat.node)) v.attributes |= smb2::kFsExtendedAttributes | smb2::kFsNamedStreams;
  if (r.open->posix || r.server.options.case_sensitive) v.attributes |= smb2::kFsCaseSensitiveSearch;
  if (r.server.read_only) {
    v.attributes |= smb2::kFsReadOnly;
    v.characteristics |= smb2::VolumeFacts::kReadOnly;
  }
  v.longest_name = fs->name_max;
  v.filesystem = *utf16_of("NTFS");
  v.object_id = r.server.guid;
  v.block_size = unit;
  v.optimal_transfer = 1 << 20;
  v.blocks = fs->blocks;
  v.blocks_free = fs->blocks_free;
  v.blocks_available = fs->blocks_available;
  v.files = fs->files;
  v.files_free = fs->files_free;
  const auto data = smb2::write_volume_info(what, v);
  if (!data) return NtStatus::invalid_info_class;
  return data_reply(*data, m.max_output, minimum);
}

Reply query_security(Request& r, const smb2::QueryInfoRequest& m) {
  if (!r.open->file) return NtStatus::invalid_parameter;
  // Nobody has the right to audit lists (MS-FSA section 2.1.5.13).
  if (m.additional & smb2::kSecuritySacl) return NtStatus::access_denied;
  // Who asks for nothing gets a descriptor without anything, whatever he may.
  if (m.additional != 0 && !r.open->may(Rights::kReadControl)) return NtStatus::access_denied;
  auto attr = r.attr_of(r.open->file->node);
  if (!attr) return status_of(attr.error());
  const auto& ids = r.server.options.identities;
  const auto stored = stored_acl(r, r.open->file->node, *attr);
  windows::SecurityDescriptor d =
      stored ? *stored : windows::security_of_mode(attr->mode, ids.of_user(attr->uid), ids.of_group(attr->gid));
  if (r.session->apple.load(std::memory_order_relaxed) && d.dacl)
    windows::append_nfs_aces(*d.dacl, attr->mode, attr->uid, attr->gid);
  if (!(m.additional & smb2::kSecurityOwner)) d.owner.reset();
  if (!(m.additional & smb2::kSecurityGroup)) d.group.reset();
  if (!(m.additional & smb2::kSecurityDacl)) {
    d.has_dacl = false;
    d.dacl.reset();
  }
  const std::string bytes = windows::to_bytes(d);
  if (bytes.size() <= m.max_output) return smb2::DataResponse{as_bytes(bytes)};
  Reply small(NtStatus::buffer_too_small);  // says how much is needed
  append_le<uint32_t>(small.error_data, static_cast<uint32_t>(bytes.size()));
  return small;
}

}  // namespace

std::optional<Reply> query_info(Request& r) {
  const auto m = r.read<smb2::QueryInfoRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  if (m->max_output > most_io(r.link->agreed)) return Reply(NtStatus::invalid_parameter);
  switch (m->type) {
    case smb2::InfoType::file:
      return query_file(r, *m);
    case smb2::InfoType::filesystem:
      return query_volume(r, *m);
    case smb2::InfoType::security:
      return query_security(r, *m);
    case smb2::InfoType::quota:
      return Reply(NtStatus::not_supported);
  }
  return Reply(NtStatus::invalid_parameter);
}

}  // namespace isthmus::smb
