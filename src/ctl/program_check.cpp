#include "ctl/program_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "ctl/libraries.h"
#include "ctl/program_file.h"
#include "ctl/script.h"

namespace isthmus::ctl {
namespace {

constexpr std::string_view kLibfuses[] = {"libfuse.so.2", "libfuse3.so.3", "libfuse3.so.4"};
bool is_libfuse(std::string_view soname) {
  return std::find(std::begin(kLibfuses), std::end(kLibfuses), soname) != std::end(kLibfuses);
}

/// What this very program is made for, and so are our libraries.
struct Ours {
  wire::elf::Machine machine;
  std::string interpreter;
};
/// None: this program may not be read.
const std::optional<Ours>& ours() {
  static const std::optional<Ours> kOurs = [] {
    auto self = read_elf("/proc/self/exe");
    return self ? std::optional(Ours{(*self)->image.machine, std::string((*self)->image.interpreter)}) : std::nullopt;
  }();
  return kOurs;
}

/// What a library offers: its symbols by NAME@VERSION, and its versions.
struct Offer {
  std::set<std::string> symbols, versions;
};
Expected<Offer> read_offer(const std::string& path) {
  auto file = read_elf(path);
  if (!file) return file.problem();
  Offer offer;
  for (auto& e : (*file)->image.exports) offer.symbols.insert(fmt::format("{}@{}", e.name, e.version));
  offer.versions.insert((*file)->image.defined_versions.begin(), (*file)->image.defined_versions.end());
  return offer;
}

/// A program or library with everything that it loads when it starts.
class ElfCheck {
 public:
  ElfCheck(const std::string& folder, ProgramCheck& result) : folder_(folder), search_(folder), result_(result) {}

  void run(std::unique_ptr<ElfFile> file) {
    const auto& image = file->image;
    if (image.program && image.interpreter.empty()) {
      result_.facts.emplace_back("static: it loads no libraries");
      return end(Verdict::cannot, "is a static program: what FUSE code it has is inside of it",
                 "if it mounts, it does so by itself: run it without isthmus");
    }
    result_.facts.push_back(image.program ? fmt::format("dynamic, by {}", image.interpreter) : kSharedLibrary);
    if (image.program && access(result_.path.c_str(), X_OK) != 0)
      return end(Verdict::cannot, "is not executable", "chmod +x makes a program of yours executable");
    if (image.program && access(std::string(image.interpreter).c_str(), X_OK) != 0)
      return end(Verdict::lacks, fmt::format("wants the dynamic linker {}, which is not there", image.interpreter),
                 "install the C library that it was built for");
    load(std::move(file));
    conclude();
  }

 private:
  struct Waiting {
    std::unique_ptr<ElfFile> file;
    std::vector<std::string> rpath;  // of those that need it
  };

  void end(Verdict verdict, std::string why, std::string hint) {
    result_.verdict = verdict;
    result_.why = std::move(why);
    result_.hint = std::move(hint);
  }

  void load(std::unique_ptr<ElfFile> program) {
    interpreter_ = program->image.interpreter;
    std::deque<Waiting> waiting;
    waiting.push_back({std::move(program), {}});
    std::set<std::string, std::less<>> seen;
    while (!waiting.empty()) {
      Waiting w = std::move(waiting.front());
      waiting.pop_front();
      for (auto& folder : LibrarySearch::expand(w.file->image.rpath, *w.file)) w.rpath.push_back(folder);
      for (auto soname : w.file->image.needed) {
        if (!seen.emplace(soname).second) continue;
        auto found = search_.find(soname, w.rpath, *w.file);
        if (is_libfuse(soname)) add_libfuse(soname, found.value_or(""));
        if (!found) {
          if (!is_libfuse(soname)) missing_.push_back(fmt::format("{} (wanted by {})", soname, w.file->path));
          continue;
        }
        auto library = read_elf(*found);
        if (library)
          waiting.push_back({std::move(*library), w.rpath});
        else
          missing_.push_back(library.problem().what);
      }
      collect(*w.file);
    }
  }

