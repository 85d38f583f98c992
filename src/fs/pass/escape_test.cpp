// Somebody with access to the store swaps what is inside for links that lead outside while every operation runs.
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "fs/pass/pass_test.h"

namespace isthmus::fs::pass::test {

class Escape : public OnStores {
 protected:
  void SetUp() override {
    outside_ = f.dir + ".outside";
    std::filesystem::create_directory(outside_);
    put(outside_ + "/file", "outside");
    std::filesystem::create_directory(outside_ + "/sub");
    // inside: d and f; beside them links to the outside's of the same names.
    std::filesystem::create_directory(f.path("d"));
    put(f.path("d/file"), "inside");
    std::filesystem::create_directory(f.path("d/sub"));
    put(f.path("f"), "inside");
    std::filesystem::create_directory_symlink(outside_, f.path("d.evil"));
    std::filesystem::create_symlink(outside_ + "/file", f.path("f.evil"));
    before_ = snapshot();
  }
  void TearDown() override {
    EXPECT_EQ(snapshot(), before_) << "something outside has changed";
    std::error_code ec;
    std::filesystem::remove_all(outside_, ec);
  }
  static void put(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
  std::string snapshot() const {
    std::string s;
    auto add = [&](const std::string& path) {
      struct ::stat st {};
      ::lstat(path.c_str(), &st);
      char names[256];
      auto n = ::llistxattr(path.c_str(), names, sizeof names);
      s += path + " " + std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
           std::to_string(st.st_size) + " " + std::to_string(st.st_mtim.tv_nsec) + " " + std::to_string(st.st_nlink) +
           " " + std::to_string(n) + "\n";
    };
    add(outside_);
    std::map<std::string, int> sorted;
    for (auto& e : std::filesystem::directory_iterator(outside_)) sorted[e.path().string()] = 0;
    for (auto& [p, x] : sorted) add(p);
    return s;
  }
  /// Runs `step` while d and f are swapped with their evil twins as fast as it goes.
  template <class F>
  void under_attack(F step) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> swaps{0};
    std::thread attacker([&] {
      std::string d = f.path("d"), de = f.path("d.evil"), g = f.path("f"), ge = f.path("f.evil");
      while (!stop) {
        ::syscall(SYS_renameat2, AT_FDCWD, d.c_str(), AT_FDCWD, de.c_str(), RENAME_EXCHANGE);
        ::syscall(SYS_renameat2, AT_FDCWD, g.c_str(), AT_FDCWD, ge.c_str(), RENAME_EXCHANGE);
        swaps++;
      }
    });
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
    uint64_t steps = 0;
    while (std::chrono::steady_clock::now() < end || (swaps < 50 && steps < 100000)) {
      step();
      steps++;
    }
    stop = true;
    attacker.join();
    EXPECT_GT(swaps, 0u);
    // Whichever way round they are now: d is to be the directory and f the file. Then it works, whatever the attacker
    // let happen.
    for (std::string name : {"d", "f"})
      if (std::string path = f.path(name); std::filesystem::is_symlink(path))
        ::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, (path + ".evil").c_str(), RENAME_EXCHANGE);
    step();
  }
  /// The node of d or f at this moment; none when it is a link.
  NodeId now(std::string_view name) {
    auto e = f.look(kRoot, name);
    if (!e) return NodeId::none;
    if (S_ISLNK(e->attr.mode)) {
      auto t = f.run(op::Readlink{{}, e->node});
      EXPECT_TRUE(!t || t->starts_with(outside_));
      f.forget(e->node);
      return NodeId::none;
    }
    return e->node;
  }

  std::string outside_, before_;
};
INSTANTIATE_TEST_SUITE_P(Stores, Escape, kStores, where_name);

TEST_P(Escape, LookupAndRead) {
  int outside = 0, inside = 0;
  under_attack([&] {
    NodeId d = now("d");
    if (d == NodeId::none) return;
    if (auto e = f.look(d, "file")) {
      if (auto text = f.read(e->node, HandleId::none, 0, 20)) (*text == "inside" ? inside : outside)++;
      f.forget(e->node);
    }
    f.forget(d);
  });
  EXPECT_EQ(outside, 0);
  EXPECT_GT(inside, 0);
}

