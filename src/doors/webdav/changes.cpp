#include <sys/stat.h>

#include "doors/webdav/errors.h"
#include "doors/webdav/tree.h"

namespace isthmus::webdav {

Answer make_collection(Exchange& x, std::string_view body) {
  if (!body.empty()) return plain_answer(415, "a collection is made without a body");
  auto found = x.files.find(x.names, false);
  if (!found) {
    const int status = status_of(found.error());
    return plain_answer(status == 404 ? 409 : status, text_of(found.error()));
  }
  if (auto refused = x.preconditions(*found)) return std::move(*refused);
  if (found->exists()) return plain_answer(405, "the name is taken");
  if (auto refused = x.locked(x.names, Exchange::kItself | Exchange::kMember)) return std::move(*refused);
  auto made = x.files.call(op::Mkdir{{}, found->parent(), found->name(), S_IFDIR | 0777});
  if (!made) return plain_answer(status_of(made.error()), text_of(made.error()));
  x.files.forget(made->node);
  return Answer(201);
}

Answer remove(Exchange& x, std::string_view) {
  if (x.names.empty()) return plain_answer(403, "the root stays");
  if (x.request.target.find('#') != std::string_view::npos) return plain_answer(400, "a fragment in the path");
  auto turn = x.site.turns.take(path_text(x.names));  // what fulfils the conditions is what goes
  auto found = x.files.find(x.names, false);
  if (!found)
    return plain_answer(status_of(found.error()) == 409 ? 404 : status_of(found.error()), text_of(found.error()));
  if (auto refused = x.preconditions(*found)) return std::move(*refused);
  if (!found->exists()) return plain_answer(404);
  if (found->is_dir() && x.request.has("Depth") && !http::same_token(x.request.field("Depth"), "infinity"))
    return plain_answer(400, "a collection goes with all that is in it");
  if (auto refused = x.locked(x.names, Exchange::kItself | Exchange::kMember | Exchange::kBelow))
    return std::move(*refused);
  std::vector<Failure> failures;
  if (found->is_dir()) turn = {};  // a tree may take long
  remove_tree(x, x.names, found->parent(), found->name(), found->is_dir(), failures);
  if (failures.empty()) {
    x.site.locks.removed(path_text(x.names));
    return Answer(204);
  }
  if (failures.size() == 1 && failures[0].names == x.names) return plain_answer(failures[0].status);
  return failures_answer(x, failures);
}

}  // namespace isthmus::webdav
