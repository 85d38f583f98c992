#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/problem.h"

/// What `isthmus run --check` looks at: whether a program can be run on our libfuse. Nothing is executed.
namespace isthmus::ctl {

enum class Verdict : uint8_t {
  runs,    ///< it loads a libfuse, which is ours and has all that it wants
  none,    ///< it loads no libfuse, as far as can be seen; programs that it starts may
  lacks,   ///< a file that it needs is not there: it does not start at all
  cannot,  ///< it would not run on our libfuse
};

/// The fact about what can be loaded, and not executed.
inline constexpr const char* kSharedLibrary = "a shared library";

struct UsedSymbol {
  std::string name;  ///< NAME@VERSION
  bool there = false;
};
/// A libfuse that the program loads.
struct UsedLibrary {
  std::string soname;
  std::string found;  ///< its file; empty: nowhere
  bool ours = false;
  struct By {
    std::string file;  ///< the program, or a library of it
    std::vector<UsedSymbol> symbols;
  };
  std::vector<By> by;
};

struct ProgramCheck {
  Verdict verdict = Verdict::cannot;
  std::string path;
  std::string why;                 ///< behind the path; no full stop
  std::string hint;                ///< may be empty
  std::vector<std::string> facts;  ///< "dynamic, by /lib64/ld-linux-x86-64.so.2"
  std::vector<UsedLibrary> libraries;
  bool script = false;
  std::vector<ProgramCheck> parts;  ///< a script's interpreter; Python's modules that load a libfuse
};

/// `path`: a program or a shared library, `folder`: of our libraries. A problem: it cannot be looked at.
Expected<ProgramCheck> check_program(const std::string& path, const std::string& folder);
/// For people; ends with a newline.
std::string check_text(const ProgramCheck& check);

}  // namespace isthmus::ctl
