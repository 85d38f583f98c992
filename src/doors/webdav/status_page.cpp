#include <fmt/format.h>

#include "doors/common/secret.h"
#include "doors/webdav/reserved.h"
#include "wire/dav/escape.h"

namespace isthmus::webdav {
namespace {

Answer sent(Exchange& x, std::string_view type, std::string text, std::string_view policy) {
  Answer answer(200);
  answer.field("Content-Type", type).field("Cache-Control", "no-store");
  page_safety(answer, policy);
  if (x.only_head)
    answer.length = text.size();
  else
    answer.body = std::move(text);
  return answer;
}

/// Everything on it is fetched by its script.
Answer page(Exchange& x) {
  const std::string nonce = random_secret();
  std::string root;
  dav::append_attribute(root, x.href({}, true));
  std::string text = fmt::format(
      "<!DOCTYPE html><html lang=\"en\" data-root=\"{0}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><link "
      "rel=\"icon\" href=\"data:,\"><title>Status</title><link rel=\"stylesheet\" nonce=\"{1}\" "
      "href=\"{0}?{2}=page.css\"><script defer nonce=\"{1}\" src=\"{0}?{2}=status.js\"></script></head><body>"
      "<p><a href=\"{0}\">Files</a></p><p>Figures without scripts: <a href=\"{0}?{2}=metrics\">as text</a>, "
      "<a href=\"{0}?{2}=commands\">commands that mount it</a>.</p></body></html>",
      root, nonce, kReservedKey);
  return sent(x, "text/html; charset=utf-8", std::move(text),
              fmt::format("default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:; "
                          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                          nonce));
}

}  // namespace

std::optional<Answer> get_status(Exchange& x, std::string_view value) {
  constexpr std::string_view kNothing = "default-src 'none'";
  if (!x.site.options.status) return std::nullopt;
  const StatusSource& source = *x.site.options.status;
  if (value == "status") return page(x);
  if (value == "status.json") return sent(x, "application/json", source.json(), kNothing);
  if (value == "metrics") return sent(x, "text/plain; version=0.0.4; charset=utf-8", source.figures(), kNothing);
  if (value == "commands") return sent(x, "text/plain; charset=utf-8", source.commands(), kNothing);
  return std::nullopt;
}

}  // namespace isthmus::webdav
