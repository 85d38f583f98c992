#include "ctl/source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"
#include "ctl/registry.h"

namespace isthmus::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class SourceTest : public testing::Test {
 protected:
  SourceTest() {
    char name[] = "/tmp/isthmus-source-test-XXXXXX";
    folder = mkdtemp(name);
    file = folder + "/some file.zip";
    Fd made(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  }
  ~SourceTest() override { std::filesystem::remove_all(folder); }
  std::string why(std::string_view text) {
    auto s = parse_source(text);
    EXPECT_FALSE(s) << text;
    return s ? "" : s.problem().text();
  }
  std::string folder, file;
};

TEST_F(SourceTest, SchemesMayHaveAPlusInTheirNames) {
  auto fd = parse_source("trace+userfs+fd:3,4");
  ASSERT_TRUE(fd);
  EXPECT_THAT(fd->decorators, ElementsAre("trace"));
  EXPECT_EQ(fd->scheme, "userfs+fd");
  EXPECT_EQ(fd->path, "3,4");
  auto ssh = parse_source("userfs+ssh:user@host isthmus serve 'dir:/a b?ro' --userfs -");
  ASSERT_TRUE(ssh);
  EXPECT_EQ(ssh->scheme, "userfs+ssh");
  EXPECT_EQ(ssh->path, "user@host isthmus serve 'dir:/a b?ro' --userfs -");
  EXPECT_EQ(ssh->label(), "userfs+ssh:user@host");
  EXPECT_EQ(parse_source("userfs:./program secret")->label(), "userfs:./program");
  EXPECT_THAT(why("userfs+carrier-pigeon:x"), HasSubstr("userfs+carrier-pigeon:x"));
}

TEST_F(SourceTest, CommandsAreTakenAsTheyAreAndToldByTheirProgram) {
  auto run = parse_source("trace+run:sshfs -o password=50%? host:/a b");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->scheme, "run");
  EXPECT_EQ(run->path, "sshfs -o password=50%? host:/a b");
  EXPECT_TRUE(run->options.empty());
  EXPECT_EQ(run->label(), "trace+run:sshfs");
}

TEST_F(SourceTest, PathsAreTakenAsTheyAre) {
  auto dir = parse_source(folder);
  ASSERT_TRUE(dir);
  EXPECT_EQ(dir->scheme, "dir");
  EXPECT_EQ(dir->path, folder);
  EXPECT_EQ(dir->label(), folder);
  auto archive = parse_source(file);
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->scheme, "archive");
  std::string odd = folder + "/100%?a=b";
  ASSERT_TRUE(std::filesystem::create_directory(odd));
  EXPECT_EQ(parse_source(odd)->path, odd);
}

TEST_F(SourceTest, UrlsAreDecoded) {
  auto s = parse_source("archive:" + folder + "/some%20file.zip?charset=CP%34%33%37&a=b%26c&flag");
  ASSERT_TRUE(s) << s.problem().text();
  EXPECT_EQ(s->path, file);
  EXPECT_THAT(s->options, ElementsAre(Pair("charset", "CP437"), Pair("a", "b&c"), Pair("flag", "")));
  auto mem = parse_source("mem:?size=1g");
  ASSERT_TRUE(mem);
  EXPECT_EQ(mem->label(), "mem:");
  EXPECT_TRUE(parse_source("mem:"));
}

TEST_F(SourceTest, DecoratorsNest) {
  auto s = parse_source("trace+fault+mem:?fault.seed=1");
  ASSERT_TRUE(s);
  EXPECT_THAT(s->decorators, ElementsAre("trace", "fault"));
  EXPECT_EQ(s->label(), "trace+fault+mem:");
  auto path = parse_source("trace+" + folder + "?trace.format=json");
  ASSERT_TRUE(path) << path.problem().text();
  EXPECT_EQ(path->scheme, "dir");
  EXPECT_EQ(path->path, folder);
  EXPECT_THAT(why("trace+"), HasSubstr("trace+mem:"));
}

