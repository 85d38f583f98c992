#include "wire/smb2/directory_info.h"

#include "wire/smb2/create.h"
#include "wire/smb2/entry_list.h"
#include "wire/smb2/posix_facts.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kShortNameRoom = 24, kAaplFinderInfo = 16;  // bytes

/// Bytes of an entry without its name and SIDs; 0: no class of ours.
size_t entry_head(FindClass what) {
  switch (what) {
    case FindClass::names:
      return 12;
    case FindClass::directory:
      return 64;
    case FindClass::full:
      return 68;
    case FindClass::both:
      return 94;
    case FindClass::id_both:
      return 104;
    case FindClass::id_full:
    case FindClass::id_64_extd:
      return 80;
    case FindClass::id_extd:
      return 88;
    case FindClass::id_extd_both:
      return 114;
    case FindClass::id_64_extd_both:
      return 106;
    case FindClass::id_all_extd:
      return 96;
    case FindClass::id_all_extd_both:
      return 122;
    case FindClass::posix:
      return 8 + kPosixFactsHead + 4;
    default:
      return 0;
  }
}

void put_short_name(Encoder& e, const FileFacts& f) {
  const std::string_view name = std::string_view(f.short_name).substr(0, kShortNameRoom);
  e.number(static_cast<uint8_t>(name.size()));
  e.reserved(1);
  e.bytes(name);
  e.reserved(kShortNameRoom - name.size());
}

void put_aapl(Encoder& e, const AaplEntry& a) {
  const std::string_view finder_info = a.finder_info.substr(0, kAaplFinderInfo);
  e.number(static_cast<uint8_t>(kShortNameRoom));
  e.reserved(1);
  e.number(a.resource_fork_size);
  e.bytes(finder_info);
  e.reserved(kAaplFinderInfo - finder_info.size());
  e.number(a.mode);
}

/// What is between the length of the name and the name.
void put_rest(Encoder& e, FindClass what, const FileFacts& f, const AaplEntry* aapl) {
  const bool reparse = (f.attributes & kAttrReparsePoint) != 0;
  const bool extended = what == FindClass::id_extd || what == FindClass::id_extd_both ||
                        what == FindClass::id_64_extd || what == FindClass::id_64_extd_both ||
                        what == FindClass::id_all_extd || what == FindClass::id_all_extd_both;
  if (what == FindClass::directory) return;
  if (extended) {
    e.number(f.ea_size);
    e.number(reparse ? f.reparse_tag : 0);
  } else {
    // Classes without a field for the tag have it instead of the size.
    e.number(reparse ? f.reparse_tag : aapl != nullptr ? aapl->max_access : f.ea_size);
  }
  switch (what) {
    case FindClass::both:
      put_short_name(e, f);
      break;
    case FindClass::id_both:
      if (aapl != nullptr) {
        put_aapl(e, *aapl);
      } else {
        put_short_name(e, f);
        e.reserved(2);
      }
      e.number(f.index_number);
      break;
    case FindClass::id_full:
      e.reserved(4);
      e.number(f.index_number);
      break;
    case FindClass::id_extd:
    case FindClass::id_extd_both:
      e.number(f.index_number);
      e.reserved(8);
      break;
    case FindClass::id_64_extd:
    case FindClass::id_64_extd_both:
      e.number(f.index_number);
      break;
    case FindClass::id_all_extd:
    case FindClass::id_all_extd_both:
      e.number(f.index_number);
      e.number(f.index_number);
      e.reserved(8);
      break;
    default:
      break;
  }
  if (what == FindClass::id_extd_both || what == FindClass::id_64_extd_both || what == FindClass::id_all_extd_both)
    put_short_name(e, f);
}

}  // namespace

bool DirectoryWriter::knows(FindClass what) { return entry_head(what) != 0; }

bool DirectoryWriter::add(const FileFacts& f, Bytes name, const AaplEntry* aapl) {
  const size_t sids = class_ == FindClass::posix ? f.owner.size() + f.group.size() : 0;
  if (!knows(class_) || !begin_entry(out_, last_, 8, entry_head(class_) + sids + name.size(), limit_)) {
    first_did_not_fit_ = out_.empty();
    return false;
  }
  Encoder e(std::move(out_));
  e.reserved(8);  // NextEntryOffset, FileIndex
  const auto name_length = static_cast<uint32_t>(name.size());
  if (class_ == FindClass::names) {
    e.number(name_length);
  } else if (class_ == FindClass::posix) {
    put_posix_facts(e, f);
    e.number(name_length);
  } else {
    FileTimes::fields(e, f.times);
    e.number(f.end_of_file);
    e.number(f.allocation);
    e.number(f.attributes);
    e.number(name_length);
    put_rest(e, class_, f, class_ == FindClass::id_both ? aapl : nullptr);
  }
  e.bytes(as_text(name));
  out_ = e.finish();
  return true;
}

}  // namespace isthmus::smb2
