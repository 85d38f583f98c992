#include "wire/smb2/fsctl.h"

namespace isthmus::smb2 {
namespace {

constexpr size_t kCopychunkHead = 32, kCopychunkRange = 24, kTrimHead = 8;  // bytes
constexpr uint64_t kFileEnd = INT64_MAX;

bool is_in_file(const FileRange& r) { return r.offset <= kFileEnd && r.length <= kFileEnd - r.offset; }

template <class C, class M>
void extents_fields(C& c, M& m) {
  c.id(m.source_id);
  c.number(m.source);
  c.number(m.target);
  c.number(m.length);
}

}  // namespace

std::string write_resume_key(const ResumeKey& key) {
  std::string out(as_text(key));
  out.append(8, '\0');  // ContextLength, and a context of 4 bytes that it does not count
  return out;
}

std::optional<Copychunk> read_copychunk(Bytes input, size_t most) {
  if (input.size() < kCopychunkHead) return std::nullopt;
  Copychunk m;
  std::copy_n(input.begin(), m.source.size(), m.source.begin());
  const size_t count = *load_le<uint32_t>(input, 24);
  m.too_many = count > most;
  if (m.too_many) return m;
  input = input.subspan(kCopychunkHead);
  if (count > input.size() / kCopychunkRange) return std::nullopt;
  for (size_t i = 0; i < count; i++) m.chunks.push_back(*read_data<CopychunkRange>(input.subspan(i * kCopychunkRange)));
  return m;
}

std::string write_copychunk(const Copychunk& m) {
  std::string out(as_text(m.source));
  append_le<uint32_t>(out, static_cast<uint32_t>(m.chunks.size()));
  append_le<uint32_t>(out, 0);
  for (const CopychunkRange& r : m.chunks) out += write_data(r);
  return out;
}

std::string write_network_interfaces(const std::vector<NetworkInterface>& all) {
  constexpr uint32_t kSize = 152;
  constexpr uint16_t kIp4 = 2, kIp6 = 0x17;
  std::string out;
  for (size_t i = 0; i < all.size(); i++) {
    const NetworkInterface& one = all[i];
    const bool ip4 = one.address.size() == 4;
    append_le<uint32_t>(out, i + 1 < all.size() ? kSize : 0);  // Next
    append_le<uint32_t>(out, one.index);
    append_le<uint64_t>(out, 0);  // neither RSS nor RDMA
    append_le<uint64_t>(out, one.speed);
    append_le<uint16_t>(out, ip4 ? kIp4 : kIp6);
    out.append(ip4 ? 2 : 6, '\0');  // port; of IPv6 flow information, too
    out += as_text(one.address);
    out.resize((i + 1) * kSize);
  }
  return out;
}

std::optional<ZeroData> read_zero_data(Bytes input) {
  const auto offset = load_le<uint64_t>(input, 0), beyond = load_le<uint64_t>(input, 8);
  if (!beyond || *beyond > kFileEnd || *offset > *beyond) return std::nullopt;
  return ZeroData{*offset, *beyond};
}

std::optional<FileRange> read_file_range(Bytes input) {
  const auto m = read_data<FileRange>(input);
  return m && is_in_file(*m) ? m : std::nullopt;
}

std::string write_file_ranges(const std::vector<FileRange>& ranges) {
  std::string out;
  for (const FileRange& r : ranges) out += write_data(r);
  return out;
}

bool read_set_sparse(Bytes input) { return input.empty() || input[0] != std::byte{0}; }

std::optional<DuplicateExtents> read_duplicate_extents(Bytes input, bool ex) {
  DuplicateExtents m;
  Decoder d(input, 0);
  if (ex) d.reserved(8);  // the size of the structure, which clients do not agree on
  extents_fields(d, m);
  if (ex) {
    d.number(m.flags);
    d.reserved(4);
  }
  if (!d.ok() || !is_in_file({m.source, m.length}) || !is_in_file({m.target, m.length})) return std::nullopt;
  return m;
}

std::optional<std::vector<FileRange>> read_trim(Bytes input, size_t most) {
  const auto count = load_le<uint32_t>(input, 4);
  if (!count || *count > most || *count > (input.size() - kTrimHead) / kFileRange) return std::nullopt;
  std::vector<FileRange> found;
  for (size_t i = 0; i < *count; i++) {
    const auto range = read_file_range(input.subspan(kTrimHead + i * kFileRange));
    if (!range) return std::nullopt;
    found.push_back(*range);
  }
  return found;
}

std::string write_trim(uint32_t processed) {
  std::string out;
  append_le<uint32_t>(out, processed);
  return out;
}

// The three numbers are 12 bytes; Windows' answer, and what clients expect at least, has 16 (section 3.3.5.15.1).
std::string no_snapshots() { return std::string(16, '\0'); }

std::string write_object_id(const Guid& object, const Guid& volume) {
  std::string out(as_text(object));
  out += as_text(volume);
  out += as_text(object);  // as it was when the file was made
  out.append(16, '\0');
  return out;
}

std::string no_compression() { return std::string(2, '\0'); }

std::optional<uint16_t> read_compression(Bytes input) { return load_le<uint16_t>(input, 0); }

std::string no_integrity(uint32_t cluster_size) {
  std::string out(12, '\0');
  append_le<uint32_t>(out, cluster_size);
  return out;
}

}  // namespace isthmus::smb2
