#include "wire/http/request.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "base/text.h"
#include "wire/http/token.h"

namespace isthmus::http {

namespace beast = boost::beast;

namespace {

constexpr size_t kChunkLine = 4096;  // bytes of a line between chunks

bool is_token(std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), is_token_char); }

/// What the parser below would let pass or read in its own way. `head` ends with an empty line.
std::optional<Refusal> unsafe(std::string_view head, const RequestReader::Limits& limits) {
  size_t fields = 0;
  bool first = true;
  while (!head.empty()) {
    size_t end = head.find('\n');
    if (end == 0 || head[end - 1] != '\r') return Refusal{400, "a line of the head does not end with CR LF"};
    std::string_view line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    if (line.empty()) {
      // What follows would be the parser's alone to check.
      if (first) return Refusal{400, "a malformed request line"};
      break;
    }
    for (char c : line) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        return Refusal{400, "a control character in the head"};
    }
    if (first) {
      first = false;
      if (std::count(line.begin(), line.end(), ' ') != 2) return Refusal{400, "a malformed request line"};
      continue;
    }
    if (line[0] == ' ' || line[0] == '\t') return Refusal{400, "a continued line in the head"};
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
      return Refusal{400, "a field without a proper name"};
    if (++fields > limits.fields) return Refusal{431, "too many fields"};
  }
  return std::nullopt;
}

/// Settles the body's framing (RFC 9112 section 6).
std::optional<Refusal> frame(Request& r) {
  const size_t lengths = r.count("Content-Length"), codings = r.count("Transfer-Encoding");
  if (lengths + codings > 1) return Refusal{400, "more than one length of the body"};
  if (codings) {
    if (r.minor == 0) return Refusal{400, "a coding in HTTP/1.0"};
    if (!same_token(r.field("Transfer-Encoding"), "chunked"))
      return Refusal{501, "a transfer coding other than chunked"};
    r.chunked = true;
  }
  if (lengths) {
    // At most 2^62, so that sums do not overflow.
    r.content_length = parse_number(r.field("Content-Length"), uint64_t{1} << 62);
    if (!r.content_length) return Refusal{400, "a Content-Length that is not a number"};
  }
  std::string_view connection = r.field("Connection");
  r.keep_alive = r.minor == 1 ? !lists_token(connection, "close") : lists_token(connection, "keep-alive");
  if (std::string_view expect = r.field("Expect"); !expect.empty() && r.minor == 1) {
    if (!same_token(expect, "100-continue")) return Refusal{417, "an expectation other than 100-continue"};
    r.expects_continue = r.has_body();
  }
  return std::nullopt;
}

}  // namespace

bool same_token(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool lists_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    size_t comma = std::min(value.find(','), value.size());
    if (same_token(trimmed(value.substr(0, comma)), token)) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
}

const Field* Request::find(std::string_view name) const {
  auto it = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return same_token(f.name, name); });
  return it == fields.end() ? nullptr : &*it;
}

std::string_view Request::field(std::string_view name) const {
  const Field* f = find(name);
  return f ? f->value : std::string_view{};
}

size_t Request::count(std::string_view name) const {
  return static_cast<size_t>(
      std::count_if(fields.begin(), fields.end(), [&](const Field& f) { return same_token(f.name, name); }));
}

namespace {

/// Beast's parser, which keeps what it finds as views of the bytes it was given.
struct HeadParser final : beast::http::basic_parser<true> {
  using Text = beast::string_view;
  static std::string_view view(Text t) { return {t.data(), t.size()}; }

