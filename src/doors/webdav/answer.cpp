#include "doors/webdav/answer.h"

#include <fmt/format.h>

#include "wire/http/response.h"

namespace isthmus::webdav {

Answer& Answer::field(std::string_view name, std::string_view value) {
  fields += name;
  fields += ": ";
  fields += value.substr(0, value.find_first_of(std::string_view("\r\n\0", 3)));
  fields += "\r\n";
  return *this;
}

Answer& Answer::xml() { return field("Content-Type", "application/xml; charset=utf-8"); }

Answer plain_answer(int status, std::string_view text) {
  Answer answer(status);
  if (status < 400) return answer;
  answer.field("Content-Type", "text/plain; charset=utf-8");
  answer.body = fmt::format("{} {}{}{}\n", status, http::reason_of(status), text.empty() ? "" : ": ", text);
  return answer;
}

}  // namespace isthmus::webdav