TEST_P(Escape, DataWithoutAHandle) {
  int outside = 0, inside = 0;
  under_attack([&] {
    NodeId n = now("f");
    if (n == NodeId::none) return;
    // The first opens it, while the name may be another's already; the others use what is open.
    for (int i = 0; i < 3; i++) {
      (void)!f.write(n, HandleId::none, 0, "inside").ok();
      if (auto text = f.read(n, HandleId::none, 0, 20)) (*text == "inside" ? inside : outside)++;
    }
    SetAttr s;
    s.mask = kSetSize;
    s.to.size = 6;
    (void)!f.set(n, s).ok();
    f.forget(n);
  });
  EXPECT_EQ(outside, 0);
  EXPECT_GT(inside, 0);
}

TEST_P(Escape, OpenAndCreate) {
  int outside = 0, inside = 0;
  under_attack([&] {
    if (auto c = f.make(kRoot, "f", 0644, O_RDWR | O_CREAT)) {
      if (auto text = f.read(c->entry.node, c->opened.handle, 0, 20)) (*text == "inside" ? inside : outside)++;
      (void)!f.write(c->entry.node, c->opened.handle, 0, "inside").ok();
      f.close(c->entry.node, c->opened.handle);
      f.forget(c->entry.node);
    }
    (void)!f.make(kRoot, "f", 0644, O_RDWR | O_CREAT | O_EXCL).ok();
    NodeId n = now("f");
    if (n == NodeId::none) return;
    if (auto o = f.open(n, O_RDWR | O_TRUNC)) {
      (void)!f.write(n, o->handle, 0, "inside").ok();
      f.close(n, o->handle);
    }
    f.forget(n);
  });
  EXPECT_EQ(outside, 0);
  EXPECT_GT(inside, 0);
}

TEST_P(Escape, MakeAndRemove) {
  under_attack([&] {
    NodeId d = now("d");
    if (d == NodeId::none) return;
    if (auto e = f.mkdir(d, "new")) f.forget(e->node);
    (void)!f.rmdir(d, "new").ok();
    op::Mknod m;
    m.dir = d;
    m.name = "node";
    m.mode = S_IFIFO | 0600;
    if (auto e = f.run(m)) f.forget(e->node);
    op::Symlink s;
    s.dir = d;
    s.name = "link";
    s.target = "x";
    if (auto e = f.run(s)) f.forget(e->node);
    if (auto c = f.make(d, "file2")) {
      f.close(c->entry.node, c->opened.handle);
      if (auto l = f.run(op::Link{{}, c->entry.node, d, "file3"})) f.forget(l->node);
      f.forget(c->entry.node);
    }
    op::Tmpfile t;
    t.dir = d;
    t.flags = O_RDWR;
    if (auto c = f.run(t)) {
      f.close(c->entry.node, c->opened.handle);
      f.forget(c->entry.node);
    }
    (void)!f.rename(d, "file2", d, "file4").ok();
    for (const char* name : {"node", "link", "file2", "file3", "file4"}) (void)!f.unlink(d, name).ok();
    f.forget(d);
  });
}

TEST_P(Escape, ChangeAttributes) {
  under_attack([&] {
    for (const char* name : {"d", "f"}) {
      auto e = f.look(kRoot, name);  // the link itself too
      if (!e) continue;
      SetAttr s;
      s.mask = kSetMode | kSetMtime | kSetUid | (S_ISREG(e->attr.mode) ? uint32_t{kSetSize} : 0u);
      s.to.mode = 0755;
      s.to.uid = ::geteuid();
      s.to.size = 6;
      (void)!f.set(e->node, s).ok();
      s.mask = kSetMtime;
      (void)!f.set(e->node, s).ok();
      op::SetXattr x;
      x.node = e->node;
      x.name = ::geteuid() == 0 ? "trusted.k" : "user.k";
      (void)!f.run(x).ok();
      (void)!f.run(op::RemoveXattr{{}, e->node, x.name}).ok();
      (void)!f.run(op::ListXattr{{}, e->node}).ok();
      (void)!f.run(op::Access{{}, e->node, R_OK}).ok();
      (void)!f.run(op::Statfs{{}, e->node}).ok();
      f.forget(e->node);
    }
  });
}

