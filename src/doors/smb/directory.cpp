#include <sys/stat.h>

#include "base/utf16.h"
#include "doors/smb/apple.h"
#include "doors/smb/errors.h"
#include "doors/smb/facts.h"
#include "doors/smb/listing.h"
#include "doors/smb/logon.h"
#include "doors/smb/names.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "vfs/then.h"
#include "windows/names.h"
#include "windows/security.h"
#include "wire/smb2/directory_info.h"
#include "wire/smb2/query.h"

/// QUERY_DIRECTORY (MS-SMB2 section 3.3.5.18, MS-FSA section 2.1.5.6.3).
namespace isthmus::smb {
namespace {

using smb2::NtStatus;
using smb2::QueryDirectoryRequest;

constexpr size_t kAtOnce = 256;           // entries asked of the file system
constexpr size_t kLongestPattern = 4096;  // bytes; each entry is tried

struct ListingSink final : DirSink {
  explicit ListingSink(Listing& l) : listing(l) {}
  bool add(const DirEntry& e) override {
    if (taken == kAtOnce) return false;
    taken++;
    listing.cookie = e.cookie;
    if (e.name == "." || e.name == "..") return true;
    Listing::Item item;
    item.name = e.name;
    if (e.with && e.with->node != NodeId::none) {
      item.node = e.with->node;
      item.attr = e.with->attr;
    }
    listing.waiting.push_back(std::move(item));
    return true;
  }
  size_t room() const override { return (kAtOnce - taken) * 64; }
  Listing& listing;
  size_t taken = 0;
};

void give(Request& r, const Listing::Item& item) {
  if (item.node != NodeId::none && item.node != NodeId::root) forget(r.server.port, r.ctx, item.node);
}

/// Names that the file system has next. False: an error.
Status fill(Request& r, Open& open, Listing& l) {
  if (l.handle == HandleId::none) {
    op::OpenDir begin;
    begin.node = open.file->node;
    auto opened = r.call(begin);
    if (!opened) return opened.error();
    l.handle = opened->handle;
  }
  ListingSink sink(l);
  op::ReadDir read;
  read.node = open.file->node;
  read.handle = l.handle;
  read.cookie = l.cookie;
  read.with_attr = true;
  read.sink = &sink;
  const Status done = r.call(read);
  if (!done) return done;
  if (sink.taken == 0) l.at_end = true;
  return Unit{};
}

/// The attributes of "." and "..".
Result<Attr> dot_attr(Request& r, const Open& open, bool above) {
  NodeId node = open.file->node;
  if (above) {
    std::lock_guard lock(open.file->m);
    if (open.file->parent != NodeId::none) node = open.file->parent;
  }
  return r.attr_of(node);
}

/// Puts entries into `writer` until it is full or there are no more.
Status write_entries(Request& r, Open& open, Listing& l, smb2::DirectoryWriter& writer, smb2::FindClass class_of,
                     bool one) {
  static constexpr std::string_view kDots[] = {".", ".."};
  for (; l.dots < 2; l.dots++) {
    const std::string_view dot = kDots[l.dots];
    if (!l.pattern->matches(dot)) continue;
    auto attr = dot_attr(r, open, l.dots == 1);
    if (!attr) return attr.error();
    const auto facts = facts_of(r.server, *attr, smb2::kAttrDirectory);
    if (!writer.add(facts, as_bytes(client_name(dot, true)))) return Unit{};
    if (one) {
      l.dots++;
      return Unit{};
    }
  }
  const bool apple = r.session->apple_entries.load(std::memory_order_relaxed) && class_of == smb2::FindClass::id_both;
  const bool may_delete = apple && may_delete_in(r, open.file->node);
  smb2::AaplEntry more;
  std::string finder_info;
  while (true) {
    while (!l.waiting.empty()) {
      Listing::Item& item = l.waiting.front();
      const auto shown = [&] {
        return open.posix ? item.name : windows::to_client(item.name, windows::NameRules::sfm);
      };
      if (!l.pattern->is_all() && !l.pattern->matches(shown())) {
        give(r, item);
        l.waiting.pop_front();
        continue;
      }
      if (item.node == NodeId::none) {
        auto found = r.call(op::Lookup{{}, open.file->node, item.name});
        if (!found || found->node == NodeId::none) {  // gone meanwhile
          l.waiting.pop_front();
          continue;
        }
        item.node = found->node;
        item.attr = found->attr;
      }
      const auto facts = facts_of(r.server, item.attr, attributes_of(r, item.node, item.attr, item.name));
      if (apple) more = apple_entry(r, item.node, item.attr, may_delete, finder_info);
      if (!writer.add(facts, as_bytes(client_name(item.name, open.posix)), apple ? &more : nullptr)) return Unit{};
      give(r, item);
      l.waiting.pop_front();
      if (one) return Unit{};
    }
    if (l.at_end) return Unit{};
    if (const Status s = fill(r, open, l); !s) return s;
  }
}

}  // namespace

void end_listing(Server& server, Open& open) {
  if (!open.listing) return;
  const auto l = std::move(open.listing);
  for (const Listing::Item& item : l->waiting)
    if (item.node != NodeId::none && item.node != NodeId::root) forget(server.port, open.ctx, item.node);
  if (l->handle != HandleId::none)
    (void)call_and_wait(server.port, op::ReleaseDir{{}, open.file->node, l->handle}, open.ctx);
}

std::optional<Reply> query_directory(Request& r) {
  const auto m = r.read<QueryDirectoryRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  Open& open = *r.open;
  if (!open.file || !open.file->directory || open.stream) return Reply(NtStatus::invalid_parameter);
  if (!smb2::DirectoryWriter::knows(m->find_class)) return Reply(NtStatus::invalid_info_class);
  if (m->find_class == smb2::FindClass::posix && !open.posix) return Reply(NtStatus::invalid_info_class);
  if (m->max_output > most_io(r.link->agreed)) return Reply(NtStatus::invalid_parameter);
  if (!open.may(windows::kReadData)) return Reply(NtStatus::access_denied);
  const auto pattern = utf8_of(m->pattern);
  if (!pattern || pattern->size() > kLongestPattern) return Reply(NtStatus::object_name_invalid);

  std::lock_guard lock(open.listing_m);
  if (open.closed.load()) return Reply(NtStatus::file_closed);
  const bool again = m->flags & (QueryDirectoryRequest::kReopen | QueryDirectoryRequest::kRestartScans);
  if (again) end_listing(r.server, open);
  if (!open.listing) open.listing = std::make_unique<Listing>();
  Listing& l = *open.listing;
  if (!l.pattern) l.pattern.emplace(pattern->empty() ? "*" : *pattern, !open.posix && !r.server.options.case_sensitive);
  smb2::DirectoryWriter writer(m->find_class, m->max_output);
  // An error waits until what was listed before it has been told.
  if (const Status s =
          write_entries(r, open, l, writer, m->find_class, m->flags & QueryDirectoryRequest::kReturnSingleEntry);
      !s && writer.empty())
    return Reply(status_of(s.error()));
  if (writer.first_did_not_fit()) return Reply(NtStatus::info_length_mismatch);
  if (writer.empty()) return Reply(l.found_some ? NtStatus::no_more_files : NtStatus::no_such_file);
  l.found_some = true;
  const std::string entries = writer.finish();
  return Reply(smb2::DataResponse{as_bytes(entries)});
}

}  // namespace isthmus::smb
