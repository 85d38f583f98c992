#include "ctl/elf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

namespace isthmus::ctl {
namespace {

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Elf, ThisProgram) {
  auto needs = elf_needs(read_file("/proc/self/exe"));
  ASSERT_TRUE(needs);
  EXPECT_TRUE(needs->dynamic);
  EXPECT_NE(std::find(needs->libraries.begin(), needs->libraries.end(), "libc.so.6"), needs->libraries.end());
  auto of_libc = std::find_if(needs->symbols.begin(), needs->symbols.end(),
                              [](auto& s) { return s.library == "libc.so.6" && s.name == "memcpy"; });
  ASSERT_NE(of_libc, needs->symbols.end());
  EXPECT_EQ(of_libc->version.substr(0, 6), "GLIBC_");
}

TEST(Elf, WhatIsNone) {
  EXPECT_EQ(elf_needs("").code(), ENOEXEC);
  EXPECT_EQ(elf_needs("#!/bin/sh\n").code(), ENOEXEC);
}

TEST(Elf, BrokenFilesEnd) {
  std::string good = read_file("/proc/self/exe");
  good.resize(std::min(good.size(), size_t{1} << 20));
  std::mt19937 random(1);
  for (int i = 0; i < 300; i++) {
    std::string bad = good.substr(0, i % 3 ? good.size() : random() % good.size());
    for (int k = 0; k < 8 && !bad.empty(); k++)
      bad[random() % std::min<size_t>(bad.size(), 4096)] = static_cast<char>(random());
    static_cast<void>(elf_needs(bad));
  }
}

}  // namespace
}  // namespace isthmus::ctl
