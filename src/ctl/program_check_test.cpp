#include "ctl/program_check.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "ctl/libraries.h"
#include "ctl/script.h"
#include "wire/elf/image_sample.h"

namespace isthmus::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string interpreter(std::string_view text) {
  auto line = read_script_line(as_bytes(text));
  return line ? line->interpreter + " " + line->program : "none";
}

TEST(Script, FirstLine) {
  EXPECT_EQ(interpreter("#!/bin/sh\necho"), "/bin/sh /bin/sh");
  EXPECT_EQ(interpreter("#! /bin/sh -e"), "/bin/sh /bin/sh");
  EXPECT_EQ(interpreter("#!/usr/bin/env python3\n"), "/usr/bin/env python3");
  EXPECT_EQ(interpreter("#!/usr/bin/env -S A=b python3 -u\n"), "/usr/bin/env python3");
  EXPECT_EQ(interpreter("#!\n/bin/sh"), "none");
  EXPECT_EQ(interpreter("#!"), "none");
  EXPECT_EQ(interpreter("# !/bin/sh"), "none");
  EXPECT_EQ(interpreter(""), "none");
  EXPECT_EQ(interpreter(std::string("#!/bin/\0sh", 10)), "none");
  EXPECT_EQ(interpreter("#!/" + std::string(5000, 'x')).size(), 2 * 254u + 1);
}

TEST(Script, Python) {
  EXPECT_TRUE(is_python("/usr/bin/python3"));
  EXPECT_TRUE(is_python("python3.11"));
  EXPECT_FALSE(is_python("/usr/bin/pythonx"));
  EXPECT_FALSE(is_python("/python3/perl"));
}

class Programs : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    ASSERT_EQ(system(("rm -r " + folder_).c_str()), 0);
  }
  std::string put(const std::string& name, std::string_view text, mode_t mode = 0755) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string put(const std::string& name, const wire::elf::Sample& s) { return put(name, as_text(s.bytes)); }
  /// Verdict and reason.
  std::string check(const std::string& path) {
    auto c = check_program(path, folder_);
    return c ? std::to_string(static_cast<int>(c->verdict)) + " " + c->why : c.problem().what;
  }

  std::string folder_ = "/tmp/isthmus_programs_XXXXXX";
  const std::string path_ = getenv("PATH") ? getenv("PATH") : "";
};

TEST_F(Programs, FoundAsExecvpDoes) {
  std::string there = put("there", "x"), refused = put("refused", "x", 0644);
  setenv("PATH", ("/nonexistent:" + folder_).c_str(), 1);
  ASSERT_TRUE(resolve_program("there"));
  EXPECT_EQ(*resolve_program("there"), there);
  EXPECT_EQ(*resolve_program(there), there);
  EXPECT_EQ(resolve_program("refused").problem().code, err(EACCES));
  EXPECT_EQ(resolve_program(refused).problem().code, err(EACCES));
  EXPECT_EQ(resolve_program("absent").problem().code, err(ENOENT));
  EXPECT_EQ(resolve_program("").problem().code, err(ENOENT));
  EXPECT_EQ(resolve_program(folder_).problem().code, err(EACCES));
}

TEST_F(Programs, OurLibraries) {
  for (auto* name :
       {"libfuse3.so", "libfuse3.so.3", "libfuse3.so.3.14.0", "libfuse.so.2", "libother.so.1", "pkgconfig"})
    put(name, "");
  EXPECT_THAT(our_sonames(folder_), ElementsAre("libfuse.so.2", "libfuse3.so.3"));
}

TEST_F(Programs, LibrariesByTheirOrder) {
  wire::elf::Sample sample = wire::elf::SampleMaker().make();
  ElfFile by{put("program", sample), sample.bytes, *wire::elf::read_image(sample.bytes)};
  EXPECT_THAT(LibrarySearch::expand("$ORIGIN/lib:/a:${ORIGIN}:/$LIB", by),
              ElementsAre(folder_ + "/lib", "/a", folder_));
  LibrarySearch search(folder_ + "/first");
  EXPECT_FALSE(search.find("libx.so", {}, by));
  for (auto* folder : {"first", "lib", "rpath"}) {
    mkdir((folder_ + "/" + folder).c_str(), 0755);
    put(std::string(folder) + "/libother.so", "of no machine");
  }
  put("lib/libx.so", sample);
  EXPECT_EQ(search.find("libx.so", {}, by), folder_ + "/lib/libx.so");  // by RUNPATH
  put("first/libx.so", sample);
  EXPECT_EQ(search.find("libx.so", {}, by), folder_ + "/first/libx.so");
  put("rpath/libx.so", sample);
  EXPECT_EQ(search.find("libx.so", {folder_ + "/rpath"}, by), folder_ + "/rpath/libx.so");
  EXPECT_FALSE(search.find("libother.so", {}, by));
  EXPECT_TRUE(search.find("libc.so.6", {}, by));
}

TEST_F(Programs, Verdicts) {
  wire::elf::Sample sample = wire::elf::SampleMaker().make();
  EXPECT_THAT(check(put("program", sample)), HasSubstr("2 wants the dynamic linker /lib/ld.so"));
  EXPECT_THAT(check(put("text", "hello")), HasSubstr("neither a program (ELF) nor a script"));
  EXPECT_THAT(check(put("cut", as_text(sample.bytes).substr(0, 500))), HasSubstr("is cut off"));
  EXPECT_THAT(check(put("shell", "#!/bin/sh\n")), HasSubstr("1 is a script"));
  EXPECT_THAT(check(put("lost", "#!/nonexistent/sh\n")), HasSubstr("2 is a script whose interpreter cannot be run"));
  EXPECT_THAT(check(put("loop", "#!" + folder_ + "/loop\n")), HasSubstr("Too many levels"));
  EXPECT_THAT(check(folder_), HasSubstr("not a regular file"));
  EXPECT_THAT(check("/proc/self/exe"), HasSubstr("1 loads no libfuse"));
  sample.segment(0).p_type = PT_NULL;
  sample.tag(DT_RUNPATH) = {DT_FLAGS_1, {DF_1_PIE}};
  EXPECT_THAT(check(put("static", sample)), HasSubstr("3 is a static program"));
  sample.header().e_machine = EM_S390;
  EXPECT_THAT(check(put("foreign", sample)), HasSubstr("3 is for another machine"));
}

}  // namespace
}  // namespace isthmus::ctl
