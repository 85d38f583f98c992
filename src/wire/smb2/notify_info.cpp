#include "wire/smb2/notify_info.h"

#include "wire/smb2/entry_list.h"

namespace isthmus::smb2 {

bool NotifyWriter::add(NotifyAction action, Bytes name) {
  if (!begin_entry(out_, last_, 4, 12 + name.size(), limit_)) return false;
  append_le<uint32_t>(out_, 0);
  append_le<uint32_t>(out_, static_cast<uint32_t>(action));
  append_le<uint32_t>(out_, static_cast<uint32_t>(name.size()));
  out_ += as_text(name);
  return true;
}

}  // namespace isthmus::smb2
