// The providers that the waist suite runs on.
#include <gtest/gtest.h>

#include <string>

#include "conformance/waist/waist.h"
#include "fs/pass/pass.h"
#include "matrix/temp_folder.h"
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

Subject pass(std::string name, fs::pass::PassOptions options) {
  Subject s;
  s.name = std::move(name);
  s.make = [options] {
    auto folder = std::make_shared<TempFolder>();
    return std::make_unique<OnFolder>(std::make_unique<fs::pass::PassFs>(folder->path(), options), folder);
  };
  s.locks = false;
  return s;
}

}  // namespace
}  // namespace isthmus

int main(int argc, char** argv) {
  using namespace isthmus;
  auto& all = conformance::subjects();
  all.push_back(pass("pass", {}));
  fs::pass::PassOptions no_handles;
  no_handles.handles = false;
  all.push_back(pass("pass_by_name", no_handles));
  all.back().export_handles = false;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