TEST_P(Escape, ListDirectories) {
  put(outside_ + "/only-outside", "");
  before_ = snapshot();
  bool seen = false;
  under_attack([&] {
    NodeId d = now("d");
    if (d == NodeId::none) return;
    if (auto o = f.run(op::OpenDir{{}, d, 0})) {
      Names n;
      op::ReadDir r;
      r.node = d;
      r.handle = o->handle;
      r.sink = &n;
      r.with_attr = true;
      if (f.run(r)) seen |= n.got.contains("only-outside");
      for (auto& [name, item] : n.got)
        if (item.node != NodeId::none) f.forget(item.node);
      EXPECT_TRUE(f.run(op::ReleaseDir{{}, d, o->handle}));
    }
    f.forget(d);
  });
  EXPECT_FALSE(seen);
}

TEST_P(Escape, RenameAcross) {
  under_attack([&] {
    NodeId d = now("d");
    if (d == NodeId::none) return;
    (void)!f.rename(d, "file", kRoot, "moved").ok();
    (void)!f.rename(kRoot, "moved", d, "file").ok();
    (void)!f.rename(d, "sub", d, "sub2", RENAME_NOREPLACE).ok();
    (void)!f.rename(d, "sub2", d, "sub").ok();
    f.forget(d);
  });
}

TEST_P(Escape, ForgedExportHandles) {
  auto e = f.look(kRoot, "f");
  ASSERT_TRUE(e);
  auto h = f.run(op::NodeToExport{{}, e->node});
  if (!h && h.code() == EOPNOTSUPP) GTEST_SKIP() << "no kernel handles here";
  ASSERT_TRUE(h);
  auto back = f.run(op::ExportToNode{{}, *h});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->node, e->node);
  // The same, but of the file outside, which a client may guess.
  auto look = look_at(AT_FDCWD, (outside_ + "/file").c_str(), true);
  auto parent = look_at(AT_FDCWD, outside_.c_str(), true);
  auto mine = look_at(AT_FDCWD, f.path("f").c_str(), true);
  ASSERT_TRUE(look && parent && mine);
  auto bytes = [](ExportHandle& x) { return std::span(x.bytes.data(), x.size); };
  auto forge = [&](const std::string& from, const std::string& to) {
    ExportHandle x = *h;
    std::string text(as_text(Bytes(bytes(x))));
    for (size_t at; (at = text.find(from)) != text.npos;) text.replace(at, from.size(), to);
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), x.size, x.bytes.begin());
    return x;
  };
  auto root = look_at(AT_FDCWD, f.dir.c_str(), true);
  EXPECT_EQ(f.run(op::ExportToNode{{}, forge(mine->handle.bytes, look->handle.bytes)}).code(), ESTALE);
  auto both = forge(mine->handle.bytes, look->handle.bytes);
  std::string text(as_text(both.view()));
  if (auto at = text.find(root->handle.bytes); at != text.npos) {
    text.replace(at, root->handle.bytes.size(), parent->handle.bytes);
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), both.size, both.bytes.begin());
    EXPECT_EQ(f.run(op::ExportToNode{{}, both}).code(), ESTALE);
  }
  EXPECT_EQ(f.run(op::ExportToNode{{}, forge(mine->handle.bytes, parent->handle.bytes)}).code(), ESTALE);
  for (uint8_t cut = 0; cut < h->size; cut++) {
    ExportHandle x = *h;
    x.size = cut;
    EXPECT_EQ(f.run(op::ExportToNode{{}, x}).code(), ESTALE);
  }
}

TEST_P(Escape, ExportHandlesOutliveRestarts) {
  auto d = f.look(kRoot, "d");
  auto e = f.look(d->node, "file");
  auto hd = f.run(op::NodeToExport{{}, d->node});
  if (!hd) GTEST_SKIP() << "no kernel handles here";
  auto hf = f.run(op::NodeToExport{{}, e->node});
  ASSERT_TRUE(hf);
  uint64_t generation = e->generation;
  f.begin(options());
  auto file = f.run(op::ExportToNode{{}, *hf});
  ASSERT_TRUE(file) << file.code();
  EXPECT_EQ(file->generation, generation);
  EXPECT_EQ(*f.read(file->node, HandleId::none, 0, 20), "inside");
  auto dir = f.run(op::ExportToNode{{}, *hd});
  ASSERT_TRUE(dir);
  EXPECT_EQ(f.look(dir->node, "file")->node, file->node);
  f.forget(file->node, 2);
  std::filesystem::remove(f.path("d/file"));
  EXPECT_EQ(f.run(op::ExportToNode{{}, *hf}).code(), ESTALE);
  put(f.path("d/file"), "again");
}

}  // namespace isthmus::fs::pass::test
