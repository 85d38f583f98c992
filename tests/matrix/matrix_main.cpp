// The providers that the waist suite runs on.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "conformance/waist/waist.h"
#include "doors/userfs/userfs_door.h"
#include "fs/archive/archive_fs.h"
#include "fs/compress/compress_fs.h"
#include "fs/mem/mem_fs.h"
#include "fs/pass/pass.h"
#include "matrix/temp_folder.h"
#include "providers/userfs_host/userfs_host.h"
#include "vfs/decorator.h"

namespace isthmus {
namespace {

using conformance::Subject;
using testing::TempFolder;

/// A provider and the folder it stands on. As it hands everything on, the suite tries the decorator template as well.
class OnFolder final : public Decorator<OnFolder> {
 public:
  OnFolder(std::unique_ptr<FileSystem> fs, std::shared_ptr<TempFolder> f)
      : Decorator(std::move(fs)), folder_(std::move(f)) {}
  template <class T>
  void around(Pending<T>& p) {
    inner().submit(p);
  }

 private:
  std::shared_ptr<TempFolder> folder_;
};

Subject pass_subject(std::string name, fs::pass::PassOptions options) {
  Subject s;
  s.name = std::move(name);
  s.make = [options] {
    auto folder = std::make_shared<TempFolder>();
    return std::make_unique<OnFolder>(std::make_unique<fs::pass::PassFs>(folder->path(), options), folder);
  };
  s.locks = false;
  return s;
}

Subject mem_subject(std::string name, const fs::mem::MemOptions& options) {
  Subject s;
  s.name = std::move(name);
  s.make = [options] { return std::make_unique<fs::mem::MemFs>(options); };
  return s;
}

/// `inner` behind the userfs door, and what speaks to it over a socket: two processes' work in one.
class OverUserfs final : public Decorator<OverUserfs> {
 public:
  static std::unique_ptr<FileSystem> make(std::unique_ptr<FileSystem> inner, bool restart) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Fd served(ends[0]), ours(ends[1]);
    Fd also(dup(served.get()));
    auto door =
        std::make_unique<userfs::UserfsDoor>(*inner, std::move(served), std::move(also), userfs::Options{}, [] {});
    EXPECT_TRUE(door->start());
    userfs_host::Options options;
    options.name = "userfs";
    options.restart = restart;
    options.open = [&]() -> Expected<userfs_host::Peer> {
      Fd out(dup(ours.get()));
      return userfs_host::Peer{std::move(ours), std::move(out), nullptr};
    };
    auto host = userfs_host::UserfsHost::connect(std::move(options), nullptr);
    EXPECT_TRUE(host) << (host ? "" : host.problem().text());
    if (!host) return nullptr;
    return std::unique_ptr<FileSystem>(new OverUserfs(std::move(*host), std::move(inner), std::move(door)));
  }
  template <class T>
  void around(Pending<T>& p) {
    inner().submit(p);
  }

 private:
  OverUserfs(std::unique_ptr<FileSystem> host, std::unique_ptr<FileSystem> served,
             std::unique_ptr<userfs::UserfsDoor> door)
      : Decorator(std::move(host)), served_(std::move(served)), door_(std::move(door)) {}
  std::unique_ptr<FileSystem> served_;
  std::unique_ptr<userfs::UserfsDoor> door_;
};

Subject over_userfs(Subject of, const std::string& name, bool restart = false) {
  of.name = name;
  of.make = [make = of.make, restart] { return OverUserfs::make(make(), restart); };
  return of;
}

/// Files of `of` stored compressed, and seen plain.
Subject compressed(Subject of, const std::string& name) {
  of.name = name;
  of.make = [make = of.make]() -> std::unique_ptr<FileSystem> {
    return std::make_unique<fs::compress::CompressFs>(make(), fs::compress::Options{});
  };
  of.locks = of.export_handles = false;  // doors keep both
  of.name_max = 251;                     // with the ending of what is stored
  return of;
}

/// kSampleTree as an archive made by tar(1) with `flags`.
Subject tar_subject(std::string name, const std::string& flags) {
  auto folder = std::make_shared<TempFolder>();
  for (auto& f : conformance::kSampleTree) {
    std::string path = folder->path() + "/tree/" + f.name;
    std::filesystem::create_directories(path.substr(0, path.rfind('/')));
    if (!path.ends_with('/')) std::ofstream(path) << f.content;
  }
  std::string file = folder->path() + "/" + name;
  std::string command = "tar -C '" + folder->path() + "/tree' " + flags + " '" + file + "' hello dir empty";
  // NOLINTNEXTLINE(cert-env33-c): tar as people run it
  if (std::system(command.c_str()) != 0) std::abort();
  Subject s;
  s.name = std::move(name);
  s.read_only = true;
  s.make = [folder, file]() -> std::unique_ptr<FileSystem> {
    fs::archive::OpenError error;
    auto fs = fs::archive::ArchiveFs::open(file, {}, {}, error);
    EXPECT_TRUE(fs) << error.text;
    return fs;
  };
  return s;
}

}  // namespace
}  // namespace isthmus

int main(int argc, char** argv) {
  using namespace isthmus;
  auto& all = conformance::subjects();
  all.push_back(pass_subject("pass", {}));
  fs::pass::PassOptions no_handles;
  no_handles.handles = false;
  all.push_back(pass_subject("pass_by_name", no_handles));
  all.back().export_handles = false;
  all.push_back(mem_subject("mem", {}));
  fs::mem::MemOptions stateless;
  stateless.handles = false;
  all.push_back(mem_subject("mem_stateless", stateless));
  all.push_back(tar_subject("tar", "-cf"));
  all.push_back(tar_subject("tar_gz", "-czf"));
  all.push_back(over_userfs(mem_subject("", {}), "mem_over_userfs"));
  all.push_back(over_userfs(mem_subject("", {}), "mem_over_userfs_restartable", true));
  all.push_back(over_userfs(pass_subject("", {}), "pass_over_userfs"));
  all.push_back(over_userfs(tar_subject("tar_served", "-cf"), "tar_over_userfs"));
  all.push_back(compressed(mem_subject("", {}), "compressed_mem"));
  all.push_back(compressed(mem_subject("", stateless), "compressed_mem_stateless"));
  all.push_back(compressed(pass_subject("", {}), "compressed_pass"));
  all.push_back(compressed(pass_subject("", no_handles), "compressed_pass_by_name"));
  all.push_back(compressed(over_userfs(mem_subject("", {}), ""), "compressed_mem_over_userfs"));
  all.push_back(compressed(tar_subject("tar_below", "-cf"), "compressed_tar"));
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
