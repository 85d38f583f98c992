#include "doors/webdav/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "doors/webdav/errors.h"
#include "doors/webdav/replace.h"
#include "wire/dav/multistatus.h"

namespace isthmus::webdav {
namespace {

constexpr size_t kMostDepth = 256;  // of a tree, in names; each level takes stack

void fail(std::vector<Failure>& failures, const Names& names, bool directory, Errno e) {
  // One that is gone already is not in the way.
  if (e != err(ENOENT)) failures.push_back({names, directory, status_of(e)});
}

/// The file system does not answer: the thread must not wait for each file anew.
bool is_hung(const std::vector<Failure>& failures) {
  return !failures.empty() && failures.back().status == status_of(err(ETIMEDOUT));
}

/// Removes what is in a directory. The names are read before any goes, as some file systems lose their place otherwise.
void remove_members(Exchange& x, Names& names, NodeId dir, std::vector<Failure>& failures) {
  if (names.size() > kMostDepth) return fail(failures, names, true, err(ENAMETOOLONG));
  auto items = x.files.list(dir);
  if (!items) return fail(failures, names, true, items.error());
  for (const Files::Item& item : *items) {
    names.push_back(item.name);
    remove_tree(x, names, dir, item.name, item.type == DT_DIR, failures);
    names.pop_back();
    if (is_hung(failures)) return;
  }
}

Result<Entry> lookup(Exchange& x, NodeId dir, const std::string& name) {
  auto entry = x.files.call(op::Lookup{{}, dir, name});
  if (entry && entry->node == NodeId::none) return err(ENOENT);
  return entry;
}

/// Sets what the copy of a file shall have of its attributes. Where we may not, it is ours, and runs with nobody's
/// rights.
Status set_attributes(Exchange& x, const Attr& was, NodeId node, Copying how) {
  SetAttr set;
  set.to = was;
  set.to.mode &= 01777;
  if (how == Copying::move) {
    auto given = give_owner(x.files, node, HandleId::none, was);
    if (!given) return given.error();
    if (*given) set.to.mode = was.mode & 07777;
  }
  Status done = Unit{};
  // A link has no mode of its own.
  if (!S_ISLNK(was.mode)) {
    set.mask = kSetMode;
    if (auto changed = x.files.call(op::Setattr{{}, node, HandleId::none, set}); !changed) done = changed.error();
  }
  if (how == Copying::move) {
    set.mask = kSetAtime | kSetMtime;
    (void)x.files.call(op::Setattr{{}, node, HandleId::none, set});
  }
  return done;
}

Status copy_file(Exchange& x, const Attr& attr, NodeId from, NodeId to_dir, const std::string& to_name, Copying how) {
  auto source = x.files.open(from, O_RDONLY);
  if (!source) return source.error();
  auto made = x.files.call(op::Create{{}, to_dir, to_name, S_IFREG | (attr.mode & 0777), O_WRONLY | O_CREAT | O_EXCL});
  if (!made) return made.error();
  OpenFile target(x.files, made->entry.node, made->opened, false);
  Status copied = copy_content(x.files, *source, target);
  if (copied) copied = copy_xattrs(x, from, made->entry.node);
  // Its source goes: after a power failure there has to be one of the two.
  if (copied && how == Copying::move)
    copied = synced(x.files.call(op::Fsync{{}, made->entry.node, target.handle(), false}));
  Status closed = target.close();
  if (copied) copied = closed;
  if (copied && how == Copying::move) (void)set_attributes(x, attr, made->entry.node, how);
  if (!copied) (void)x.files.call(op::Unlink{{}, to_dir, to_name});
  x.files.forget(made->entry.node);
  return copied;
}

Status copy_other(Exchange& x, const Attr& attr, NodeId from, NodeId to_dir, const std::string& to_name, Copying how) {
  Result<Entry> made = err(EIO);
  if (S_ISLNK(attr.mode)) {
    auto target = x.files.call(op::Readlink{{}, from});
    if (!target) return target.error();
    made = x.files.call(op::Symlink{{}, to_dir, to_name, *target});
  } else {
    made = x.files.call(op::Mknod{{}, to_dir, to_name, attr.mode, attr.rdev});
  }
  if (!made) return made.error();
  if (how == Copying::move) (void)set_attributes(x, attr, made->node, how);
  x.files.forget(made->node);
  return Unit{};
}

void copy_node(Exchange& x, Names& names, NodeId from, const Attr& attr, NodeId to_dir, const std::string& to_name,
               Copying how, std::vector<Failure>& failures) {
  if (!S_ISDIR(attr.mode)) {
    Status done = (S_ISREG(attr.mode) ? copy_file : copy_other)(x, attr, from, to_dir, to_name, how);
    if (!done) fail(failures, names, false, done.error());
    return;
  }
  if (names.size() > kMostDepth) return fail(failures, names, true, err(ENAMETOOLONG));
  auto made = x.files.call(op::Mkdir{{}, to_dir, to_name, S_IFDIR | 0700});
  if (!made) return fail(failures, names, true, made.error());
  if (how != Copying::node) {
    auto items = x.files.list(from);
    if (!items) fail(failures, names, true, items.error());
    for (size_t i = 0; items && i < items->size() && !is_hung(failures); ++i) {
      const std::string& name = (*items)[i].name;
      if (is_temporary(name)) continue;
      names.push_back(name);
      if (auto entry = lookup(x, from, name)) {
        copy_node(x, names, entry->node, entry->attr, made->node, name, how, failures);
        x.files.forget(entry->node);
      } else {
        fail(failures, names, false, entry.error());
      }
      names.pop_back();
    }
  }
  if (Status copied = copy_xattrs(x, from, made->node); !copied) fail(failures, names, true, copied.error());
  if (Status set = set_attributes(x, attr, made->node, how); !set) fail(failures, names, true, set.error());
  if (how == Copying::move)
    if (Status kept = sync_dir(x, made->node); !kept) fail(failures, names, true, kept.error());
  x.files.forget(made->node);
}

}  // namespace

Status sync_dir(Exchange& x, NodeId dir) {
  auto opened = x.files.open_dir(dir);
  if (!opened) return opened.error();
  return synced(x.files.call(op::FsyncDir{{}, dir, opened->handle(), false}));
}

void remove_tree(Exchange& x, const Names& names, NodeId parent, const std::string& name, bool directory,
                 std::vector<Failure>& failures) {
  if (!directory) {
    Status done = x.files.call(op::Unlink{{}, parent, name});
    // Some file systems do not tell types with names; POSIX' word for directories is EPERM.
    if (!done && done.error() != err(EISDIR) && done.error() != err(EPERM))
      return fail(failures, names, false, done.error());
    if (done) return;
  }
  auto entry = lookup(x, parent, name);
  if (!entry) return fail(failures, names, true, entry.error());
  if (!S_ISDIR(entry->attr.mode)) {
    x.files.forget(entry->node);
    return fail(failures, names, false, err(directory ? ENOTDIR : EPERM));
  }
  const size_t before = failures.size();
  Names below = names;
  remove_members(x, below, entry->node, failures);
  x.files.forget(entry->node);
  if (failures.size() != before) return;
  if (Status done = x.files.call(op::Rmdir{{}, parent, name}); !done) fail(failures, names, true, done.error());
}

void copy_tree(Exchange& x, const Names& names, const Found& from, NodeId to_dir, const std::string& to_name,
               Copying how, std::vector<Failure>& failures) {
  Names report = names;
  copy_node(x, report, from.node(), from.attr(), to_dir, to_name, how, failures);
}

Answer failures_answer(Exchange& x, const std::vector<Failure>& failures) {
  Answer answer(207);
  dav::Multistatus status(answer.xml().body);
  status.begin();
  for (const Failure& f : failures) status.response_status(x.href(f.names, f.directory), f.status);
  status.end();
  return answer;
}

}  // namespace isthmus::webdav
