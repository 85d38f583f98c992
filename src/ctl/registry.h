#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/problem.h"
#include "ctl/source.h"
#include "vfs/filesystem.h"

namespace isthmus::ctl {

/// What opening a source may want of whoever started it. Any may be empty. Called on the opening thread.
struct SourceHooks {
  std::function<void(uint64_t done_bytes, uint64_t total_bytes, uint64_t entries)> progress;
  std::function<std::optional<std::string>(int attempt)> passphrase;
  std::function<bool()> cancelled;
  std::function<void(const FileSystem&)> made;  ///< of the source itself, before anything is put in front of it
  std::function<void()> opened;                 ///< the source is open, or could not be opened
  /// What the source came from has ended by itself. On a thread of the file system's.
  std::function<void(const Problem&)> lost;
};

struct OptionHelp {
  std::string_view synopsis, help;
};

/// A kind of source. The factory gets a parsed source whose path exists, and starts no thread that the file system's
/// start() could not start.
struct Scheme {
  std::string_view name;
  bool takes_path;
  std::string_view help;
  std::span<const OptionHelp> options;
  Expected<std::unique_ptr<FileSystem>> (*make)(const Source&, const SourceHooks&);
  bool takes_command = false;   ///< instead of a path: all that follows, as it is
  std::string_view place = {};  ///< instead of a path: what this word stands for in help, which the factory reads
};

/// Something put in front of a source: `name+`. Its options begin with "name.".
struct DecoratorKind {
  std::string_view name;
  std::string_view help;
  std::span<const OptionHelp> options;
  Expected<std::unique_ptr<FileSystem>> (*make)(std::unique_ptr<FileSystem> inner, const Source&);
};

/// The one list of what can be mounted; parser, help and completions come from it.
std::span<const Scheme> schemes();
/// More of them, which live for good. Before anybody else asks, at the start of the program.
void add_schemes(std::span<const Scheme> more);
std::span<const DecoratorKind> decorators();
const Scheme* find_scheme(std::string_view name);
const DecoratorKind* find_decorator(std::string_view name);

/// The source as a file system, decorators and all, not started.
Expected<std::unique_ptr<FileSystem>> open_source(const Source& source, const SourceHooks& hooks);

/// For `isthmus help sources`.
std::string sources_help();

}  // namespace isthmus::ctl
