#include "wire/elf/image.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "wire/elf/image_sample.h"

namespace isthmus::wire::elf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string names(const std::vector<Import>& imports) {
  std::string s;
  for (auto& i : imports)
    s += std::string(i.name) + "@" + std::string(i.version) + " of " + std::string(i.library) +
         (i.weak ? " weak\n" : "\n");
  return s;
}
std::string names(const std::vector<Export>& exports) {
  std::string s;
  for (auto& e : exports) s += std::string(e.name) + "@" + std::string(e.version) + "\n";
  return s;
}
std::string why(const Sample& s) {
  auto image = read_image(s.bytes);
  return image ? "" : image.problem().what;
}
std::vector<std::byte> contents(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  Bytes b = as_bytes(text);
  return {b.begin(), b.end()};
}

TEST(ElfImage, Sample) {
  Sample s = SampleMaker().make();
  auto i = read_image(s.bytes);
  ASSERT_TRUE(i) << i.problem().what;
  EXPECT_TRUE(i->program);
  EXPECT_EQ(i->interpreter, "/lib/ld.so");
  EXPECT_EQ(i->soname, "own.so");
  EXPECT_EQ(i->runpath, "$ORIGIN/lib");
  EXPECT_THAT(i->needed, ElementsAre("libfuse3.so.3", "libc.so.6"));
  EXPECT_THAT(i->defined_versions, ElementsAre("OWN_1"));
  ASSERT_EQ(i->needed_versions.size(), 1u);
  EXPECT_EQ(i->needed_versions[0].version, "FUSE_3.0");
  EXPECT_EQ(names(i->imports), "fuse_main@FUSE_3.0 of libfuse3.so.3\nopen@ of  weak\n");
  EXPECT_EQ(names(i->exports), "mine@OWN_1\ntheirs@\n");
}

TEST(ElfImage, ThisTest) {
  auto bytes = contents("/proc/self/exe");
  auto i = read_image(bytes);
  ASSERT_TRUE(i) << i.problem().what;
  EXPECT_TRUE(i->program);
  EXPECT_THAT(std::string(i->interpreter), HasSubstr("ld-linux"));
  EXPECT_THAT(i->needed, testing::Contains("libc.so.6"));
  EXPECT_THAT(names(i->imports), HasSubstr("@GLIBC_2."));
}

TEST(ElfImage, CutAnywhereIsRefused) {
  Sample s = SampleMaker().make();
  while (!s.bytes.empty()) {
    s.bytes.pop_back();
    // Exact memory: a sanitizer sees what is read beyond.
    std::vector<std::byte> cut(s.bytes);
    EXPECT_FALSE(read_image(cut)) << "cut to " << cut.size() << " bytes";
  }
}

TEST(ElfImage, AnyByteWrongIsHarmless) {
  const Sample s = SampleMaker().make();
  for (size_t i = 0; i < s.bytes.size(); i++)
    for (int value : {0x00, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> bytes(s.bytes);
      bytes[i] = static_cast<std::byte>(value);
      static_cast<void>(read_image(bytes));
    }
}

TEST(ElfImage, DamageIsNamed) {
  auto damaged = [](auto damage) {
    Sample s = SampleMaker().make();
    damage(s);
    return why(s);
  };
  EXPECT_EQ(damaged([](Sample&) {}), "");
  EXPECT_THAT(damaged([](Sample& s) { s.bytes[0] = {}; }), HasSubstr("no ELF file"));
  EXPECT_THAT(damaged([](Sample& s) { s.header().e_ident[EI_CLASS] = ELFCLASS32; }), HasSubstr("64-bit"));
  EXPECT_THAT(damaged([](Sample& s) { s.header().e_type = ET_CORE; }), HasSubstr("neither a program"));
  EXPECT_THAT(damaged([](Sample& s) { s.header().e_phoff = UINT64_MAX - 8; }), HasSubstr("program headers"));
  EXPECT_THAT(damaged([](Sample& s) { s.segment(0).p_filesz--; }), HasSubstr("has no end"));
  EXPECT_THAT(damaged([](Sample& s) { s.segment(1).p_filesz++; }), HasSubstr("segments"));
  EXPECT_THAT(damaged([](Sample& s) { s.segment(2).p_offset = s.bytes.size(); }), HasSubstr("dynamic section"));
  EXPECT_THAT(damaged([](Sample& s) { s.tag(DT_NULL).d_tag = DT_DEBUG; }), HasSubstr("has no end"));
  EXPECT_THAT(damaged([](Sample& s) { s.tag(DT_STRSZ).d_un.d_val = UINT64_MAX; }), HasSubstr("strings"));
  EXPECT_THAT(damaged([](Sample& s) { s.tag(DT_STRSZ).d_un.d_val = 3; }), HasSubstr("a name lies outside"));
  EXPECT_THAT(damaged([](Sample& s) { s.tag(DT_RELASZ).d_un.d_val = UINT64_MAX; }), HasSubstr("relocations"));
  EXPECT_THAT(damaged([](Sample& s) { s.tag(DT_SYMTAB).d_un.d_val = 1 << 30; }), HasSubstr("symbols"));
  EXPECT_THAT(damaged([](Sample& s) { s.as<Elf64_Rela>(s.rela).r_info = ELF64_R_INFO(uint64_t{1} << 31, 1); }),
              HasSubstr("a symbol lies outside"));
  EXPECT_THAT(damaged([](Sample& s) { s.as<Elf64_Verneed>(s.verneed).vn_aux = 1 << 30; }),
              HasSubstr("needed versions"));
  EXPECT_THAT(damaged([](Sample& s) { s.as<uint32_t>(s.gnu_hash) = UINT32_MAX; }), HasSubstr("hash table"));
  EXPECT_THAT(damaged([](Sample& s) { s.as<uint32_t>(s.gnu_hash + 24) = 2; }), HasSubstr("does not hold"));
  EXPECT_THAT(damaged([](Sample& s) { s.as<uint32_t>(s.gnu_hash + 24) = 1 << 30; }), HasSubstr("hash table"));
}

TEST(ElfImage, OverlappingTablesAreRefused) {
  // Every version leads to the next byte; every bucket to the same chain.
  Sample s = SampleMaker().make();
  auto& need = s.as<Elf64_Verneed>(s.verneed);
  need.vn_next = 1;
  s.tag(DT_VERNEEDNUM).d_un.d_val = UINT64_MAX;
  EXPECT_NE(why(s), "");
}

TEST(ElfMachine, OfOthers) {
  Sample s = SampleMaker().make();
  EXPECT_EQ(*read_machine(s.bytes), (Machine{ELFCLASS64, ELFDATA2LSB, EM_X86_64}));
  s.header().e_ident[EI_DATA] = ELFDATA2MSB;
  s.header().e_machine = EM_S390 << 8;
  EXPECT_EQ(*read_machine(s.bytes), (Machine{ELFCLASS64, ELFDATA2MSB, EM_S390}));
  EXPECT_FALSE(read_machine(as_bytes("#!/bin/sh")));
  EXPECT_FALSE(read_machine(as_bytes("\177ELF")));
}

}  // namespace
}  // namespace isthmus::wire::elf
