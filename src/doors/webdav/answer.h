#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace isthmus::webdav {

/// Gives the body of an answer part by part, so that neither large files nor large listings stand in memory whole.
class BodySource {
 public:
  /// Either bytes, which live until the next call, or a range of an open file.
  struct Part {
    std::string_view bytes;
    int fd = -1;
    uint64_t offset = 0;
    size_t length = 0;
  };
  enum class Got : uint8_t {
    part,
    end,
    failed  ///< the connection is cut, which tells the client that what it has is not all
  };

  virtual ~BodySource() = default;
  virtual Got next(Part& part) = 0;
};

/// What a request is answered with.
struct Answer {
  int status = 200;
  std::string fields;  ///< lines of the head besides Date, Content-Length and Connection: field()
  std::string body;
  std::unique_ptr<BodySource> source;  ///< in place of `body`
  std::optional<uint64_t> length;      ///< of what `source` gives; none: sent in chunks
  bool close = false;                  ///< the connection ends afterwards

  Answer() = default;
  explicit Answer(int code) : status(code) {}
  Answer& field(std::string_view name, std::string_view value);
  Answer& xml();  ///< Content-Type of our XML bodies, which begin with their declaration
};

/// A short text for people beside an error's status.
Answer plain_answer(int status, std::string_view text = {});

}  // namespace isthmus::webdav
