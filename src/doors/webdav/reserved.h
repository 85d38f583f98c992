#pragma once
#include "doors/webdav/exchange.h"

namespace isthmus::webdav {

/// The key of queries that are the door's own: no name of a file can look so, as the `?` of a name is escaped in every
/// URL. What else stands in a query is ignored.
constexpr std::string_view kReservedKey = "isthmus";

/// GET of a URL with such a query: the scripts and styles of the page, at the root; archives of a folder.
Answer get_reserved(Exchange& x, std::string_view value);

/// "status", and what its page asks for; none: it is something else. Whatever the path, as there is one for all.
std::optional<Answer> get_status(Exchange& x, std::string_view value);

/// Fields of what the door itself made for browsers. `policy`: Content-Security-Policy.
void page_safety(Answer& answer, std::string_view policy);

}  // namespace isthmus::webdav
