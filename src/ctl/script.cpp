#include "ctl/script.h"

#include <climits>
#include <cstdlib>
#include <set>
#include <sstream>

#include "base/folder.h"

namespace isthmus::ctl {
namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Modules of `folder` and of the packages in it.
void add_modules(const std::string& folder, int depth, std::set<std::string>& modules) {
  for (auto& name : names_in(folder)) {
    std::string path = folder + "/" + name;
    if (name.ends_with(".so"))
      modules.insert(path);
    else if (depth > 1 && name.find('.') == std::string::npos)
      add_modules(path, depth - 1, modules);
  }
}

}  // namespace

std::optional<ScriptLine> read_script_line(Bytes file) {
  constexpr size_t kMost = 256;  // bytes of the line that the kernel reads
  std::string_view text = as_text(file.first(std::min(file.size(), kMost)));
  if (!text.starts_with("#!")) return std::nullopt;
  std::istringstream words(std::string(text.substr(2, text.find('\n') - 2)));
  ScriptLine line;
  if (!(words >> line.interpreter) || line.interpreter.find('\0') != std::string::npos) return std::nullopt;
  line.program = line.interpreter;
  if (base_name(line.interpreter) != "env") return line;
  // env [-S] [NAME=VALUE]... PROGRAM
  for (std::string word; words >> word;)
    if (!word.starts_with('-') && word.find('=') == std::string::npos) {
      line.program = word;
      break;
    }
  return line;
}

bool is_python(const std::string& path) {
  std::string name = base_name(path);
  return name.starts_with("python") && name.find_first_not_of("0123456789.", 6) == std::string::npos;
}

std::vector<std::string> python_modules(const std::string& python) {
  std::set<std::string> prefixes{"/usr", "/usr/local"}, modules;
  char real[PATH_MAX];
  if (realpath(python.c_str(), real)) {
    std::string bin(real);
    bin.resize(bin.rfind('/'));
    if (size_t slash = bin.rfind('/'); slash != std::string::npos && slash > 0) prefixes.insert(bin.substr(0, slash));
  }
  constexpr int kDeep = 2;
  for (auto& prefix : prefixes)
    for (auto& name : names_in(prefix + "/lib"))
      if (is_python(name))
        for (auto* below : {"/dist-packages", "/site-packages", "/lib-dynload"})
          add_modules(prefix + "/lib/" + name + below, kDeep, modules);
  if (const char* more = getenv("PYTHONPATH")) {
    std::istringstream folders(more);
    for (std::string folder; std::getline(folders, folder, ':');)
      if (!folder.empty()) add_modules(folder, kDeep, modules);
  }
  return {modules.begin(), modules.end()};
}

}  // namespace isthmus::ctl
