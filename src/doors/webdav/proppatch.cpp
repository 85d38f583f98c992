#include "wire/dav/proppatch.h"

#include <algorithm>

#include "doors/webdav/errors.h"
#include "doors/webdav/live_props.h"

namespace isthmus::webdav {
namespace {

/// Live properties, as far as they may be set, and dead ones: all or none (RFC 4918 section 9.2).
struct Change {
  LiveProps::Change live;
  std::vector<DeadProp> dead;
  std::vector<DeadProp> dead_before;
};

void change_dead(Change& change, const dav::PropChange& wanted) {
  std::erase_if(change.dead, [&](const DeadProp& p) { return p.name == wanted.name; });
  if (!wanted.remove) change.dead.push_back({wanted.name, wanted.value, wanted.lang});
}

Status apply(Exchange& x, const Found& found, const Change& change) {
  const bool dead_change = change.dead != change.dead_before;
  if (dead_change)
    if (Status stored = x.site.props.store(x.files, found.node(), change.dead); !stored) return stored;
  Status done = LiveProps(x).apply(found.node(), change.live);
  if (!done && dead_change) (void)x.site.props.store(x.files, found.node(), change.dead_before);
  return done;
}

}  // namespace

Answer proppatch(Exchange& x, std::string_view body) {
  auto parsed = dav::parse_proppatch(body);
  if (const auto* error = std::get_if<dav::XmlError>(&parsed))
    return plain_answer(error->too_big ? 413 : 400, error->what);
  const auto& wanted = std::get<std::vector<dav::PropChange>>(parsed);
  auto turn = x.site.turns.take(path_text(x.names));  // two who change properties lose none of the other's
  auto found = x.files.find(x.names);
  if (!found)
    return plain_answer(status_of(found.error()) == 409 ? 404 : status_of(found.error()), text_of(found.error()));
  if (!found->exists()) return plain_answer(404);
  if (auto refused = x.preconditions(*found)) return std::move(*refused);
  if (auto refused = x.locked(x.names, Exchange::kItself)) return std::move(*refused);

  Change change;
  auto before = x.site.props.load(x.files, found->node());
  const bool dead = std::any_of(wanted.begin(), wanted.end(), [](auto& one) { return !LiveProps::find(one.name); });
  if (!before && dead) return plain_answer(status_of(before.error()), text_of(before.error()));
  if (before) change.dead_before = std::move(*before);
  change.dead = change.dead_before;
  std::vector<int> statuses;
  bool all = true;
  for (const dav::PropChange& one : wanted) {
    int status = 200;
    if (LiveProps::find(one.name))
      status = LiveProps::change(one, change.live, found->attr());
    else
      change_dead(change, one);
    all &= status == 200;
    statuses.push_back(status);
  }
  if (all) {
    if (Status done = apply(x, *found, change); !done) statuses.assign(wanted.size(), status_of(done.error()));
  } else {
    for (int& status : statuses)
      if (status == 200) status = 424;
  }

  Answer answer(207);
  dav::Multistatus to(answer.xml().body);
  to.begin();
  to.begin_response(x.href(x.names, found->is_dir()));
  std::vector<int> kinds = statuses;
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  for (int kind : kinds) {
    to.begin_propstat();
    for (size_t i = 0; i < wanted.size(); ++i)
      if (statuses[i] == kind) to.empty(wanted[i].name);
    to.end_propstat(kind, kind == 403 ? "cannot-modify-protected-property" : "");
  }
  to.end_response();
  to.end();
  return answer;
}

}  // namespace isthmus::webdav
