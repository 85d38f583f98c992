#include "wire/smb2/file_info.h"

#include "wire/smb2/codec.h"
#include "wire/smb2/entry_list.h"
#include "wire/smb2/posix_facts.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kStreamHead = 24;  // bytes
/// LxFlags of FileStatLxInformation: which of the numbers behind them are set.
constexpr uint32_t kLxUid = 1, kLxGid = 2, kLxMode = 4, kLxDevice = 8, kLxCaseSensitive = 0x10;

void put_basic(Encoder& e, const FileFacts& f) {
  FileTimes::fields(e, f.times);
  e.number(f.attributes);
  e.reserved(4);
}

void put_standard(Encoder& e, const FileFacts& f) {
  e.number(f.allocation);
  e.number(f.end_of_file);
  e.number(f.links);
  e.number<uint8_t>(f.delete_pending ? 1 : 0);
  e.number<uint8_t>(f.directory ? 1 : 0);
  e.reserved(2);
}

void put_name(Encoder& e, std::string_view utf16) {
  e.number(static_cast<uint32_t>(utf16.size()));
  e.bytes(utf16);
}

void put_all(Encoder& e, const FileFacts& f) {
  put_basic(e, f);
  put_standard(e, f);
  e.number(f.index_number);
  e.number(f.ea_size);
  e.number(f.granted_access);
  e.number(f.position);
  e.number(f.mode);
  e.number(f.alignment);
  put_name(e, f.name);
}

void put_stat(Encoder& e, const FileFacts& f) {
  e.number(f.index_number);
  FileTimes::fields(e, f.times);
  e.number(f.allocation);
  e.number(f.end_of_file);
  e.number(f.attributes);
  e.number(f.reparse_tag);
  e.number(f.links);
  e.number(f.granted_access);
}

void put_stat_lx(Encoder& e, const FileFacts& f) {
  const bool device = f.device_major != 0 || f.device_minor != 0;
  put_stat(e, f);
  e.number(kLxUid | kLxGid | kLxMode | (device ? kLxDevice : 0) | (f.case_sensitive ? kLxCaseSensitive : 0));
  e.number(f.uid);
  e.number(f.gid);
  e.number(f.posix_mode);
  e.number(f.device_major);
  e.number(f.device_minor);
}

std::string write_streams(const FileFacts& f) {
  std::string out;
  size_t last = 0;
  for (const StreamFact& s : f.streams) {
    if (!begin_entry(out, last, 8, kStreamHead + s.name.size())) break;
    append_le<uint32_t>(out, 0);
    append_le<uint32_t>(out, static_cast<uint32_t>(s.name.size()));
    append_le<uint64_t>(out, s.size);
    append_le<uint64_t>(out, s.allocation);
    out += s.name;
  }
  return out;
}

}  // namespace

std::optional<std::string> write_file_info(FileInfoClass what, const FileFacts& f) {
  Encoder e;
  switch (what) {
    case FileInfoClass::basic:
      put_basic(e, f);
      break;
    case FileInfoClass::standard:
      put_standard(e, f);
      break;
    case FileInfoClass::internal:
      e.number(f.index_number);
      break;
    case FileInfoClass::ea:
      e.number(f.ea_size);
      break;
    case FileInfoClass::access:
      e.number(f.granted_access);
      break;
    case FileInfoClass::name:
      put_name(e, f.name);
      break;
    case FileInfoClass::position:
      e.number(f.position);
      break;
    case FileInfoClass::full_ea:
      return write_ea_list(f.eas);
    case FileInfoClass::mode:
      e.number(f.mode);
      break;
    case FileInfoClass::alignment:
      e.number(f.alignment);
      break;
    case FileInfoClass::all:
      put_all(e, f);
      break;
    case FileInfoClass::alternate_name:
      put_name(e, f.short_name);
      break;
    case FileInfoClass::stream:
      return write_streams(f);
    case FileInfoClass::compression:
      e.number(f.end_of_file);
      e.reserved(8);
      break;
    case FileInfoClass::network_open:
      FileTimes::fields(e, f.times);
      e.number(f.allocation);
      e.number(f.end_of_file);
      e.number(f.attributes);
      e.reserved(4);
      break;
    case FileInfoClass::attribute_tag:
      e.number(f.attributes);
      e.number(f.reparse_tag);
      break;
    case FileInfoClass::normalized_name:
      // From the root on, as Samba and Windows answer by network.
      put_name(e, std::string_view(f.name).substr(f.name.size() < 2 ? 0 : 2));
      break;
    case FileInfoClass::standard_link:
      e.number(f.links);
      e.number(f.links);
      e.number<uint8_t>(f.delete_pending ? 1 : 0);
      e.number<uint8_t>(f.directory ? 1 : 0);
      e.reserved(2);
      break;
    case FileInfoClass::id:
      e.number(f.volume_serial);
      e.number(f.index_number);
      e.reserved(8);
      break;
    case FileInfoClass::stat:
      put_stat(e, f);
      break;
    case FileInfoClass::stat_lx:
      put_stat_lx(e, f);
      break;
    case FileInfoClass::case_sensitive:
      e.number<uint32_t>(f.case_sensitive ? 1 : 0);
      break;
    case FileInfoClass::posix:
      put_posix_facts(e, f);
      break;
    default:
      return std::nullopt;
  }
  return e.finish();
}

size_t minimum_size(FileInfoClass what) {
  switch (what) {
    case FileInfoClass::ea:
    case FileInfoClass::access:
    case FileInfoClass::mode:
    case FileInfoClass::alignment:
    case FileInfoClass::case_sensitive:
      return 4;
    case FileInfoClass::internal:
    case FileInfoClass::position:
    case FileInfoClass::attribute_tag:
    case FileInfoClass::full_ea:
    // Names: the structures end with room for one character, and are padded to their alignment.
    case FileInfoClass::name:
    case FileInfoClass::alternate_name:
    case FileInfoClass::normalized_name:
      return 8;
    case FileInfoClass::standard_link:
      return 12;
    case FileInfoClass::compression:
      return 16;
    case FileInfoClass::standard:
    case FileInfoClass::id:
      return 24;
    case FileInfoClass::stream:
      return 32;
    case FileInfoClass::basic:
      return 40;
    case FileInfoClass::network_open:
      return 56;
    case FileInfoClass::stat:
      return 72;
    case FileInfoClass::posix:
      return kPosixFactsHead;
    case FileInfoClass::stat_lx:
      return 96;
    case FileInfoClass::all:
      return 104;
    default:
      return 0;
  }
}

}  // namespace isthmus::smb2
