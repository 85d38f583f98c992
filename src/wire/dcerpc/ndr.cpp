#include "wire/dcerpc/ndr.h"

#include "base/utf16.h"

namespace isthmus::dcerpc {
namespace {

constexpr uint32_t kFirstReferent = 0x00020000;  // as Windows numbers them; anything but 0 would do
constexpr size_t kMaxUnicodeString = 0xfffe;     // bytes
constexpr size_t kSidHead = 8, kSidNumber = 4, kMaxSidNumbers = 15;

std::string varying(std::string_view utf16, size_t room) {
  std::string out;
  append_le<uint32_t>(out, static_cast<uint32_t>(room));
  append_le<uint32_t>(out, 0);
  append_le<uint32_t>(out, static_cast<uint32_t>(utf16.size() / 2));
  out += utf16;
  return out;
}

}  // namespace

void NdrReader::align(size_t to) { bytes(round_up(at_, to) - at_); }

Bytes NdrReader::bytes(size_t size) {
  if (!ok_ || stub_.size() - at_ < size) {
    ok_ = false;
    return {};
  }
  at_ += size;
  return stub_.subspan(at_ - size, size);
}

std::string NdrReader::text() {
  const auto room = number<uint32_t>(), offset = number<uint32_t>(), length = number<uint32_t>();
  if (offset != 0 || length > room) ok_ = false;
  const auto utf8 = utf8_of(bytes(size_t{length} * 2));
  if (!utf8) ok_ = false;
  return ok_ ? utf8->substr(0, utf8->find('\0')) : std::string();
}

bool NdrReader::unicode_string() {
  align(4);
  bytes(4);  // Length and MaximumLength: the pointee says both again
  return pointer();
}

Bytes NdrReader::sid() {
  const auto count = number<uint32_t>();
  if (count > kMaxSidNumbers) ok_ = false;
  const Bytes all = bytes(kSidHead + kSidNumber * count);
  if (!ok_ || std::to_integer<uint32_t>(all[1]) != count) ok_ = false;
  return ok_ ? all : Bytes();
}

void NdrWriter::pointer(bool has_pointee) { number<uint32_t>(has_pointee ? kFirstReferent + 4 * referents_++ : 0); }

void NdrWriter::text_pointer(std::string_view utf8) {
  std::string utf16 = utf16_of(utf8).value_or("");
  utf16.append(2, '\0');
  pointer();
  later_.push_back(varying(utf16, utf16.size() / 2));
}

void NdrWriter::unicode_string(std::string_view utf8) {
  std::string utf16 = utf16_of(utf8).value_or("");
  if (utf16.size() > kMaxUnicodeString) utf16.clear();
  align(4);
  number<uint16_t>(static_cast<uint16_t>(utf16.size()));
  number<uint16_t>(static_cast<uint16_t>(utf16.size()));
  pointer();
  later_.push_back(varying(utf16, utf16.size() / 2));
}

void NdrWriter::sid_pointer(Bytes sid) {
  pointer(!sid.empty());
  if (sid.empty()) return;
  std::string out;
  append_le<uint32_t>(out, static_cast<uint32_t>((sid.size() - kSidHead) / kSidNumber));
  later_.push_back(out.append(as_text(sid)));
}

void NdrWriter::pointees() {
  for (const std::string& pointee : later_) {
    align(4);
    stub_ += pointee;
  }
  later_.clear();
}

}  // namespace isthmus::dcerpc
