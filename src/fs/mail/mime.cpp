#include "fs/mail/mime.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmime/gmime.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "base/pread_all.h"
#include "base/unlinked_file.h"
#include "fs/mail/charset.h"
#include "fs/mail/gmime.h"
#include "fs/mail/headers.h"
#include "fs/mail/names.h"

namespace isthmus::fs::mail {
namespace {

constexpr size_t kParsedInMemory = size_t{8} << 20;
// Beyond these a message is shown as plain text: its structure is there to hurt.
constexpr size_t kMostBoundaries = 20'000;  // lines that may be boundaries
constexpr size_t kMostAttachments = 5'000;
constexpr int kDeepest = 100;
constexpr size_t kPiece = size_t{64} << 10;
// Attachments up to this size stay in memory, until they are that many bytes; the others share a file.
constexpr size_t kSmall = size_t{64} << 10, kMostSmall = size_t{4} << 20;

template <class T>
struct Unref {
  void operator()(T* object) const { g_object_unref(object); }
};
template <class T>
using Ref = std::unique_ptr<T, Unref<T>>;

Result<size_t> count_boundaries(const Blob& raw) {
  std::string piece(kPiece, '\0');
  size_t count = 0;
  char last = '\n', before = '\n';
  for (uint64_t at = 0; at < raw.size();) {
    auto got = raw.copy(at, std::as_writable_bytes(std::span(piece)));
    if (!got) return got.error();
    if (*got == 0) break;
    for (char c : std::string_view(piece).substr(0, *got)) {
      count += c == '-' && last == '-' && before == '\n';
      before = last;
      last = c;
    }
    at += *got;
  }
  return count;
}

Result<Ref<GMimeStream>> stream_of(const Blob& raw) {
  if (raw.fd() < 0 || raw.size() <= kParsedInMemory) {
    auto text = raw.text();
    if (!text) return text.error();
    return Ref<GMimeStream>(g_mime_stream_mem_new_with_buffer(text->data(), text->size()));
  }
  // A place in the file of its own.
  Fd fd(::open(fmt::format("/proc/self/fd/{}", raw.fd()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return last_errno();
  const auto begin = static_cast<gint64>(raw.offset());
  return Ref<GMimeStream>(
      g_mime_stream_fs_new_with_bounds(fd.release(), begin, begin + static_cast<gint64>(raw.size())));
}

template <class F>
Status for_each_piece(GMimeStream* stream, F f) {
  std::string piece(kPiece, '\0');
  for (;;) {
    const ssize_t n = g_mime_stream_read(stream, piece.data(), piece.size());
    if (n < 0 && !g_mime_stream_eos(stream)) return err(EIO);
    if (n <= 0) return Unit{};  // behind the end of a range of a file it is -1
    if (Status done = f(std::string_view(piece).substr(0, static_cast<size_t>(n))); !done) return done;
  }
}

/// The content of a part, decoded.
template <class F>
Status for_each_decoded(GMimePart* part, F f) {
  GMimeDataWrapper* content = g_mime_part_get_content(part);
  GMimeStream* stream = content ? g_mime_data_wrapper_get_stream(content) : nullptr;
  if (!stream) return Unit{};
  g_mime_stream_reset(stream);
  const GMimeContentEncoding encoding = g_mime_data_wrapper_get_encoding(content);
  if (encoding != GMIME_CONTENT_ENCODING_BASE64 && encoding != GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE &&
      encoding != GMIME_CONTENT_ENCODING_UUENCODE)
    return for_each_piece(stream, f);
  const Ref<GMimeStream> filtered(g_mime_stream_filter_new(stream));
  const Ref<GMimeFilter> filter(g_mime_filter_basic_new(encoding, FALSE));
  g_mime_stream_filter_add(GMIME_STREAM_FILTER(filtered.get()), filter.get());
  return for_each_piece(filtered.get(), f);
}

Status append_text(BlobWriter& to, GMimePart* part) {
  const char* charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
  TextDecoder decoder(charset ? charset : "");
  std::string text;
  Status done = for_each_decoded(part, [&](std::string_view piece) {
    text.clear();
    decoder.put(piece, text);
    return to.append(text);
  });
  if (!done) return done;
  text.clear();
  decoder.finish(text);
  return to.append(text);
}

/// What comes behind the head, as text.
Result<Content> as_text_only(const Blob& raw) {
  TextDecoder decoder("");
  BlobWriter body;
  std::string piece(kPiece, '\0'), text, head;
  bool in_head = true;
  for (uint64_t at = 0; at < raw.size();) {
    auto got = raw.copy(at, std::as_writable_bytes(std::span(piece)));
    if (!got) return got.error();
    if (*got == 0) break;
    at += *got;
    std::string_view bytes = std::string_view(piece).substr(0, *got);
    if (in_head) {
      head += bytes;
      const auto end = end_of_head(head);
      if (!end && head.size() < kMostHead) continue;
      in_head = false;
      head.erase(0, end.value_or(0));
      bytes = head;
    }
    text.clear();
    decoder.put(bytes, text);
    if (Status done = body.append(text); !done) return done.error();
  }
  text.clear();
  decoder.finish(text);
  if (Status done = body.append(text); !done) return done.error();
  auto made = body.finish();
  if (!made) return made.error();
  return Content{std::move(*made), {}};
}

std::string_view base_name(std::string_view name) {
  const size_t slash = name.find_last_of("/\\");
  return slash == name.npos ? name : name.substr(slash + 1);
}

std::string ending_of(GMimeContentType* type) {
  constexpr std::pair<std::string_view, std::string_view> kEndings[] = {
      {"plain", "txt"}, {"jpeg", "jpg"}, {"calendar", "ics"}, {"pgp-signature", "asc"}, {"pgp-encrypted", "asc"}};
  const char* said = type ? g_mime_content_type_get_media_subtype(type) : nullptr;
  const std::string subtype = lower_ascii(said ? said : "");
  for (auto& [known, ending] : kEndings)
    if (subtype == known) return std::string(ending);
  const bool short_word = !subtype.empty() && subtype.size() <= 5 &&
                          std::all_of(subtype.begin(), subtype.end(), [](char c) { return isalnum(c) != 0; });
  return short_word ? subtype : "bin";
}

class Collector {
 public:
  Status visit(GMimeObject* part, int depth) {
    if (!part) return Unit{};
    if (GMIME_IS_MULTIPART(part)) {
      auto* parts = GMIME_MULTIPART(part);
      const int count = depth < kDeepest ? g_mime_multipart_get_count(parts) : 0;
      for (int i = 0; i < count; i++)
        if (Status done = visit(g_mime_multipart_get_part(parts, i), depth + 1); !done) return done;
      return Unit{};
    }
    leaves_++;
    if (GMIME_IS_MESSAGE_PART(part)) return attach_message(GMIME_MESSAGE_PART(part));
    if (!GMIME_IS_PART(part)) return Unit{};
    auto* leaf = GMIME_PART(part);
    GMimeContentType* type = g_mime_object_get_content_type(part);
    const char* disposition = g_mime_object_get_disposition(part);
    const bool shown = !g_mime_part_get_filename(leaf) && !(disposition && !strcasecmp(disposition, "attachment"));
    if (shown && (!type || g_mime_content_type_is_type(type, "text", "plain"))) {
      if (some_text_)
        if (Status done = body_.append("\n"); !done) return done;
      some_text_ = true;
      return append_text(body_, leaf);
    }
    if (shown && g_mime_content_type_is_type(type, "text", "html")) {
      html_.push_back(leaf);
      return Unit{};
    }
    return attach(leaf, fmt::format("part-{}.{}", leaves_, ending_of(type)));
  }

  Result<Content> finish() {
    for (GMimePart* part : html_) {
      Status done = some_text_ ? attach(part, "message.html") : append_text(body_, part);
      if (!done) return done.error();
    }
    auto body = body_.finish();
    if (!body) return body.error();
    content_.body = std::move(*body);
    return std::move(content_);
  }

 private:
  bool full() const { return content_.attachments.size() >= kMostAttachments; }

  Status attach(GMimePart* part, const std::string& otherwise) {
    if (full()) return Unit{};
    BlobWriter data = writer();
    if (Status done = for_each_decoded(part, [&](std::string_view piece) { return data.append(piece); }); !done)
      return done;
    const char* named = g_mime_part_get_filename(part);
    return add(named ? named : "", otherwise, data);
  }

  BlobWriter writer() const { return BlobWriter(spool_, in_memory_ < kMostSmall ? kSmall : 0); }

  Status attach_message(GMimeMessagePart* part) {
    GMimeMessage* message = g_mime_message_part_get_message(part);
    if (!message || full()) return Unit{};
    auto file = unlinked_file();
    if (!file) return file.error();
    const Ref<GMimeStream> out(g_mime_stream_fs_new(::fcntl(file->get(), F_DUPFD_CLOEXEC, 3)));
    if (g_mime_object_write_to_stream(GMIME_OBJECT(message), nullptr, out.get()) < 0 ||
        g_mime_stream_flush(out.get()) < 0)
      return err(EIO);
    BlobWriter data = writer();
    std::string piece(kPiece, '\0');
    for (uint64_t at = 0;;) {
      const auto n = pread_all(file->get(), std::as_writable_bytes(std::span(piece)), at);
      if (!n) return n.error();
      if (*n == 0) break;
      at += *n;
      if (Status done = data.append(std::string_view(piece).substr(0, *n)); !done) return done;
    }
    const char* named = g_mime_object_get_content_disposition_parameter(GMIME_OBJECT(part), "filename");
    if (!named) named = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "name");
    return add(named ? named : "", "message.eml", data);
  }

  Status add(std::string_view named, const std::string& otherwise, BlobWriter& data) {
    auto made = data.finish();
    if (!made) return made.error();
    in_memory_ += (*made)->weight();
    content_.attachments.push_back({names_.add(safe_name(base_name(named), otherwise)), std::move(*made)});
    return Unit{};
  }

  Content content_;
  BlobWriter body_;
  UniqueNames names_;
  const std::shared_ptr<Spool> spool_ = std::make_shared<Spool>();
  size_t in_memory_ = 0;          // bytes of attachments
  std::vector<GMimePart*> html_;  // of the message that is visited
  size_t leaves_ = 0;
  bool some_text_ = false;
};

}  // namespace

size_t Content::weight() const {
  size_t sum = sizeof *this + body->weight();
  for (auto& a : attachments) sum += sizeof a + a.name.capacity() + a.data->weight();
  return sum;
}

Result<Content> parse_message(const Blob& raw) {
  gmime::init();
  auto boundaries = count_boundaries(raw);
  if (!boundaries) return boundaries.error();
  if (*boundaries > kMostBoundaries) return as_text_only(raw);
  auto stream = stream_of(raw);
  if (!stream) return stream.error();
  const Ref<GMimeParser> parser(g_mime_parser_new_with_stream(stream->get()));
  const Ref<GMimeMessage> message(g_mime_parser_construct_message(parser.get(), nullptr));
  if (!message) return as_text_only(raw);
  Collector collector;
  if (Status done = collector.visit(g_mime_message_get_mime_part(message.get()), 0); !done) return done.error();
  return collector.finish();
}

}  // namespace isthmus::fs::mail