  void on_request_impl(beast::http::verb, Text method, Text target, int version, beast::error_code& ec) override {
    request.method = view(method);
    request.target = view(target);
    if (version != 10 && version != 11) ec = beast::http::error::bad_version;
    request.minor = version == 10 ? 0 : 1;
  }
  void on_response_impl(int, Text, int, beast::error_code&) override {}
  void on_field_impl(beast::http::field, Text name, Text value, beast::error_code&) override {
    request.fields.push_back({view(name), trimmed(view(value))});
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  size_t on_body_impl(Text, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, Text, beast::error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, Text, beast::error_code&) override { return 0; }
  void on_finish_impl(beast::error_code&) override {}

  Request request;
};

}  // namespace

RequestReader::RequestReader(Limits limits) : limits_(limits) {}

std::variant<RequestReader::NeedMore, Refusal, RequestReader::Head> RequestReader::head(std::string_view in) {
  // One empty line before a request is skipped (RFC 9112 section 2.2).
  const size_t skipped = in.substr(0, 2) == "\r\n" ? 2 : 0;
  const size_t end = in.find("\r\n\r\n", std::max(skipped, searched_ < 3 ? size_t{0} : searched_ - 3));
  if (end == std::string_view::npos ? in.size() > limits_.head : end > limits_.head) {
    const bool line_over = in.find('\n', skipped) != std::string_view::npos;
    return Refusal{line_over ? 431 : 414, "the head of the request is too long"};
  }
  if (end == std::string_view::npos) {
    searched_ = in.size();
    // Whoever ends lines with LF alone would wait for ever.
    if (size_t bare = in.find('\n', skipped); bare != std::string_view::npos && (bare == 0 || in[bare - 1] != '\r'))
      return Refusal{400, "a line of the head does not end with CR LF"};
    return NeedMore{};
  }
  searched_ = 0;
  const size_t size = end + 4 - skipped;
  text_.assign(in.substr(skipped, size));
  if (auto refusal = unsafe(text_, limits_)) return *refusal;

  HeadParser parser;
  parser.header_limit(static_cast<uint32_t>(limits_.head + 4));
  parser.body_limit(UINT64_MAX);
  beast::error_code ec;
  parser.put(boost::asio::const_buffer(text_.data(), text_.size()), ec);
  if (ec == beast::http::error::bad_version) return Refusal{505, "a version other than HTTP/1.0 and 1.1"};
  if (ec == beast::http::error::bad_target || ec == beast::http::error::bad_method)
    return Refusal{400, "a malformed request line"};
  if ((ec && ec != beast::http::error::need_more) || !parser.is_header_done()) return Refusal{400, "a malformed head"};
  request_ = std::move(parser.request);
  if (request_.target.size() > limits_.target) return Refusal{414, "the target is too long"};
  if (auto refusal = frame(request_)) return *refusal;
  if (request_.chunked != parser.chunked()) return Refusal{400, "an unclear length of the body"};
  chunk_ = request_.chunked ? Chunk::size : Chunk::none;
  left_ = 0;
  return Head{end + 4};
}

namespace {

/// Of a chunk's first line: digits, and extensions that are not looked at.
std::optional<uint64_t> chunk_size(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0) {
    size = size * 16 + static_cast<uint64_t>(hex_digit(line[digits]));
    if (++digits > 15) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  std::string_view rest = trimmed(line.substr(digits));
  if (!rest.empty() && rest[0] != ';') return std::nullopt;
  return size;
}

}  // namespace

std::optional<std::string_view> RequestReader::missing_end() const {
  switch (chunk_) {
    case Chunk::none:
      return "";
    case Chunk::size:
      return "0\r\n\r\n";
    case Chunk::data:
      return left_ == 0 ? std::optional<std::string_view>("\r\n0\r\n\r\n") : std::nullopt;
    default:
      return "\r\n";
  }
}

std::variant<Refusal, RequestReader::Piece> RequestReader::chunk(std::string_view in) {
  Piece piece;
  while (chunk_ != Chunk::none) {
    std::string_view rest = in.substr(piece.consumed);
    if (chunk_ == Chunk::data && left_ > 0) {
      piece.data = rest.substr(0, std::min<uint64_t>(left_, rest.size()));
      piece.consumed += piece.data.size();
      left_ -= piece.data.size();
      return piece;
    }
    // The rest are lines.
    size_t end = rest.find('\n');
    if (end == std::string_view::npos && rest.size() <= kChunkLine) return piece;
    if (end == std::string_view::npos || end > kChunkLine) return Refusal{400, "a line between chunks is too long"};
    if (end == 0 || rest[end - 1] != '\r') return Refusal{400, "a line between chunks does not end with CR LF"};
    std::string_view line = rest.substr(0, end - 1);
    piece.consumed += end + 1;
    if (std::any_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; }))
      return Refusal{400, "a control character between chunks"};
    switch (chunk_) {
      case Chunk::size: {
        auto size = chunk_size(line);
        if (!size) return Refusal{400, "a malformed size of a chunk"};
        left_ = *size;
        chunk_ = left_ ? Chunk::data : Chunk::trailer;
        break;
      }
      case Chunk::data:
        if (!line.empty()) return Refusal{400, "a chunk longer than it said"};
        chunk_ = Chunk::size;
        break;
      default:
        // Fields after the body: read past, never obeyed.
        if ((left_ += end + 1) > limits_.head) return Refusal{431, "too many fields after the body"};
        if (line.empty())
          chunk_ = Chunk::none;
        else if (!is_token(line.substr(0, std::min(line.find(':'), line.size()))) || line.find(':') == line.npos)
          return Refusal{400, "a malformed field after the body"};
    }
  }
  piece.last = true;
  return piece;
}

}  // namespace isthmus::http
