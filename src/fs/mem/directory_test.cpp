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

TEST(Directory, NamesOfEveryLength) {
  Directory d;
  Inode n;
  std::string zeros, letters;
  for (size_t i = 1; i <= 255; i++) {
    letters += static_cast<char>('a' + i % 26);
    zeros += static_cast<char>(1 + i % 2);
    d.add(letters, n);
    d.add(zeros, n);
  }
  for (size_t i = 1; i <= 255; i++) {
    ASSERT_EQ(d.find(letters.substr(0, i))->name(), letters.substr(0, i));
    ASSERT_EQ(d.find(zeros.substr(0, i))->name(), zeros.substr(0, i));
    ASSERT_EQ(d.find(letters.substr(0, i - 1) + "Z"), nullptr);
  }
}

// Removed but for every hundredth, in three orders: what is left is found, listed in order and packed.
TEST(Directory, FewOfMany) {
  constexpr size_t kMany = 30000;
  for (int order = 0; order < 3; order++) {
    Directory d;
    Inode n;
    auto name = [](size_t i) { return "name" + std::to_string(i); };
    for (size_t i = 0; i < kMany; i++) d.add(name(i), n);
    for (size_t k = 0; k < kMany; k++) {
      size_t i = order == 0 ? k : order == 1 ? kMany - 1 - k : k * 7919 % kMany;
      if (i % 100) d.remove(*d.find(name(i)));
    }
    ASSERT_EQ(d.size(), kMany / 100);
    Directory::Reader reader(d, 0);
    for (size_t i = 0; i < kMany; i += 100) {
      const Dirent* e = reader.next();
      ASSERT_TRUE(e);
      ASSERT_EQ(e->name(), name(i));
      ASSERT_EQ(d.find(name(i)), e);
      ASSERT_EQ(d.at(e->cookie), e);
      ASSERT_EQ(d.find(name(i + 1)), nullptr);
    }
    EXPECT_EQ(reader.next(), nullptr);
    for (size_t i = 0; i < kMany; i++)
      if (i % 100) d.add(name(i), n);
    for (size_t i = 0; i < kMany; i++) d.remove(*d.find(name(i)));
    EXPECT_EQ(d.size(), 0u);
    EXPECT_EQ(d.after(0), nullptr);
  }
}

}  // namespace
}  // namespace isthmus::fs::mem
