#pragma once
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/fd.h"
#include "vfs/decorator.h"

namespace isthmus::fs::trace {

struct Options {
  std::string file;                    ///< appended to; empty: standard error
  bool json = false;                   ///< one JSON object a line instead of text
  uint64_t operations = ~uint64_t{0};  ///< bit Capabilities::bit(op): traced
};

using KeyValues = std::span<const std::pair<std::string, std::string>>;

/// Keys trace.file=PATH, trace.format=text|json, trace.ops=lookup,read,... Other keys are left alone. False: `why` says
/// what is wrong.
bool parse_options(KeyValues keys, Options& out, std::string& why);

/// Writes one line for every operation when it has been answered: when, what, the answer and how long it took:
///   12:30:01.123456 lookup(dir=1, name="notes") = node=7, mode=0100644, size=12, ... <0.000014>
/// One write(2) a line, so lines of several threads stay whole. Any thread.
class Trace final : public Decorator<Trace> {
 public:
  /// Fails with the open(2) error of the file.
  static Result<std::unique_ptr<FileSystem>> make(std::unique_ptr<FileSystem> inner, const Options& options);
  /// Around a file system of somebody else, which must live longer.
  static Result<std::unique_ptr<FileSystem>> make(FileSystem& inner, const Options& options);

  template <class T>
  void around(Pending<T>& p);

 private:
  template <class Inner>
  Trace(Inner&& inner, const Options& options, Fd out)
      : Decorator(std::forward<Inner>(inner)), options_(options), out_(std::move(out)) {}
  template <class Inner>
  static Result<std::unique_ptr<FileSystem>> make_around(Inner&& inner, const Options& options);
  template <class T>
  void line(const T& args, const Context& ctx, const Result<typename T::Reply>& r, int64_t took_ns) noexcept;

  const Options options_;
  const Fd out_;
};

}  // namespace isthmus::fs::trace
