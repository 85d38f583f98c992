#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "windows/names.h"
#include "wire/http/request.h"
#include "wire/http/uri.h"

// A connection's bytes: requests one after the other, with their bodies, given whole and byte by byte: both must be
// read as the same. Targets become names that are no way out, and come back as the same path.

namespace isthmus::http {
namespace {

void require(bool holds) {
  if (!holds) abort();
}

void target(std::string_view text) {
  query_value(text, "x");
  auto path = parse_path(text);
  if (!path) return;
  std::string again = "/";
  for (const std::string& name : path->names) {
    require(!name.empty() && name != "." && name != ".." &&
            name.find_first_of(std::string_view("/\0", 2)) == name.npos);
    append_segment(again, name);
    again += '/';
    for (auto rules : {windows::NameRules::text, windows::NameRules::windows}) {
      auto own = windows::from_client(name, rules);
      require(own && own->find('/') == own->npos && *own != "." && *own != "..");
      require(windows::from_client(windows::to_client(*own, rules), rules) == *own);
    }
  }
  auto back = parse_path(again);
  require(back && back->names == path->names);
}

/// What was read, as text.
std::string read_all(std::string_view input, size_t step) {
  RequestReader reader({.head = 4096, .fields = 20, .target = 1024});
  std::string seen, buffer;
  bool in_body = false;
  uint64_t left = 0;
  auto refuse = [&](const Refusal& r) {
    seen += "!" + std::to_string(r.status);
    return seen;
  };
  for (;;) {
    bool stuck = true;
    if (!in_body && !buffer.empty()) {
      auto got = reader.head(buffer);
      if (const auto* r = std::get_if<Refusal>(&got)) return refuse(*r);
      if (const auto* head = std::get_if<RequestReader::Head>(&got)) {
        require(head->consumed > 0 && head->consumed <= buffer.size());
        buffer.erase(0, head->consumed);
        const Request& q = reader.request();
        require(!(q.chunked && q.content_length));
        target(q.target);
        seen += std::string(q.method) + " " + std::string(q.target) + (q.keep_alive ? "k" : "c");
        for (const Field& f : q.fields) seen += std::string(f.name) + ":" + std::string(f.value) + "\n";
        left = q.content_length.value_or(0);
        in_body = q.has_body();
        stuck = false;
      }
    } else if (in_body && reader.request().chunked) {
      auto got = reader.chunk(buffer);
      if (const auto* r = std::get_if<Refusal>(&got)) return refuse(*r);
      const auto& piece = std::get<RequestReader::Piece>(got);
      require(piece.consumed <= buffer.size());
      seen += piece.data;
      stuck = piece.consumed == 0 && !piece.last;
      in_body = !piece.last;
      buffer.erase(0, piece.consumed);
    } else if (in_body && !buffer.empty()) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(left, buffer.size()));
      seen += buffer.substr(0, n);
      buffer.erase(0, n);
      left -= n;
      in_body = left > 0;
      stuck = false;
    }
    if (!stuck) continue;
    if (input.empty()) return seen;
    buffer += input.substr(0, step);
    input.remove_prefix(std::min(step, input.size()));
  }
}

}  // namespace
}  // namespace isthmus::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace isthmus::http;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size > 16384) return 0;
  target(input);
  const std::string whole = read_all(input, SIZE_MAX), bytes = read_all(input, 1);
  // What is wrong may be seen before or after more is there: the same up to the refusal.
  const bool refused = whole.find('!') != whole.npos || bytes.find('!') != bytes.npos;
  if (!refused) require(whole == bytes);
  return 0;
}
