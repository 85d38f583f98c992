#include "ctl/libraries.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>

#include "base/fd.h"
#include "base/folder.h"

namespace isthmus::ctl {
namespace {

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

std::vector<std::string> split(std::string_view list, std::string_view separators) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find_first_of(separators, at), list.size());
    parts.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// ldconfig(8): a folder a line, "include PATTERN", "#" begins a comment.
void read_configuration(const std::string& path, std::vector<std::string>& folders, int depth) {
  std::ifstream in(path);
  for (std::string line; depth > 0 && std::getline(in, line);) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string> words;
    for (auto& word : split(line, " \t:,"))
      if (!word.empty()) words.push_back(word);
    if (words.empty()) continue;
    if (words[0] != "include") {
      folders.insert(folders.end(), words.begin(), words.end());
      continue;
    }
    for (size_t i = 1; i < words.size(); i++) {
      glob_t found{};
      std::string pattern = words[i].starts_with('/') ? words[i] : folder_of(path) + "/" + words[i];
      if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t j = 0; j < found.gl_pathc; j++) read_configuration(found.gl_pathv[j], folders, depth - 1);
      globfree(&found);
    }
  }
}

/// Where this process's own libraries are looked for.
std::vector<std::string> searched_by_this_process() {
  std::vector<std::string> folders;
  void* self = dlopen(nullptr, RTLD_LAZY);
  Dl_serinfo size{};
  if (!self || dlinfo(self, RTLD_DI_SERINFOSIZE, &size) != 0) return folders;
  std::vector<std::max_align_t> memory(size.dls_size / sizeof(std::max_align_t) + 1);
  auto* info = reinterpret_cast<Dl_serinfo*>(memory.data());
  if (dlinfo(self, RTLD_DI_SERINFOSIZE, info) == 0 && dlinfo(self, RTLD_DI_SERINFO, info) == 0)
    for (unsigned i = 0; i < info->dls_cnt; i++) folders.emplace_back(info->dls_serpath[i].dls_name);
  dlclose(self);
  return folders;
}

/// The dynamic linker passes over files of other machines.
bool loads(const std::string& path, const wire::elf::Machine& machine) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::byte head[64];
  ssize_t n = fd ? read(fd.get(), head, sizeof head) : 0;
  if (n <= 0) return false;
  auto its = wire::elf::read_machine(Bytes(head, static_cast<size_t>(n)));
  return its && *its == machine;
}

std::optional<std::string> first_in(const std::vector<std::string>& folders, std::string_view name,
                                    const wire::elf::Machine& machine) {
  for (auto& folder : folders) {
    std::string path = (folder.empty() ? "." : folder) + "/" + std::string(name);
    if (loads(path, machine)) return path;
  }
  return std::nullopt;
}

/// The folder of the program that runs.
Expected<std::string> own_folder() {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  if (n <= 0) return Problem{last_errno(), "/proc/self/exe cannot be read: isthmus does not know where it is", {}};
  return folder_of(std::string(self, static_cast<size_t>(n)));
}

// In a build tree the program is in src/cli.
constexpr std::string_view kBuilt = "/src/cli";

/// Where our libraries are, if they are.
Expected<std::string> where_libraries_are() {
  auto home = own_folder();
  if (!home) return home;
  if (home->ends_with(kBuilt)) return home->substr(0, home->size() - kBuilt.size()) + "/libfuse";
  if (!our_sonames(*home).empty()) return home;  // isthmus-net is among them
  return *home + "/" ISTHMUS_LIBFUSE_FROM_BIN;
}

/// Its real name, which goes into a list of the dynamic linker's.
Expected<std::string> real_name(const std::string& path) {
  char real[PATH_MAX];
  if (!realpath(path.c_str(), real)) return Problem{last_errno(), path + ": " + std::string(text_of(last_errno())), ""};
  if (std::string_view(real).find_first_of(":;$ ") == std::string_view::npos) return std::string(real);
  return Problem{err(EINVAL), "the dynamic linker does not take the name " + std::string(real),
                 "install isthmus where no name has ':', ';', '$' or a blank in it"};
}

}  // namespace

Expected<std::string> our_library_folder() {
  auto folder = where_libraries_are();
  if (!folder) return folder;
  if (our_sonames(*folder).empty())
    return Problem{err(ENOENT), "no libfuse of ours in " + *folder,
                   "it is installed with isthmus, and built by: ninja libfuse2 libfuse3"};
  return real_name(*folder);
}

Expected<std::string> net_program() {
  auto home = own_folder();
  if (!home) return home;
  return (home->ends_with(kBuilt) ? *home : *home + "/" ISTHMUS_LIBFUSE_FROM_BIN) + "/isthmus-net";
}

Expected<std::string> our_preload_library() {
  auto folder = where_libraries_are();
  if (!folder) return folder;
  return real_name(*folder + "/libisthmus_preload.so");
}

std::vector<std::string> our_sonames(const std::string& folder) {
  std::vector<std::string> names;
  for (auto& name : names_in(folder))
    // libfuse3.so.3, and not libfuse3.so or a name with a longer version.
    if (size_t so = name.find(".so.");
        name.starts_with("libfuse") && so != std::string::npos && name.find('.', so + 4) == std::string::npos)
      names.push_back(name);
  return names;
}

LibrarySearch::LibrarySearch(std::string first) : first_(std::move(first)), usual_(searched_by_this_process()) {
  constexpr int kDeepest = 4;
  read_configuration("/etc/ld.so.conf", configured_, kDeepest);
}

std::optional<std::string> LibrarySearch::find(std::string_view name, const std::vector<std::string>& rpath,
                                               const ElfFile& by) const {
  auto& machine = by.image.machine;
  if (name.find('/') != std::string_view::npos)
    return loads(std::string(name), machine) ? std::optional(std::string(name)) : std::nullopt;
  if (auto found = first_in(rpath, name, machine)) return found;
  if (auto found = first_in({first_}, name, machine)) return found;
  // LD_LIBRARY_PATH goes before RUNPATH, the system's folders behind it.
  const char* given = getenv("LD_LIBRARY_PATH");
  if (given && *given)
    if (auto found = first_in(split(given, ":;"), name, machine)) return found;
  if (auto found = first_in(expand(by.image.runpath, by), name, machine)) return found;
  if (auto found = first_in(configured_, name, machine)) return found;
  return first_in(usual_, name, machine);
}

std::vector<std::string> LibrarySearch::expand(std::string_view list, const ElfFile& by) {
  std::vector<std::string> folders;
  if (list.empty()) return folders;
  char real[PATH_MAX];
  std::string origin = folder_of(realpath(by.path.c_str(), real) ? real : by.path);
  for (auto& folder : split(list, ":")) {
    for (std::string_view token : {"${ORIGIN}", "$ORIGIN"})
      if (size_t at = folder.find(token); at != std::string::npos) folder.replace(at, token.size(), origin);
    // $LIB and $PLATFORM are the linker's own secret.
    if (folder.find('$') == std::string::npos) folders.push_back(folder);
  }
  return folders;
}

}  // namespace isthmus::ctl
