#include "ctl/run_program.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/fd.h"
#include "base/text.h"
#include "ctl/elf.h"

namespace isthmus::ctl {
namespace {

constexpr const char* kLibrary = "libfuse3.so.3";
constexpr const char* kOldLibrary = "libfuse.so.2";
constexpr size_t kProgramMax = size_t{1} << 28;  // bytes of a file that is looked into

Expected<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), X_OK) == 0) return name;
    Errno e = last_errno();
    return Problem{e, fmt::format("cannot run '{}': {}", name, text_of(e)), {}};
  }
  const char* path = getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(folder.size() + 1, rest.size()));
    std::string file = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    struct stat st {};
    if (stat(file.c_str(), &st) == 0 && S_ISREG(st.st_mode) && access(file.c_str(), X_OK) == 0) return file;
  }
  return Problem{err(ENOENT), fmt::format("cannot run '{}': it is in no folder of PATH", name), {}};
}

Result<std::string> read_program(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) < 0) return last_errno();
  if (!S_ISREG(st.st_mode) || static_cast<size_t>(st.st_size) > kProgramMax) return err(ENOEXEC);
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    ssize_t n = read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0) return last_errno();
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

bool has_library(const ElfNeeds& needs, const char* name) {
  return std::find(needs.libraries.begin(), needs.libraries.end(), name) != needs.libraries.end();
}

/// Those functions of our library that a program needs and it lacks; and how many it needs.
struct Functions {
  size_t needed = 0;
  std::vector<std::string> missing;
};
Expected<Functions> compare(const ElfNeeds& needs, const std::string& folder) {
  std::string file = folder + "/" + kLibrary;
  std::unique_ptr<void, int (*)(void*)> library(dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL), dlclose);
  if (!library) return Problem{err(ENOEXEC), fmt::format("cannot load our {}: {}", kLibrary, dlerror()), {}};
  Functions f;
  for (auto& s : needs.symbols) {
    if (s.library != kLibrary) continue;
    f.needed++;
    if (!dlvsym(library.get(), s.name.c_str(), s.version.c_str())) f.missing.push_back(s.name + "@" + s.version);
  }
  return f;
}

Expected<RunCheck> check_file(const std::string& name, const std::string& path) {
  auto bytes = read_program(path);
  // What may be run but not read, and scripts: their children may be anything.
  if (!bytes) return RunCheck{true, fmt::format("{}: cannot be looked into: {}", name, text_of(bytes.error()))};
  auto needs = elf_needs(*bytes);
  if (!needs && needs.code() == ENOEXEC)
    return RunCheck{true, fmt::format("{}: no 64-bit ELF program; what it starts runs on our {}", name, kLibrary)};
  if (!needs) return Problem{needs.error(), fmt::format("cannot look into '{}': its file is damaged", path), {}};
  if (!needs->dynamic)
    return RunCheck{false, fmt::format("{}: is linked statically, so that no library of ours can serve it", name)};
  struct stat st {};
  if (geteuid() != 0 && stat(path.c_str(), &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)))
    return RunCheck{false, fmt::format("{}: is setuid, so that it is only given libraries of the system", name)};
  if (has_library(*needs, kOldLibrary))
    return RunCheck{false, fmt::format("{}: needs {}, which isthmus does not have", name, kOldLibrary)};
  if (!has_library(*needs, kLibrary))
    return RunCheck{true,
                    fmt::format("{}: is not linked to {} itself; what it loads or starts may be", name, kLibrary)};
  auto folder = libfuse_folder();
  if (!folder) return folder.problem();
  auto functions = compare(*needs, *folder);
  if (!functions) return functions.problem();
  if (functions->missing.empty())
    return RunCheck{
        true, fmt::format("{}: needs {}; all {} functions are in {}", name, kLibrary, functions->needed, *folder)};
  return RunCheck{false, fmt::format("{}: needs {} functions of {} that isthmus lacks, the first is {}", name,
                                     functions->missing.size(), kLibrary, functions->missing.front())};
}

}  // namespace

Expected<std::string> libfuse_folder() {
  std::error_code e;
  auto here = std::filesystem::read_symlink("/proc/self/exe", e).parent_path();
  // Installed, and in the build tree.
  std::string looked;
  for (const char* way : {"../" ISTHMUS_LIBDIR "/isthmus", "../lib/isthmus", "../../libfuse"}) {
    auto folder = (here / way).lexically_normal();
    if (std::filesystem::exists(folder / kLibrary, e)) return folder.string();
    looked += (looked.empty() ? "" : ", ") + folder.string();
  }
  return Problem{err(ENOENT), fmt::format("our {} is missing", kLibrary),
                 fmt::format("looked for in {}; install isthmus again, or build the target libfuse3", looked)};
}

Expected<RunCheck> check_program(const std::string& program) {
  auto path = find_program(program);
  if (!path) return path.problem();
  return check_file(program, *path);
}

Failure run_on_libfuse(std::vector<std::string> command) {
  auto path = find_program(command.front());
  if (!path) return {kExitSource, path.problem()};
  auto check = check_file(command.front(), *path);
  if (!check) return {kExitSource, check.problem()};
  if (!check->can)
    return {kExitUnsupported, {err(ENOEXEC), check->report, "without `isthmus run` it runs on what the system has"}};
  auto folder = libfuse_folder();
  if (!folder) return {kExitUnsupported, folder.problem()};
  const char* before = getenv("LD_LIBRARY_PATH");
  std::string libraries = before && *before ? *folder + ":" + before : *folder;
  setenv("LD_LIBRARY_PATH", libraries.c_str(), 1);
  std::vector<char*> argv;
  for (auto& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(path->c_str(), argv.data());
  Errno e = last_errno();
  return {kExitSource, {e, fmt::format("cannot run '{}': {}", *path, text_of(e)), {}}};
}

}  // namespace isthmus::ctl