  void add_libfuse(std::string_view soname, const std::string& found) {
    result_.libraries.push_back({std::string(soname), found, found == fmt::format("{}/{}", folder_, soname), {}});
    if (!result_.libraries.back().ours) return;
    auto offer = read_offer(found);
    if (offer)
      offers_[std::string(soname)] = std::move(*offer);
    else
      missing_.push_back(offer.problem().what);
  }

  void collect(const ElfFile& file) {
    for (auto& library : result_.libraries) {
      UsedLibrary::By by{file.path, {}};
      const Offer& offer = offers_[library.soname];
      for (auto& v : file.image.needed_versions)
        if (v.library == library.soname && library.ours && !v.weak && !offer.versions.contains(std::string(v.version)))
          absent_.push_back(fmt::format("the version {}", v.version));
      for (auto& i : file.image.imports) {
        if (i.library != library.soname) continue;
        std::string name = fmt::format("{}@{}", i.name, i.version);
        bool there = offer.symbols.contains(name);
        if (library.ours && !there && !i.weak) absent_.push_back(name);
        by.symbols.push_back({std::move(name), there});
      }
      std::sort(by.symbols.begin(), by.symbols.end(), [](auto& a, auto& b) { return a.name < b.name; });
      if (!by.symbols.empty()) library.by.push_back(std::move(by));
    }
  }

  void conclude() {
    if (result_.libraries.empty() && missing_.empty())
      return end(Verdict::none, "loads no libfuse: what FUSE code it has is its own", "");
    if (!result_.libraries.empty() && !interpreter_.empty() && ours() && interpreter_ != ours()->interpreter)
      return end(Verdict::cannot, fmt::format("runs by {}, our libfuse by {}", interpreter_, ours()->interpreter),
                 "run it without isthmus");
    for (auto& library : result_.libraries) {
      if (library.ours) continue;
      auto have = our_sonames(folder_);
      if (std::find(have.begin(), have.end(), library.soname) == have.end())
        return end(Verdict::cannot, fmt::format("needs {}, which isthmus does not have", library.soname),
                   fmt::format("there is: {}", fmt::join(have, " ")));
      return end(Verdict::cannot, fmt::format("finds {} before ours by its own RPATH", library.found),
                 "chrpath and patchelf change a program's RPATH");
    }
    if (!absent_.empty())
      return end(Verdict::cannot,
                 fmt::format("wants of our libfuse what it does not have: {}", fmt::join(absent_, ", ")),
                 "it was built for another version of libfuse");
    if (!missing_.empty())
      return end(Verdict::lacks, fmt::format("lacks {}", fmt::join(missing_, ", ")),
                 "install the packages that these are in");
    if (std::string how = ignores_environment(result_.path); !how.empty())
      return end(Verdict::cannot,
                 fmt::format("is {}: the dynamic linker does not let its caller choose libraries", how),
                 "run it as its owner, or a copy of it that is yours");
    end(Verdict::runs, "can be run on our libfuse", "");
  }

