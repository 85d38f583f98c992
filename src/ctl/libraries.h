#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "ctl/program_file.h"

namespace isthmus::ctl {

/// The folder of our libfuses: lib/isthmus beside an installed program, libfuse in a build tree.
Expected<std::string> our_library_folder();
/// The library that is loaded into hosted daemons (fuse_daemon::WayIn::preload); it lies beside those.
Expected<std::string> our_preload_library();
/// The sonames in it, "libfuse3.so.3".
std::vector<std::string> our_sonames(const std::string& folder);
/// The program that has net_schemes(), too; it lies beside those, and in a build tree beside this one.
Expected<std::string> net_program();

/// Where the dynamic linker finds libraries when `first` is in front of LD_LIBRARY_PATH: ld.so(8). Its cache is not
/// read, but the folders that it is made of (/etc/ld.so.conf).
class LibrarySearch {
 public:
  explicit LibrarySearch(std::string first);
  /// `rpath`: DT_RPATH of the file that needs it and of those that needed that, in their order, expanded.
  std::optional<std::string> find(std::string_view name, const std::vector<std::string>& rpath,
                                  const ElfFile& by) const;
  /// The folders of a list as in DT_RPATH.
  static std::vector<std::string> expand(std::string_view list, const ElfFile& by);

 private:
  std::string first_;
  std::vector<std::string> usual_;  // LD_LIBRARY_PATH as it is, and the system's
  std::vector<std::string> configured_;
};

}  // namespace isthmus::ctl
