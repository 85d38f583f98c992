#pragma once
#include <memory>
#include <string>
#include <vector>

#include "fs/mail/blob.h"

namespace isthmus::fs::mail {

struct Attachment {
  std::string name;  ///< safe, and the only one of its message
  std::shared_ptr<const Blob> data;
};

/// What a message says, decoded. body: its text in UTF-8; where there is none, its HTML. attachments: everything else
/// that it carries, messages too, byte for byte as it was sent.
struct Content {
  std::shared_ptr<const Blob> body;
  std::vector<Attachment> attachments;
  size_t weight() const;
};

/// A message as RFC 5322 and MIME have it. Whatever the bytes are, there is a body. Fails when there is no room for
/// what is decoded, or the bytes cannot be read.
Result<Content> parse_message(const Blob& raw);

}  // namespace isthmus::fs::mail
