#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// HTTP/1.1 requests as a server reads them (RFC 9110, RFC 9112). No I/O: the caller brings bytes.
namespace isthmus::http {

struct Field {
  std::string_view name, value;
};

/// Compares names of fields and other ASCII tokens without regard to case.
bool same_token(std::string_view a, std::string_view b);
/// Whether the comma list `value` has the token, without regard to case; parameters are not looked at.
bool lists_token(std::string_view value, std::string_view token);

/// The head of a request. Views are of the reader's memory, until its next head() or destruction.
struct Request {
  std::string_view method, target;
  unsigned minor = 1;  ///< HTTP/1.`minor`: 0 or 1
  std::vector<Field> fields;
  /// Of the body; none: no body, or a chunked one.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;

  /// The first one's value, or empty.
  std::string_view field(std::string_view name) const;
  const Field* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  size_t count(std::string_view name) const;
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

/// Why a request is refused; the connection ends after the answer, because where the next request begins is not known.
struct Refusal {
  int status = 400;
  std::string_view why;  ///< static text
};

/// Reads one request after the other of a connection. Stricter than RFC 9112 asks, so that nobody between sees another
/// request than we do: a length and chunks at once, two lengths, lines that end in a bare LF, continued lines, a space
/// before a colon, NUL and other controls, any coding but `chunked`, any version but 1.0 and 1.1 are refused.
class RequestReader {
 public:
  struct Limits {
    size_t head = size_t{64} << 10;  ///< bytes of request line and fields; also of the fields after the last chunk
    size_t fields = 128;
    size_t target = size_t{32} << 10;
  };

  RequestReader() : RequestReader(Limits{}) {}
  explicit RequestReader(Limits limits);

  struct NeedMore {};
  struct Head {
    size_t consumed;  ///< bytes of the input that were the head; the body follows
  };
  /// `in`: all bytes from the start of the request that are there. After NeedMore, call with more.
  std::variant<NeedMore, Refusal, Head> head(std::string_view in);
  /// What the last Head brought.
  const Request& request() const { return request_; }

  struct Piece {
    size_t consumed = 0;    ///< bytes of `in` that are done with
    std::string_view data;  ///< of the body, within `in`; may be empty
    bool last = false;      ///< the body ended; bytes after `consumed` are of the next request
  };
  /// The next part of a chunked body. consumed == 0 and no data and not last: more bytes are needed.
  std::variant<Refusal, Piece> chunk(std::string_view in);
  /// What would end a chunked body here, for clients that leave it out; none in the middle of a chunk.
  std::optional<std::string_view> missing_end() const;

 private:
  /// What comes next of a chunked body: a size, the data (then its line end), fields after the body.
  enum class Chunk : uint8_t { none, size, data, trailer };

  Limits limits_;
  Chunk chunk_ = Chunk::none;
  uint64_t left_ = 0;    // bytes of the chunk; in the trailer: bytes of it seen
  std::string text_;     // the head, which request_ points into
  size_t searched_ = 0;  // of the input: holds no end of a head
  Request request_;
};

}  // namespace isthmus::http
