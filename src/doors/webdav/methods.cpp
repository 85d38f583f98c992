#include <array>

#include "doors/webdav/errors.h"
#include "doors/webdav/exchange.h"
#include "doors/webdav/reserved.h"
#include "wire/dav/xml_error.h"
#include "wire/http/uri.h"

namespace isthmus::webdav {
namespace {

struct MethodName {
  std::string_view name;
  Answer (*run)(Exchange&, std::string_view body);  // null: PUT, whose body is not kept
  bool changes;
};
constexpr auto kMethods = std::to_array<MethodName>({
    {"OPTIONS", options, false},
    {"GET", get, false},
    {"HEAD", get, false},
    {"PROPFIND", propfind, false},
    {"PUT", nullptr, true},
    {"DELETE", remove, true},
    {"MKCOL", make_collection, true},
    {"COPY", copy, true},
    {"MOVE", move, true},
    {"PROPPATCH", proppatch, true},
    {"LOCK", lock, true},
    {"UNLOCK", unlock, true},
});

/// A method that sees its body whole.
class Whole final : public Method {
 public:
  Whole(Exchange& x, const MethodName& row) : x_(x), row_(row) {}

  std::optional<Answer> begin() override {
    if (row_.changes && x_.site.read_only) return plain_answer(403, "the file system is read-only");
    if (!x_.names_ok) return plain_answer(row_.changes ? 403 : 404, "no file can have such a name");
    if (x_.request.content_length.value_or(0) > dav::kMaxBody) return plain_answer(413);
    return std::nullopt;
  }
  std::optional<Answer> body(Bytes part) override {
    if (text_.size() + part.size() > dav::kMaxBody) return plain_answer(413);
    text_ += as_text(part);
    return std::nullopt;
  }
  Answer end() override { return row_.run(x_, text_); }

 private:
  Exchange& x_;
  const MethodName& row_;
  std::string text_;
};

}  // namespace

std::unique_ptr<Method> make_method(Exchange& x) {
  if (auto reserved = http::query_value(x.request.target, kReservedKey)) {
    if (auto upload = make_upload_method(x, *reserved)) return upload;
    // A change that is meant for something of the door's must not come to a file whose path is the same.
    if (x.request.method != "GET" && !x.only_head)
      return std::make_unique<Refusal>(plain_answer(405, "such a URL is only read"));
  }
  for (const MethodName& row : kMethods) {
    if (row.name != x.request.method) continue;
    if (!row.run) return make_put(x);
    return std::make_unique<Whole>(x, row);
  }
  return nullptr;
}

std::span<const std::string_view> method_names() {
  static const auto names = [] {
    std::array<std::string_view, kMethods.size() + 1> all;
    for (size_t i = 0; i < kMethods.size(); i++) all[i] = kMethods[i].name;
    all.back() = "PATCH";  // of uploads only
    return all;
  }();
  return names;
}

std::string allowed_methods(const Site& site) {
  std::string allow;
  for (const MethodName& row : kMethods) {
    if (row.changes && site.read_only) continue;
    if (!allow.empty()) allow += ", ";
    allow += row.name;
  }
  return allow;
}

Answer options(Exchange& x, std::string_view) {
  Answer answer(200);
  answer.field("DAV", "1, 2, 3").field("MS-Author-Via", "DAV").field("Accept-Ranges", "bytes");
  answer.field("Allow", allowed_methods(x.site));
  return answer;
}

}  // namespace isthmus::webdav
