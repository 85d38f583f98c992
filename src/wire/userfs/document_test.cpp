// docs/userfs-wire.md lists every packet, with the bytes of one of each kind: its part between the marks is written
// from the description that the code is made of. ISTHMUS_WRITE_DOCUMENT=1 writes it anew; what changes there is a
// change of the protocol.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "wire/userfs/test_samples.h"

namespace isthmus::wire::userfs {
namespace {

constexpr std::string_view kBegin = "<!-- packets: written by the test of src/wire/userfs -->\n",
                           kEnd = "<!-- end of packets -->\n";

template <class T>
std::string type_of();
template <class T>
std::string type_of(const std::vector<T>*) {
  return "array of " + type_of<T>();
}
#define NAMED(T, text)       \
  template <>                \
  std::string type_of<T>() { \
    return text;             \
  }
NAMED(uint32_t, "u32")
NAMED(int32_t, "i32")
NAMED(uint64_t, "u64")
NAMED(int64_t, "i64")
NAMED(std::string_view, "string")
NAMED(Name, "name")
NAMED(Bytes, "blob")
NAMED(Stamp, "stamp")
NAMED(Attr, "attr")
NAMED(Entry, "entry")
NAMED(Opened, "opened")
NAMED(Lock, "lock")
NAMED(DirEntry, "dirent")
NAMED(DirEntryPlus, "direntplus")
NAMED(Label, "label")
NAMED(Given, "given")
NAMED(NewsItem, "newsitem")
NAMED(Stream, "stream")
NAMED(Cred, "cred")
#undef NAMED

/// A codec that writes a table's rows.
class Rows {
 public:
  explicit Rows(std::string& to) : to_(to) {}
  template <class T>
  void operator()(std::string_view name, const T&, std::string_view meaning = {}) {
    row(name, type_of<T>(), meaning);
  }
  template <class T>
  void operator()(std::string_view name, const std::vector<T>& v, std::string_view meaning = {}) {
    row(name, type_of(&v), meaning);
  }
  bool any = false;

 private:
  void row(std::string_view name, const std::string& type, std::string_view meaning) {
    if (!std::exchange(any, true)) to_ += "\n| field | type | |\n|---|---|---|\n";
    to_ += fmt::format("| {} | {} | {} |\n", name, type, meaning);
  }
  std::string& to_;
};

template <class B>
std::string table() {
  std::string to;
  Rows rows(to);
  const B b;
  B::fields(rows, b);
  return rows.any ? to : " nothing.\n";
}

template <class B>
std::string shared_type() {
  return fmt::format("**{}**:\n{}\n", type_of<B>(), table<B>());
}

template <class Request, class Reply>
std::string chapter(Opcode op, std::string_view what, std::string_view otherwise) {
  std::string to = fmt::format("### {} {}\n\nWhat it does: {}. After ENOSYS: {}.\n\n", static_cast<uint32_t>(op),
                               name_of(op), what, otherwise);
  to += "Request:" + table<Request>() + "\nReply:" + table<Reply>();
  to += fmt::format("\n```\nrequest {}\nreply   {}\n```\n\n", hex(sample_packet<Request>(op, PacketType::request)),
                    hex(sample_packet<Reply>(op, PacketType::reply)));
  return to;
}

std::string packets() {
  std::string to = "\n## Types of several packets\n\n";
  to += shared_type<Cred>() + shared_type<Stamp>() + shared_type<Attr>() + shared_type<Entry>() +
        shared_type<Opened>() + shared_type<Lock>() + shared_type<DirEntry>() + shared_type<DirEntryPlus>() +
        shared_type<Label>() + shared_type<Given>() + shared_type<Stream>() + shared_type<NewsItem>();
  to += "## Operations\n\n";
#define X(number, name, Request, Reply, what, otherwise) to += chapter<Request, Reply>(Opcode::name, what, otherwise);
#include "wire/userfs/packets.def"
#undef X
  return to;
}

TEST(Document, ListsEveryPacketAsItIs) {
  std::ifstream file(USERFS_DOCUMENT);
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::string written = text.substr(begin + kBegin.size(), end - begin - kBegin.size());
  if (getenv("ISTHMUS_WRITE_DOCUMENT")) {
    std::ofstream(USERFS_DOCUMENT) << text.substr(0, begin + kBegin.size()) << packets() << text.substr(end);
    return;
  }
  EXPECT_EQ(written, packets()) << "ISTHMUS_WRITE_DOCUMENT=1 writes it anew";
}

}  // namespace
}  // namespace isthmus::wire::userfs
