#pragma once
#include <isthmus/fuse3/fuse.h>

#include <memory>
#include <string>

#include "providers/libfuse/v3/layer.h"

namespace isthmus::libfuse {

/// fuse_module_factory_t of the modules that the library brings. Null: an error, which has been told, or help, which
/// has been printed.
fuse_fs* make_subdir(fuse_args* args, fuse_fs* below[]);
fuse_fs* make_iconv(fuse_args* args, fuse_fs* below[]);

/// What a module makes of paths that differ from those of the file system below it. Any thread.
class PathMap {
 public:
  virtual ~PathMap() = default;
  /// A path, for the file system below. 0 or -errno.
  virtual int down(const char* path, std::string& to) = 0;
  /// The target of a link, to be made, and as it was read at the path `below`. 0 or -errno.
  virtual int link_down(const char* target, std::string& to) = 0;
  virtual int link_up(const std::string& below, const char* target, std::string& to) = 0;
  /// A name of a listing. False: it cannot be shown.
  virtual bool name_up(const char* name, std::string& to) = 0;
};

/// A layer over `below` that has its operations, on other paths.
fuse_fs* make_mapped(std::unique_ptr<PathMap> map, fuse_fs* below);
/// Whether there is just one file system below `module`; says so if not.
bool is_one(fuse_fs* const below[], const char* module);

}  // namespace isthmus::libfuse
