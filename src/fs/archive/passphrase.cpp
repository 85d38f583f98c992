#include "fs/archive/passphrase.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>

#include <array>

#include "base/log.h"
#include "base/result.h"

namespace isthmus::fs::archive {
namespace {

enum class Verdict { right, wrong, unsupported };
constexpr uint64_t kReadToCheck = 16 << 20;  // to the checksum at the end, which catches what the first bytes do not

Verdict try_secret(const Archive& a, const Secret& secret, const std::string& charset, std::string& why) {
  const Node& n = a.index.nodes[a.smallest_encrypted];
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
  while (got <= kReadToCheck && (r = reader->block(bytes, offset)) == ARCHIVE_OK) got += bytes.size() + 1;
  if (r == ARCHIVE_OK || r == ARCHIVE_EOF) return Verdict::right;
  why = reader->reason();
  return why.find("unsupported") != std::string::npos || why.find("not supported") != std::string::npos
             ? Verdict::unsupported
             : Verdict::wrong;
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
  if (a.smallest_encrypted == kNone) return nullptr;
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
    Verdict v = try_secret(a, *secret, o.charset, why);
    if (v == Verdict::right) return secret;
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
