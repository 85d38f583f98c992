#include <linux/fs.h>
#include <sys/stat.h>

#include "base/log.h"
#include "doors/webdav/errors.h"
#include "doors/webdav/replace.h"
#include "doors/webdav/tree.h"
#include "wire/dav/headers.h"

namespace isthmus::webdav {
namespace {

bool begins_with(const Names& names, const Names& with) {
  return with.size() <= names.size() && std::equal(with.begin(), with.end(), names.begin());
}

/// What both methods want to know of their two ends.
struct Ends {
  Found from, to;
  Names to_names;
  bool overwrite = true;
};

std::optional<Answer> find_ends(Exchange& x, Ends& ends, bool follow_from) {
  if (x.request.count("Destination") != 1) return plain_answer(400, "one Destination is wanted");
  const std::string_view destination = x.request.field("Destination");
  auto where = dav::parse_destination(destination);
  if (!where) return plain_answer(400, "Destination is malformed");
  if (!where->authority.empty() && !x.site.guard.is_our_host(where->authority))
    return plain_answer(502, "another server");
  auto path = x.site.guard.path_of(destination);
  if (!path) return plain_answer(403, "Destination leads out of here");
  auto names = x.from_client(*path);
  if (!names) return plain_answer(403, "no file can have such a name");
  ends.to_names = std::move(*names);
  auto overwrite =
      dav::parse_overwrite(x.request.has("Overwrite") ? std::optional(x.request.field("Overwrite")) : std::nullopt);
  if (!overwrite) return plain_answer(400, "Overwrite is T or F");
  ends.overwrite = *overwrite;

  auto from = x.files.find(x.names, follow_from);
  if (!from) return plain_answer(status_of(from.error()) == 409 ? 404 : status_of(from.error()), text_of(from.error()));
  ends.from = std::move(*from);
  if (auto refused = x.preconditions(ends.from)) return refused;
  if (!ends.from.exists()) return plain_answer(404);
  auto to = x.files.find(ends.to_names, false);
  if (!to) {
    const int status = status_of(to.error());
    return plain_answer(status == 404 ? 409 : status, text_of(to.error()));
  }
  ends.to = std::move(*to);
  if (ends.to_names.empty() || ends.to.is_root()) return plain_answer(403, "the root stays");
  if (ends.to_names == x.names ||
      (ends.to.exists() && ends.to.node() == ends.from.node() && ends.to.name() == ends.from.name()))
    return plain_answer(403, "both ends are one");
  if (begins_with(x.names, ends.to_names)) return plain_answer(409, "the destination holds the source");
  if (ends.to.exists() && !ends.overwrite) return plain_answer(412, "the destination exists");
  return std::nullopt;
}

/// What the destination was, now `name` in `dir`.
void remove_old(Exchange& x, const Ends& ends, NodeId dir, const std::string& name) {
  std::vector<Failure> failures;
  remove_tree(x, ends.to_names, dir, name, ends.to.is_dir(), failures);
  if (!failures.empty())
    log(LogLevel::warning, "what '{}' was before could not be removed whole; the rest is in '{}'", ends.to.name(),
        name);
}

/// Puts `from` (a name in `from_dir`) where `to` is. The two change places where the file system can do that in one
/// step; elsewhere what was there is set aside first, and comes back if that fails.
Status put_in_place(Exchange& x, NodeId from_dir, const std::string& from, const Ends& ends) {
  const Found& to = ends.to;
  auto rename = [&](NodeId dir, const std::string& name, NodeId to_dir, const std::string& to_name) {
    // What has come there since we looked may go only if the client says so.
    return rename_to(x.files, dir, name, to_dir, to_name, !ends.overwrite);
  };
  // One file takes the place of another in one step.
  if (!to.exists() || (!to.is_dir() && !ends.from.is_dir())) return rename(from_dir, from, to.parent(), to.name());
  const std::string aside = temporary_name();
  if (x.files.call(op::Rename{{}, from_dir, from, to.parent(), to.name(), RENAME_EXCHANGE})) {
    const bool hidden = rename(from_dir, from, from_dir, aside).ok();
    remove_old(x, ends, from_dir, hidden ? aside : from);
    return Unit{};
  }
  if (Status moved = rename(to.parent(), to.name(), to.parent(), aside); !moved) return moved;
  if (Status moved = rename(from_dir, from, to.parent(), to.name()); !moved) {
    if (Status back = rename(to.parent(), aside, to.parent(), to.name()); !back)
      log(LogLevel::error, "'{}' could not be replaced ({}) nor put back ({}); it is in '{}' beside it", to.name(),
          text_of(moved.error()), text_of(back.error()), aside);
    return moved;
  }
  remove_old(x, ends, to.parent(), aside);
  return Unit{};
}

Answer copied_answer(const Ends& ends) { return Answer(ends.to.exists() ? 204 : 201); }

Answer not_placed(const Ends& ends, Errno e) {
  if (!ends.overwrite && e == err(EEXIST)) return plain_answer(412, "the destination exists");
  return plain_answer(status_of(e), text_of(e));
}

/// Copies under a temporary name, so that the destination is there whole or not at all.
Answer copy_to(Exchange& x, const Ends& ends, Copying how) {
  const std::string temporary = temporary_name();
  std::vector<Failure> failures;
  copy_tree(x, x.names, ends.from, ends.to.parent(), temporary, how, failures);
  Status placed = Unit{};
  if (failures.empty()) placed = put_in_place(x, ends.to.parent(), temporary, ends);
  if (failures.empty() && placed) return copied_answer(ends);
  std::vector<Failure> left;
  remove_tree(x, ends.to_names, ends.to.parent(), temporary, ends.from.is_dir(), left);
  if (failures.empty()) return not_placed(ends, placed.error());
  if (failures.size() == 1 && failures[0].names == x.names) return plain_answer(failures[0].status);
  return failures_answer(x, failures);
}

}  // namespace

Answer copy(Exchange& x, std::string_view) {
  Ends ends;
  if (auto refused = find_ends(x, ends, true)) return std::move(*refused);
  const dav::Depth depth =
      dav::parse_depth(x.request.has("Depth") ? std::optional(x.request.field("Depth")) : std::nullopt);
  if (depth == dav::Depth::one || depth == dav::Depth::bad) return plain_answer(400, "Depth is 0 or infinity");
  const bool deep = depth != dav::Depth::zero;
  if (deep && ends.from.is_dir() && begins_with(ends.to_names, x.names))
    return plain_answer(403, "a tree cannot hold itself");
  if (auto refused = x.locked(ends.to_names, ends.to.exists() ? Exchange::kItself | Exchange::kBelow
                                                              : Exchange::kItself | Exchange::kMember))
    return std::move(*refused);
  return copy_to(x, ends, deep ? Copying::tree : Copying::node);
}

Answer move(Exchange& x, std::string_view) {
  if (x.names.empty()) return plain_answer(403, "the root stays");
  Ends ends;
  if (auto refused = find_ends(x, ends, false)) return std::move(*refused);
  const dav::Depth depth =
      dav::parse_depth(x.request.has("Depth") ? std::optional(x.request.field("Depth")) : std::nullopt);
  if (ends.from.is_dir() && depth != dav::Depth::absent && depth != dav::Depth::infinity)
    return plain_answer(400, "a collection moves with all that is in it");
  if (ends.from.is_dir() && begins_with(ends.to_names, x.names)) return plain_answer(403, "a tree cannot hold itself");
  if (auto refused = x.locked(x.names, Exchange::kItself | Exchange::kMember | Exchange::kBelow))
    return std::move(*refused);
  if (auto refused = x.locked(ends.to_names, ends.to.exists() ? Exchange::kItself | Exchange::kBelow
                                                              : Exchange::kItself | Exchange::kMember))
    return std::move(*refused);

  Status moved = put_in_place(x, ends.from.parent(), ends.from.name(), ends);
  if (!moved && moved.error() == err(EXDEV)) {
    Answer copied = copy_to(x, ends, Copying::move);
    if (copied.status != 201 && copied.status != 204) return copied;
    // Its name, too, is on the disk before the source goes.
    if (Status kept = sync_dir(x, ends.to.parent()); !kept)
      return plain_answer(status_of(kept.error()), text_of(kept.error()));
    std::vector<Failure> failures;
    remove_tree(x, x.names, ends.from.parent(), ends.from.name(), ends.from.is_dir(), failures);
    x.site.locks.removed(path_text(x.names));
    return failures.empty() ? std::move(copied) : failures_answer(x, failures);
  }
  if (!moved) return not_placed(ends, moved.error());
  x.site.locks.removed(path_text(x.names));
  return copied_answer(ends);
}

}  // namespace isthmus::webdav
