#include "ctl/fusetest_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <map>
#include <thread>

namespace isthmus::ctl {
namespace {

std::string pattern(size_t n) {
  std::string s;
  for (size_t i = 0; s.size() < n; i++) s += fmt::format("{}.", i);
  s.resize(n);
  return s;
}

// ---- what any file system has ----

void missing_names(Bench& b) {
  Bench::want(!b.exists("isthmus-no-such-name"), "a name that nobody made exists");
  Bench::want(!b.exists(std::string(255, 'x')), "a long name that nobody made exists");
  auto e = b.call(op::Lookup{{}, b.folder(), std::string(256, 'x')});
  Bench::want(!e || e->node == NodeId::none, "a name of 256 bytes exists");
}

void root_is_a_folder(Bench& b) {
  const Attr a = b.attr(NodeId::root);
  Bench::want(S_ISDIR(a.mode), "the root is no directory");
  Bench::want(a.nlink > 0, "the root has no links");
}

void listing_and_lookup_agree(Bench& b) {
  const auto names = b.list(NodeId::root);
  std::map<std::string, int> times;
  for (auto& n : names) times[n.name]++;
  for (auto& [name, n] : times) Bench::want(n == 1, fmt::format("{} is listed {} times", name, n));
  size_t looked = 0;
  for (auto& n : names) {
    if (looked++ == 50) break;
    auto e = b.call(op::Lookup{{}, NodeId::root, n.name});
    Bench::want(e && e->node != NodeId::none, fmt::format("{} is listed and not found", n.name));
  }
}

void listed_nodes_are_those_looked_up(Bench& b) {
  size_t listed = 0;
  for (auto& n : b.list(NodeId::root, true)) {
    if (n.node == NodeId::none || listed++ == 50) continue;
    auto e = b.call(op::Lookup{{}, NodeId::root, n.name});
    Bench::want(e && e->node == n.node, fmt::format("{} is another node when looked up", n.name));
  }
  if (listed == 0) throw CheckSkipped{"it lists without attributes"};
}

void statfs_makes_sense(Bench& b) {
  const StatFs s = b.must("statfs", op::Statfs{});
  Bench::want(s.blocks_free <= s.blocks || s.blocks == 0, "more blocks are free than there are");
  Bench::want(s.blocks_available <= s.blocks_free || s.blocks == 0, "more blocks are available than free");
}

void many_at_once(Bench& b) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 16; i++)
    threads.emplace_back([&] {
      for (int j = 0; j < 50; j++) {
        if (!b.call(op::Getattr{{}, NodeId::root})) ++wrong;
        auto e = b.call(op::Lookup{{}, NodeId::root, "isthmus-no-such-name"});
        if (!e && e.code() != ENOENT) ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  Bench::want(wrong == 0, fmt::format("{} of 1600 requests at the same time failed", wrong.load()));
}

void a_cancelled_request_is_answered(Bench& b) {
  Cancel cancel;
  Context ctx;
  ctx.cancel = &cancel;
  cancel.request();
  auto e = b.call(op::Lookup{{}, NodeId::root, "isthmus-no-such-name"}, ctx);
  Bench::want(e || e.code() == EINTR || e.code() == ENOENT, "an interrupted lookup answers something else");
}

// ---- directories ----

void folders(Bench& b) {
  const NodeId d = b.make_folder("folder");
  Bench::want(S_ISDIR(b.attr(d).mode), "mkdir made no directory");
  b.must_fail("mkdir of a name that exists", EEXIST, op::Mkdir{{}, b.folder(), "folder", 0755});
  b.make_file("inside", "x", d);
  auto full = b.call(op::Rmdir{{}, b.folder(), "folder"});
  Bench::want(full.code() == ENOTEMPTY || full.code() == EEXIST, "rmdir of a directory that is not empty");
  b.unlink("inside", d);
  b.rmdir("folder");
  Bench::want(!b.exists("folder"), "a removed directory is still there");
}

void wrong_kinds(Bench& b) {
  b.make_file("file", "x");
  b.make_folder("folder");
  b.must_fail("rmdir of a file", ENOTDIR, op::Rmdir{{}, b.folder(), "file"});
  auto r = b.call(op::Unlink{{}, b.folder(), "folder"});
  Bench::want(r.code() == EISDIR || r.code() == EPERM, "unlink of a directory");
  b.must_fail("unlink of nothing", ENOENT, op::Unlink{{}, b.folder(), "nothing"});
  b.must_fail("rmdir of nothing", ENOENT, op::Rmdir{{}, b.folder(), "nothing"});
  b.unlink("file");
  b.rmdir("folder");
}

void deep_trees(Bench& b) {
  std::vector<NodeId> path{b.folder()};
  for (int i = 0; i < 30; i++) path.push_back(b.make_folder("d", path.back()));
  b.make_file("leaf", "deep", path.back());
  Bench::want(b.content(b.look("leaf", path.back())) == "deep", "a file 30 directories deep");
  b.unlink("leaf", path.back());
  for (size_t i = path.size(); i-- > 1;) b.rmdir("d", path[i - 1]);
}

void long_listings(Bench& b) {
  constexpr int kNames = 300;
  const NodeId d = b.make_folder("many");
  for (int i = 0; i < kNames; i++) b.make_file(fmt::format("name-{:04}", i), "", d);
  const auto names = b.list(d);
  std::map<std::string, int> times;
  for (auto& n : names) times[n.name]++;
  Bench::want(times.size() == kNames, fmt::format("{} of {} names are listed", times.size(), kNames));
  Bench::want(names.size() == kNames, "names are listed twice");
  // From any place: what is behind it.
  const auto rest = b.list(d, false, names[100].cookie);
  Bench::want(rest.size() == kNames - 101 && rest[0].name == names[101].name, "a listing goes on somewhere else");
  for (auto& n : names) b.unlink(n.name, d);
  Bench::want(b.list(d).empty(), "removed names are listed");
  b.rmdir("many");
}

void removal_while_listing(Bench& b) {
  const NodeId d = b.make_folder("shrinking");
  for (int i = 0; i < 150; i++) b.make_file(fmt::format("n{}", i), "", d);
  // A page at a time, as rm -r does it.
  size_t removed = 0;
  for (auto names = b.list(d); !names.empty(); names = b.list(d))
    for (auto& n : names) {
      b.unlink(n.name, d);
      Bench::want(++removed <= 150, "removed names come back");
    }
  Bench::want(removed == 150, "names are lost");
  b.rmdir("shrinking");
}

// ---- names ----

void names_of_any_bytes(Bench& b) {
  for (const std::string& name :
       {std::string(255, 'n'), std::string("blank and \n newline"), std::string("\xc3\xa4\xe2\x82\xac"),
        std::string("a:b|c*?<>\"\\"), std::string(" leading"), std::string("trailing.")}) {
    auto e = b.call(op::Create{{}, b.folder(), name, 0644, O_RDWR | O_EXCL});
    if (!e && (e.code() == EINVAL || e.code() == EILSEQ || e.code() == ENAMETOOLONG))
      throw CheckSkipped{"some names cannot be: " + std::string(text_of(e.error()))};
    if (!e) Bench::fail("create", e.error());
    b.release(e->entry.node, e->opened.handle);
    const auto names = b.list(b.folder());
    Bench::want(std::any_of(names.begin(), names.end(), [&](auto& n) { return n.name == name; }),
                "a name comes back as another one");
    b.unlink(name);
  }
}

void too_long_names(Bench& b) {
  auto e = b.call(op::Mkdir{{}, b.folder(), std::string(256, 'x'), 0755});
  if (e) {
    b.rmdir(std::string(256, 'x'));
    throw CheckFailed{"a name of 256 bytes was made; no program can use it"};
  }
  Bench::want(e.code() == ENAMETOOLONG || e.code() == EINVAL, "mkdir of a name of 256 bytes");
}

// ---- files ----

void read_back(Bench& b) {
  const NodeId n = b.make_file("file", "content");
  Bench::want(b.content(n) == "content", "what is read is not what was written");
  Bench::want(b.attr(n).size == 7, "the size is wrong");
  Bench::want(S_ISREG(b.attr(n).mode), "create made something else");
  b.unlink("file");
  Bench::want(!b.exists("file"), "a removed file is still there");
}

void large_files(Bench& b) {
  const std::string all = pattern(3'000'001);
  const NodeId n = b.make_file("large", all);
  Bench::want(b.content(n) == all, "3 MB come back otherwise");
  const HandleId h = b.open(n, O_RDONLY);
  for (const uint64_t at : {uint64_t{1}, uint64_t{4095}, uint64_t{131073}, uint64_t{2'999'990}})
    Bench::want(b.read(n, h, at, 4097) == all.substr(at, 4097), fmt::format("read at {}", at));
  Bench::want(b.read(n, h, all.size(), 10).empty(), "bytes behind the end");
  Bench::want(b.read(n, h, all.size() + 100'000, 10).empty(), "bytes far behind the end");
  b.release(n, h);
  b.unlink("large");
}

void writes_in_any_order(Bench& b) {
  const NodeId n = b.make_file("file", "");
  const HandleId h = b.open(n, O_RDWR);
  std::string want(50'000, '\0');
  uint64_t x = 12345;
  for (int i = 0; i < 100; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    const size_t at = (x >> 33) % 40'000, size = 1 + (x >> 20) % 5000;
    const std::string data(size, static_cast<char>('a' + i % 26));
    b.write(n, h, at, data);
    want.replace(at, size, data);
  }
  const size_t end = b.attr(n).size;
  want.resize(end);
  const std::string got = b.read(n, h, 0, 100'000);
  b.release(n, h);
  Bench::want(got == want, "writes over one another are mixed up");
  b.unlink("file");
}

void holes_are_zeros(Bench& b) {
  const NodeId n = b.make_file("sparse", "start");
  const HandleId h = b.open(n, O_RDWR);
  b.write(n, h, 100'000, "end");
  const std::string all = b.read(n, h, 0, 200'000);
  b.release(n, h);
  Bench::want(all == "start" + std::string(100'000 - 5, '\0') + "end", "what was not written is not zeros");
  b.unlink("sparse");
}

void truncation(Bench& b) {
  const NodeId n = b.make_file("file", "0123456789");
  op::Setattr a;
  a.node = n;
  a.set.mask = kSetSize;
  a.set.to.size = 4;
  Bench::want(b.must("truncate", a).attr.size == 4, "the size after truncating");
  Bench::want(b.content(n) == "0123", "what is left after truncating");
  a.set.to.size = 8;
  b.must("truncate to more", a);
  Bench::want(b.content(n) == std::string("0123\0\0\0\0", 8), "a file made longer has something else than zeros");
  b.release(n, b.open(n, O_WRONLY | O_TRUNC));
  Bench::want(b.attr(n).size == 0, "O_TRUNC leaves bytes");
  b.unlink("file");
}

void appending(Bench& b) {
  const NodeId n = b.make_file("file", "one");
  const HandleId h = b.open(n, O_WRONLY | O_APPEND);
  for (const std::string_view more : {"two", "three"}) {
    const Buffer buffer = Buffer::view(as_bytes(more));
    op::Write a;
    a.node = n;
    a.handle = h;
    a.data = &buffer;
    a.append = true;
    b.must("append", a);
  }
  b.release(n, h);
  Bench::want(b.content(n) == "onetwothree", "O_APPEND writes somewhere else");
  b.unlink("file");
}

void exclusive_creation(Bench& b) {
  b.make_file("file", "x");
  op::Create a;
  a.dir = b.folder();
  a.name = "file";
  a.mode = 0644;
  a.flags = O_RDWR | O_EXCL;
  b.must_fail("O_EXCL of a name that exists", EEXIST, a);
  a.flags = O_RDWR;
  const Created again = b.must("create of a name that exists", a);
  Bench::want(b.read(again.entry.node, again.opened.handle, 0, 10) == "x", "create without O_TRUNC loses the content");
  b.release(again.entry.node, again.opened.handle);
  b.unlink("file");
}

void unlinked_files_go_on(Bench& b) {
  const NodeId n = b.make_file("file", "still here");
  const HandleId h = b.open(n, O_RDWR);
  b.unlink("file");
  Bench::want(!b.exists("file"), "the name of an open file stays");
  b.write(n, h, 0, "STILL");
  Bench::want(b.read(n, h, 0, 100) == "STILL here", "an open file is lost with its name");
  b.release(n, h);
  for (auto& name : b.list(b.folder())) Bench::want(name.name.empty(), name.name + " is left behind");
}

void writers_at_once(Bench& b) {
  constexpr size_t kPart = 100'000;
  const NodeId n = b.make_file("file", "");
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (size_t i = 0; i < 4; i++)
    threads.emplace_back([&, i] {
      try {
        const HandleId h = b.open(n, O_WRONLY);
        for (size_t at = 0; at < kPart; at += 10'000)
          b.write(n, h, i * kPart + at, std::string(10'000, static_cast<char>('a' + i)));
        b.release(n, h);
      } catch (const CheckFailed&) {
        ++failed;
      } catch (const CheckSkipped&) {
        ++failed;
      }
    });
  for (auto& t : threads) t.join();
  Bench::want(failed == 0, "writers at the same time fail");
  std::string all;
  for (char c : {'a', 'b', 'c', 'd'}) all += std::string(kPart, c);
  Bench::want(b.content(n) == all, "writers at the same time are mixed up");
  b.unlink("file");
}

void syncing(Bench& b) {
  const NodeId n = b.make_file("file", "x");
  const HandleId h = b.open(n, O_RDWR);
  b.write(n, h, 0, "y");
  b.must("fsync", op::Fsync{{}, n, h, false});
  b.must("fdatasync", op::Fsync{{}, n, h, true});
  b.must("syncfs", op::Sync{});
  b.release(n, h);
  const HandleId d = b.must("opendir", op::OpenDir{{}, b.folder(), O_RDONLY}).handle;
  b.must("fsync of a directory", op::FsyncDir{{}, b.folder(), d, false});
  static_cast<void>(b.call(op::ReleaseDir{{}, b.folder(), d}));
  b.unlink("file");
}

// ---- names that move ----

void renames(Bench& b) {
  const NodeId n = b.make_file("old", "moved");
  b.must("rename", op::Rename{{}, b.folder(), "old", b.folder(), "new"});
  Bench::want(!b.exists("old"), "the old name stays");
  Bench::want(b.content(b.look("new")) == "moved", "the new name has something else");
  b.make_file("target", "replaced");
  b.must("rename over a file", op::Rename{{}, b.folder(), "new", b.folder(), "target"});
  Bench::want(b.content(b.look("target")) == "moved" && !b.exists("new"), "a replaced file");
  const NodeId d = b.make_folder("folder");
  b.must("rename into a directory", op::Rename{{}, b.folder(), "target", d, "inside"});
  Bench::want(b.content(b.look("inside", d)) == "moved", "a file moved into a directory");
  Bench::want(b.content(n) == "moved", "the node is lost by being renamed");
  b.must_fail("rename of nothing", ENOENT, op::Rename{{}, b.folder(), "nothing", b.folder(), "x"});
  b.unlink("inside", d);
  b.rmdir("folder");
}

void renamed_folders(Bench& b) {
  const NodeId d = b.make_folder("a");
  b.make_file("f", "x", d);
  b.must("rename of a directory", op::Rename{{}, b.folder(), "a", b.folder(), "b"});
  Bench::want(b.content(b.look("f", b.look("b"))) == "x", "what was in a renamed directory");
  b.make_folder("full");
  b.make_file("g", "x", b.look("full"));
  auto r = b.call(op::Rename{{}, b.folder(), "b", b.folder(), "full"});
  Bench::want(r.code() == ENOTEMPTY || r.code() == EEXIST, "rename over a directory that is not empty");
  b.unlink("f", b.look("b"));
  b.unlink("g", b.look("full"));
  b.must("rename over an empty directory", op::Rename{{}, b.folder(), "b", b.folder(), "full"});
  b.rmdir("full");
}

void rename_flags(Bench& b) {
  b.make_file("a", "A");
  b.make_file("b", "B");
  auto r = b.call(op::Rename{{}, b.folder(), "a", b.folder(), "b", RENAME_NOREPLACE});
  if (r.code() == EINVAL || is_unsupported(r ? Errno{} : r.error())) {
    b.unlink("a");
    b.unlink("b");
    throw CheckSkipped{"no flags of renameat2(2)"};
  }
  Bench::want(r.code() == EEXIST, "RENAME_NOREPLACE replaces");
  r = b.call(op::Rename{{}, b.folder(), "a", b.folder(), "b", RENAME_EXCHANGE});
  if (r) Bench::want(b.content(b.look("a")) == "B" && b.content(b.look("b")) == "A", "RENAME_EXCHANGE");
  b.unlink("a");
  b.unlink("b");
}

void hard_links(Bench& b) {
  const NodeId n = b.make_file("one", "linked");
  auto e = b.call(op::Link{{}, n, b.folder(), "two"});
  if (!e) {
    b.unlink("one");
    if (e.code() == EPERM || is_unsupported(e.error())) throw CheckSkipped{"no hard links"};
    Bench::fail("link", e.error());
  }
  Bench::want(b.attr(b.look("one")).nlink == 2, "a file with two names has not two links");
  b.unlink("one");
  Bench::want(b.content(b.look("two")) == "linked", "the other name's content");
  b.unlink("two");
}

void symbolic_links(Bench& b) {
  for (const std::string& target : {std::string("target"), std::string("../up/and/down"), std::string(1000, 't')}) {
    auto e = b.call(op::Symlink{{}, b.folder(), "link", target});
    if (!e && (e.code() == EPERM || is_unsupported(e.error()))) throw CheckSkipped{"no symbolic links"};
    if (!e && e.code() == ENAMETOOLONG) break;
    if (!e) Bench::fail("symlink", e.error());
    Bench::want(S_ISLNK(e->attr.mode), "symlink made something else");
    Bench::want(b.must("readlink", op::Readlink{{}, b.look("link")}) == target, "a link leads somewhere else");
    b.unlink("link");
  }
}

// ---- attributes ----

void modes(Bench& b) {
  const NodeId n = b.make_file("file", "x");
  op::Setattr a;
  a.node = n;
  a.set.mask = kSetMode;
  for (const uint32_t mode : {0600u, 0755u, 0444u, 0644u}) {
    a.set.to.mode = S_IFREG | mode;
    auto r = b.call(a);
    if (!r) {
      b.unlink("file");
      if (r.code() == EPERM) throw CheckSkipped{"modes cannot be changed"};
      Bench::fail("chmod", r.error());
    }
    if ((b.attr(n).mode & 0777) != mode) {
      b.unlink("file");
      throw CheckSkipped{"modes are fixed"};
    }
  }
  b.unlink("file");
}

void times(Bench& b) {
  const NodeId n = b.make_file("file", "x");
  op::Setattr a;
  a.node = n;
  a.set.mask = kSetAtime | kSetMtime;
  a.set.to.atime = {1'000'000'000, 0};
  a.set.to.mtime = {1'200'000'000, 0};
  auto r = b.call(a);
  if (!r) {
    b.unlink("file");
    if (r.code() == EPERM) throw CheckSkipped{"times cannot be set"};
    Bench::fail("utimens", r.error());
  }
  const int64_t got = b.attr(n).mtime.sec;
  const int64_t before = got;
  const HandleId h = b.open(n, O_WRONLY);
  b.write(n, h, 0, "y");
  b.release(n, h);
  const int64_t after = b.attr(n).mtime.sec;
  b.unlink("file");
  Bench::want(got == 1'200'000'000, fmt::format("the time set is {} s off", got - 1'200'000'000));
  Bench::want(after > before, "a write does not change the time");
}

void extended_attributes(Bench& b) {
  const NodeId n = b.make_file("file", "x");
  const std::string value("value\0with a NUL", 16);
  auto set = b.call(op::SetXattr{{}, n, "user.isthmus", as_bytes(value), XATTR_CREATE});
  if (!set) {
    b.unlink("file");
    if (is_unsupported(set.error()) || set.code() == EPERM) throw CheckSkipped{"no extended attributes"};
    Bench::fail("setxattr", set.error());
  }
  Bench::want(b.must("getxattr", op::GetXattr{{}, n, "user.isthmus"}) == value, "an attribute has another value");
  const auto names = b.must("listxattr", op::ListXattr{{}, n});
  Bench::want(std::find(names.begin(), names.end(), "user.isthmus") != names.end(), "an attribute is not listed");
  b.must_fail("XATTR_CREATE of one that exists", EEXIST,
              op::SetXattr{{}, n, "user.isthmus", as_bytes(value), XATTR_CREATE});
  b.must("removexattr", op::RemoveXattr{{}, n, "user.isthmus"});
  b.must_fail("getxattr of one that was removed", ENODATA, op::GetXattr{{}, n, "user.isthmus"});
  b.unlink("file");
}

void holes_are_found(Bench& b) {
  const NodeId n = b.make_file("file", "data");
  const HandleId h = b.open(n, O_RDONLY);
  Bench::want(b.must("lseek", op::SeekHole{{}, n, h, 0, SEEK_DATA}) == 0, "SEEK_DATA passes data");
  Bench::want(b.must("lseek", op::SeekHole{{}, n, h, 0, SEEK_HOLE}) == 4, "SEEK_HOLE finds one in the data");
  b.must_fail("SEEK_DATA at the end", ENXIO, op::SeekHole{{}, n, h, 4, SEEK_DATA});
  b.release(n, h);
  b.unlink("file");
}

void allocation(Bench& b) {
  const NodeId n = b.make_file("file", "data");
  const HandleId h = b.open(n, O_RDWR);
  auto r = b.call(op::Fallocate{{}, n, h, 0, 0, 10'000});
  if (r) Bench::want(b.attr(n).size == 10'000, "the size after fallocate");
  if (r) Bench::want(b.read(n, h, 0, 5) == std::string("data\0", 5), "fallocate changes data");
  b.release(n, h);
  b.unlink("file");
  if (!r) Bench::fail("fallocate", r.error());
}

void copies(Bench& b) {
  const std::string all = pattern(300'000);
  const NodeId from = b.make_file("from", all), to = b.make_file("to", "");
  const HandleId from_handle = b.open(from, O_RDONLY), to_handle = b.open(to, O_WRONLY);
  uint64_t done = 0;
  while (done < all.size()) {
    op::CopyRange a{{}, from, from_handle, done, to, to_handle, done, all.size() - done};
    const uint64_t n = b.must("copy_file_range", a);
    Bench::want(n > 0, "copy_file_range stops before the end");
    done += n;
  }
  b.release(from, from_handle);
  b.release(to, to_handle);
  Bench::want(b.content(to) == all, "a copy is not the same");
  b.unlink("from");
  b.unlink("to");
}

constexpr Check kChecks[] = {
    {"the root is a directory", false, root_is_a_folder},
    {"names that nobody made are not there", false, missing_names},
    {"what is listed is found, once", false, listing_and_lookup_agree},
    {"listings with attributes name the same nodes as lookups", false, listed_nodes_are_those_looked_up},
    {"statfs makes sense", false, statfs_makes_sense},
    {"many requests at the same time are answered", false, many_at_once},
    {"an interrupted request is answered", false, a_cancelled_request_is_answered},
    {"directories are made and removed", true, folders},
    {"operations on the wrong kind of file fail", true, wrong_kinds},
    {"trees may be deep", true, deep_trees},
    {"long listings have every name once, from any place", true, long_listings},
    {"what is removed between listings does not come back", true, removal_while_listing},
    {"names may have any bytes", true, names_of_any_bytes},
    {"names of 256 bytes are refused", true, too_long_names},
    {"a small file is read back", true, read_back},
    {"a large file is read back, in any piece", true, large_files},
    {"writes go where they are to go, in any order", true, writes_in_any_order},
    {"holes are read as zeros", true, holes_are_zeros},
    {"files are made shorter and longer", true, truncation},
    {"O_APPEND writes at the end", true, appending},
    {"O_EXCL makes new files only", true, exclusive_creation},
    {"an open file outlives its name", true, unlinked_files_go_on},
    {"several may write at the same time", true, writers_at_once},
    {"fsync and syncfs", true, syncing},
    {"files are renamed, and replace others", true, renames},
    {"directories are renamed with what is in them", true, renamed_folders},
    {"the flags of renameat2", true, rename_flags},
    {"hard links", true, hard_links},
    {"symbolic links", true, symbolic_links},
    {"modes are kept", true, modes},
    {"times are kept, and change with the content", true, times},
    {"extended attributes", true, extended_attributes},
    {"SEEK_DATA and SEEK_HOLE", true, holes_are_found},
    {"fallocate", true, allocation},
    {"copy_file_range", true, copies},
};

}  // namespace

std::span<const Check> posix_checks() { return kChecks; }

}  // namespace isthmus::ctl
