#include "fs/mem/directory.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "fs/mem/inode.h"

namespace isthmus::fs::mem {
namespace {

TEST(Directory, FindsAndRemoves) {
  Directory d;
  Inode a, b;
  d.add("a", a);
  d.add(std::string(255, 'x'), b);
  EXPECT_EQ(d.find("a")->node, &a);
  EXPECT_EQ(d.find(std::string(255, 'x'))->node, &b);
  EXPECT_EQ(d.find("b"), nullptr);
  d.remove(*d.find("a"));
  EXPECT_EQ(d.find("a"), nullptr);
  EXPECT_EQ(d.size(), 1u);
}

TEST(Directory, AgreesWithAModel) {
  std::mt19937 random(99);
  Directory d;
  Inode n;
  std::map<std::string, uint64_t> model;
  for (int i = 0; i < 30000; i++) {
    // Grows, then shrinks to nearly nothing, and again.
    bool grow = (i / 5000) % 2 == 0;
    std::string name = std::to_string(random() % 3000);
    if (random() % 4 == 0) grow = !grow;
    if (grow && !model.contains(name)) {
      model[name] = d.add(name, n).cookie;
    } else if (!grow && !model.empty()) {
      auto it = model.lower_bound(name);
      if (it == model.end()) it = model.begin();
      d.remove(*d.find(it->first));
      model.erase(it);
    }
    ASSERT_EQ(d.size(), model.size());
    ASSERT_EQ(d.find(name) != nullptr, model.contains(name));
    if (i % 1000) continue;
    std::map<std::string, uint64_t> listed;
    for (auto* e = d.after(0); e; e = d.after(e->cookie)) {
      listed[std::string(e->name())] = e->cookie;
      ASSERT_EQ(d.at(e->cookie), e);
    }
    ASSERT_EQ(listed, model);
  }
}

TEST(Directory, CookiesOutliveTheirNames) {
  Directory d;
  Inode n;
  for (char c = 'a'; c <= 'e'; c++) d.add(std::string(1, c), n);
  uint64_t b = d.find("b")->cookie;
  d.remove(*d.find("b"));
  EXPECT_EQ(d.after(b)->name(), "c");
  EXPECT_EQ(d.at(b), nullptr);
  d.remove(*d.find("e"));
  EXPECT_GT(d.add("f", n).cookie, b + 3);
}

}  // namespace
}  // namespace isthmus::fs::mem
