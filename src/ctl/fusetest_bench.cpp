#include <fcntl.h>
#include <fmt/format.h>

#include "ctl/fusetest_checks.h"

namespace isthmus::ctl {

void Bench::fail(std::string_view what, Errno e) {
  if (is_unsupported(e)) throw CheckSkipped{fmt::format("{}: {}", what, text_of(e))};
  throw CheckFailed{fmt::format("{}: {}", what, text_of(e))};
}

void Bench::wrong(std::string_view what, int wanted, int got) {
  auto name = [](int code) { return code == 0 ? std::string("success") : std::string(name_of(err(code))); };
  throw CheckFailed{fmt::format("{}: {}, {} was expected", what, name(got), name(wanted))};
}

NodeId Bench::make_folder(std::string_view name, NodeId in) {
  return must("mkdir", op::Mkdir{{}, in_or_folder(in), name, 0755}).node;
}

NodeId Bench::make_file(std::string_view name, std::string_view content, NodeId in) {
  op::Create a;
  a.dir = in_or_folder(in);
  a.name = name;
  a.mode = 0644;
  a.flags = O_RDWR | O_EXCL;
  const Created made = must("create", a);
  if (!content.empty()) write(made.entry.node, made.opened.handle, 0, content);
  release(made.entry.node, made.opened.handle);
  return made.entry.node;
}

NodeId Bench::look(std::string_view name, NodeId in) {
  auto e = call(op::Lookup{{}, in_or_folder(in), name});
  if (!e) fail(fmt::format("lookup of {}", name), e.error());
  want(e->node != NodeId::none, fmt::format("{} is not found", name));
  return e->node;
}

bool Bench::exists(std::string_view name, NodeId in) {
  auto e = call(op::Lookup{{}, in_or_folder(in), name});
  if (!e && e.code() != ENOENT) fail("lookup", e.error());
  return e && e->node != NodeId::none;
}

void Bench::unlink(std::string_view name, NodeId in) { must("unlink", op::Unlink{{}, in_or_folder(in), name}); }
void Bench::rmdir(std::string_view name, NodeId in) { must("rmdir", op::Rmdir{{}, in_or_folder(in), name}); }
Attr Bench::attr(NodeId node) { return must("getattr", op::Getattr{{}, node}).attr; }

HandleId Bench::open(NodeId node, uint32_t flags) {
  op::Open a;
  a.node = node;
  a.flags = flags;
  return must("open", a).handle;
}

/// As close(2) and the end of the open file do it.
void Bench::release(NodeId node, HandleId handle) {
  must("flush", op::Flush{{}, node, handle, 0});
  op::Release a;
  a.node = node;
  a.handle = handle;
  static_cast<void>(call(a));
}

void Bench::write(NodeId node, HandleId handle, uint64_t offset, std::string_view data) {
  const Buffer buffer = Buffer::view(as_bytes(data));
  op::Write a;
  a.node = node;
  a.handle = handle;
  a.offset = offset;
  a.data = &buffer;
  const size_t n = must("write", a);
  want(n == data.size(), fmt::format("write took {} bytes of {}", n, data.size()));
}

std::string Bench::read(NodeId node, HandleId handle, uint64_t offset, size_t size) {
  op::Read a;
  a.node = node;
  a.handle = handle;
  a.offset = offset;
  a.size = size;
  const Buffer got = must("read", a);
  std::string room;
  auto bytes = got.in_one_piece(room);
  if (!bytes) fail("read", bytes.error());
  return std::string(as_text(*bytes));
}

std::string Bench::content(NodeId node) {
  const HandleId handle = open(node, O_RDONLY);
  std::string all;
  for (std::string some; !(some = read(node, handle, all.size(), size_t{256} << 10)).empty();) all += some;
  release(node, handle);
  return all;
}

std::vector<Bench::Name> Bench::list(NodeId dir, bool with_attr, uint64_t from) {
  struct Sink final : DirSink {
    bool add(const DirEntry& e) override {
      if (++taken > 100) return false;
      last = e.cookie;
      if (e.name != "." && e.name != "..")
        names->push_back({std::string(e.name), e.cookie, e.with ? e.with->node : NodeId::none});
      return true;
    }
    std::vector<Name>* names = nullptr;
    size_t taken = 0;
    uint64_t last = 0;
  };
  const Opened opened = must("opendir", op::OpenDir{{}, dir, O_RDONLY});
  std::vector<Name> names;
  for (uint64_t cookie = from;;) {
    Sink sink;
    sink.names = &names;
    must("readdir", op::ReadDir{{}, dir, opened.handle, cookie, with_attr, {}, &sink});
    if (sink.taken == 0) break;
    want(names.size() < 100'000, "the listing has no end");
    cookie = sink.last;
  }
  static_cast<void>(call(op::ReleaseDir{{}, dir, opened.handle}));
  return names;
}

}  // namespace isthmus::ctl