  const std::string& folder_;
  const LibrarySearch search_;
  ProgramCheck& result_;
  std::string interpreter_;
  std::map<std::string, Offer, std::less<>> offers_;
  std::vector<std::string> missing_, absent_;
};

ProgramCheck check_elf(std::unique_ptr<ElfFile> file, const std::string& folder) {
  ProgramCheck result;
  result.path = file->path;
  ElfCheck(folder, result).run(std::move(file));
  return result;
}

Expected<ProgramCheck> check_file(const std::string& path, const std::string& folder, int depth);

/// Modules that load a libfuse. Python tells which it imports only when it runs.
void add_python_modules(ProgramCheck& python, const std::string& folder) {
  for (auto& path : python_modules(python.path)) {
    auto file = read_elf(path);
    if (!file || std::none_of((*file)->image.needed.begin(), (*file)->image.needed.end(), is_libfuse)) continue;
    python.parts.push_back(check_elf(std::move(*file), folder));
  }
  if (python.parts.empty()) {
    python.why = "is Python, and no module that loads a libfuse is installed";
    python.hint = "check a module elsewhere by its file: isthmus run --check MODULE.so";
    return;
  }
  bool runs = std::any_of(python.parts.begin(), python.parts.end(), [](auto& p) { return p.verdict == Verdict::runs; });
  python.verdict = runs ? Verdict::runs : python.parts.front().verdict;
  python.why = runs ? "can be run on our libfuse, as Python with the modules below"
                    : "is Python, with modules that cannot be run on our libfuse";
}

ProgramCheck check_script(const std::string& path, const ScriptLine& line, const std::string& folder, int depth) {
  ProgramCheck result;
  result.path = path;
  result.script = true;
  result.facts.push_back(fmt::format("a script, by {}", line.program));
  auto program = resolve_program(line.program);
  auto interpreter = program ? check_file(*program, folder, depth) : Expected<ProgramCheck>(program.problem());
  if (!interpreter) {
    result.verdict = Verdict::lacks;
    result.why = fmt::format("is a script whose interpreter cannot be run: {}", interpreter.problem().what);
    return result;
  }
  result.verdict = interpreter->verdict;
  if (interpreter->verdict == Verdict::none)
    result.why = "is a script, and its interpreter loads no libfuse; the programs that it starts do so on ours";
  else
    result.why = fmt::format("a script whose interpreter {}", interpreter->why);
  result.hint = interpreter->verdict == Verdict::none ? "check these programs" : interpreter->hint;
  result.parts.push_back(std::move(*interpreter));
  return result;
}

Expected<ProgramCheck> check_file(const std::string& path, const std::string& folder, int depth) {
  if (depth == 0)
    return Problem{err(ELOOP), fmt::format("{}: {}", path, text_of(err(ELOOP))),
                   "a script is the interpreter of another"};
  auto bytes = read_whole(path);
  if (!bytes) return bytes.problem();
  if (auto line = read_script_line(*bytes)) return check_script(path, *line, folder, depth - 1);
  if (!wire::elf::is_elf(*bytes))
    return Problem{err(ENOEXEC),
                   fmt::format("{}: neither a program (ELF) nor a script with #! and its interpreter", path), ""};
  ProgramCheck result;
  result.path = path;
  auto machine = wire::elf::read_machine(*bytes);
  if (machine && ours() && *machine != ours()->machine) {
    result.why = fmt::format("is for another machine: {} bits, ELF machine number {}", machine->word == 1 ? 32 : 64,
                             machine->number);
    result.hint = "our libfuse is for the machine that isthmus itself is built for";
    return result;
  }
  auto file = elf_of(path, std::move(*bytes));
  if (!file) return file.problem();
  result = check_elf(std::move(*file), folder);
  if (is_python(path) && result.verdict == Verdict::none) add_python_modules(result, folder);
  return result;
}

void write(std::string& out, const ProgramCheck& c, const std::string& indent) {
  out += fmt::format("{}{}: {}\n", indent, c.path, c.why);
  if (!c.hint.empty()) out += fmt::format("{}  {}\n", indent, c.hint);
  for (auto& fact : c.facts) out += fmt::format("{}  {}\n", indent, fact);
  for (auto& l : c.libraries) {
    out += fmt::format("{}  {}: {}{}\n", indent, l.soname, l.found.empty() ? "not found" : l.found,
                       l.ours ? ", which is ours" : "");
    for (auto& by : l.by) {
      auto absent = std::count_if(by.symbols.begin(), by.symbols.end(), [](auto& s) { return !s.there; });
      out += fmt::format("{}    {} wants {} symbols{}\n", indent, by.file, by.symbols.size(),
                         !l.ours       ? ""
                         : absent == 0 ? ", all there"
                                       : fmt::format(", {} of them missing", absent));
      for (auto& s : by.symbols)
        out += fmt::format("{}      {}{}\n", indent, s.name, l.ours && !s.there ? "  missing" : "");
    }
  }
  for (auto& part : c.parts) write(out, part, indent + "  ");
}

}  // namespace

Expected<ProgramCheck> check_program(const std::string& path, const std::string& folder) {
  constexpr int kDeepest = 5;  // as the kernel follows #!
  return check_file(path, folder, kDeepest);
}

std::string check_text(const ProgramCheck& check) {
  std::string out;
  write(out, check, "");
  return out;
}

}  // namespace isthmus::ctl
