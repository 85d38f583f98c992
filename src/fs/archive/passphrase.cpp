#include "fs/archive/passphrase.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace isthmus::fs::archive {
namespace {

// likely: nothing speaks against it, but what was read cannot rule chance out.
enum class Verdict { right, likely, wrong, unsupported };

// Zip's old cipher has a check of one byte before the data, which one wrong passphrase in 256 passes, and the checksum
// of the decrypted data after it. The checksum of fewer than 4 bytes is worth no more than these bytes: one file of one
// byte lets a wrong passphrase in 65,536 through. From kTelling bytes on it is worth its full 32 bits.
constexpr uint64_t kTelling = 4;
constexpr size_t kMostEvidence = 8;  // entries that are tried while none is enough
// Bytes read of the first, and of each that follows: a larger entry's checksum is not reached.
constexpr uint64_t kReadOfFirst = 64 << 20, kReadOfOther = 1 << 20;

// Encrypted files to try a passphrase on: those large enough, the smallest first, then the others.
std::vector<uint32_t> find_evidence(const Index& index) {
  std::vector<uint32_t> found;
  auto before = [&](uint32_t x, uint32_t y) {
    uint64_t a = index.nodes[x].size, b = index.nodes[y].size;
    if ((a >= kTelling) != (b >= kTelling)) return a >= kTelling;
    return a >= kTelling ? a < b : a > b;
  };
  for (uint32_t i = 0; i < index.nodes.size(); i++) {
    const Node& n = index.nodes[i];
    if (!n.encrypted || n.nlink == 0) continue;
    found.insert(std::upper_bound(found.begin(), found.end(), i, before), i);
    if (found.size() > kMostEvidence) found.pop_back();
  }
  return found;
}

Verdict try_on(const Archive& a, const Node& n, uint64_t most, const Secret& secret, const std::string& charset,
               std::string& why) {
  bool jump = n.plan == Plan::jump;
  Reader::Setup s;
  s.file = &a.file;
  s.formats = jump ? Formats::zip_stream : a.formats;
  s.at = jump ? n.where : 0;
  s.charset = charset;
  s.passphrase = &secret;
  s.max_filters = 16;
  auto reader = Reader::open(s, why);
  if (!reader) return Verdict::unsupported;
  struct archive_entry* e = nullptr;
  for (uint32_t i = jump ? n.ordinal - 1 : 0; i < n.ordinal; i++)
    if (reader->next(e) < ARCHIVE_WARN) {
      why = reader->reason();
      return Verdict::unsupported;
    }
  uint64_t got = 0, offset = 0;
  Bytes bytes;
  int r = ARCHIVE_OK;
  while (got <= most && (r = reader->block(bytes, offset)) == ARCHIVE_OK) got += bytes.size() + 1;
  if (r == ARCHIVE_EOF) return n.size >= kTelling ? Verdict::right : Verdict::likely;
  if (r == ARCHIVE_OK) return Verdict::likely;
  why = reader->reason();
  return why.find("unsupported") != std::string::npos || why.find("not supported") != std::string::npos
             ? Verdict::unsupported
             : Verdict::wrong;
}

// Right as soon as one entry says so beyond doubt: others may have another passphrase.
Verdict try_secret(const Archive& a, const std::vector<uint32_t>& evidence, const Secret& secret,
                   const std::string& charset, std::string& why) {
  Verdict v = Verdict::likely;
  for (uint32_t node : evidence) {
    uint64_t most = node == evidence.front() ? kReadOfFirst : kReadOfOther;
    v = try_on(a, a.index.nodes[node], most, secret, charset, why);
    if (v != Verdict::likely) break;
  }
  return v;
}

// Wipes what it took.
std::unique_ptr<Secret> take(std::string& text) {
  auto secret = std::make_unique<Secret>(text);
  explicit_bzero(text.data(), text.size());
  return secret;
}

// The first line of a file. Nothing: `error` is set.
std::unique_ptr<Secret> from_file(const std::string& path, OpenError& error) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::array<char, 4096> text{};
  ssize_t n = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (n < 0) {
    error = {last_errno(), fmt::format("cannot read passphrase_file {}: {}", path, text_of(last_errno()))};
    return nullptr;
  }
  std::string_view line(text.data(), static_cast<size_t>(n));
  line = line.substr(0, line.find_first_of("\r\n"));
  auto secret = std::make_unique<Secret>(line);
  explicit_bzero(text.data(), text.size());
  if (secret->empty()) {
    error = {err(EINVAL), fmt::format("passphrase_file {} has no passphrase in its first line", path)};
    return nullptr;
  }
  return secret;
}

}  // namespace

std::unique_ptr<Secret> find_passphrase(const Archive& a, const ArchiveOptions& o, const ArchiveHooks& hooks,
                                        OpenError& error) {
  bool file = !o.passphrase_file.empty();
  const auto evidence = find_evidence(a.index);
  if (evidence.empty()) return nullptr;
  if (!file && !hooks.passphrase) {
    log(LogLevel::warning, "{}: has encrypted files, which cannot be read: no passphrase was given (passphrase_file)",
        a.file.name);
    return nullptr;
  }
  for (int attempt = 1; attempt <= (file ? 1 : 3); attempt++) {
    std::unique_ptr<Secret> secret;
    if (file) {
      secret = from_file(o.passphrase_file, error);
      if (!secret) return nullptr;
    } else {
      auto text = hooks.passphrase(attempt);
      if (!text) {
        log(LogLevel::warning, "{}: encrypted files cannot be read: no passphrase was given", a.file.name);
        return nullptr;
      }
      secret = take(*text);
      if (secret->empty()) continue;
    }
    std::string why;
    Verdict v = try_secret(a, evidence, *secret, o.charset, why);
    if (v == Verdict::right || v == Verdict::likely) return secret;
    if (v == Verdict::unsupported) {
      log(LogLevel::warning, "{}: encrypted files cannot be read: {}", a.file.name, why);
      return nullptr;
    }
  }
  error = {err(EACCES), fmt::format("cannot open {}: the passphrase is wrong{}", a.file.name,
                                    file ? fmt::format("; see the first line of {}", o.passphrase_file) : "")};
  return nullptr;
}

}  // namespace isthmus::fs::archive