TEST_F(SourceTest, APathWithAColonIsAPathWhereItExists) {
  std::string odd = folder + "/x:y";
  ASSERT_TRUE(std::filesystem::create_directory(odd));
  ASSERT_EQ(chdir(folder.c_str()), 0);
  EXPECT_EQ(parse_source("x:y")->path, odd);
  EXPECT_EQ(parse_source("./x:y")->path, odd);
  ASSERT_EQ(chdir("/"), 0);
}

TEST_F(SourceTest, MistakesAreNamed) {
  EXPECT_THAT(why(""), HasSubstr("empty"));
  EXPECT_THAT(why("/no/such"), HasSubstr("'/no/such': No such file"));
  EXPECT_THAT(why("men:"), HasSubstr("did you mean 'mem:'?"));
  EXPECT_THAT(why("mem:/path"), HasSubstr("takes no path"));
  EXPECT_THAT(why("dir:"), HasSubstr("dir:PATH"));
  EXPECT_THAT(why("dir:/tmp%2"), HasSubstr("%25"));
  EXPECT_THAT(why("dir:/tmp%00"), HasSubstr("%25"));
  EXPECT_THAT(why("dir:/tmp%zz"), HasSubstr("%25"));
  EXPECT_THAT(why("mem:?=x"), HasSubstr("without a name"));
  EXPECT_THAT(why("/dev/null"), HasSubstr("neither a folder nor a file"));
  EXPECT_THAT(why(std::string_view("a\0b", 3)), HasSubstr("NUL"));
}

TEST_F(SourceTest, OpensWhatItNames) {
  for (const auto& text : {std::string("mem:?size=1m"), "dir:" + folder + "?cache=none", "trace+fault+" + folder}) {
    auto s = parse_source(text);
    ASSERT_TRUE(s);
    auto fs = open_source(*s, {});
    EXPECT_TRUE(fs) << text << ": " << (fs ? "" : fs.problem().text());
  }
}

TEST_F(SourceTest, OptionsAreCheckedByWhomTheyConcern) {
  auto refused = [&](const std::string& text) {
    auto s = parse_source(text);
    EXPECT_TRUE(s) << text;
    auto fs = open_source(*s, {});
    EXPECT_FALSE(fs) << text;
    return fs ? "" : fs.problem().text();
  };
  EXPECT_THAT(refused("mem:?sise=1g"), HasSubstr("sise"));
  EXPECT_THAT(refused("dir:" + folder + "?cache=often"), HasSubstr("cache"));
  EXPECT_THAT(refused("dir:" + file), HasSubstr("not a folder"));
  EXPECT_THAT(refused("archive:" + folder), HasSubstr("is a folder"));
  EXPECT_THAT(refused("trace+mem:?trace.format=xml"), HasSubstr("trace.format"));
  EXPECT_THAT(refused("fault+mem:?fault.rules=nonsense"), HasSubstr("nonsense"));
  EXPECT_THAT(refused("mem:?trace.file=/tmp/x"), HasSubstr("belongs to trace+"));
}

TEST(Registry, HelpNamesEverything) {
  std::string help = sources_help();
  for (auto& s : schemes()) {
    EXPECT_THAT(help, HasSubstr(std::string(s.name) + ":"));
    for (auto& o : s.options) EXPECT_THAT(help, HasSubstr(std::string(o.synopsis)));
  }
  for (auto& d : decorators()) {
    EXPECT_THAT(help, HasSubstr(std::string(d.name) + "+"));
    for (auto& o : d.options) EXPECT_TRUE(o.synopsis.starts_with(std::string(d.name) + "."));
  }
  EXPECT_EQ(find_scheme("nfs"), nullptr);
  EXPECT_EQ(find_decorator("mem"), nullptr);
}

}  // namespace
}  // namespace isthmus::ctl
