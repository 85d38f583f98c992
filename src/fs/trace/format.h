#pragma once
#include <string>

#include "vfs/ops.h"

/// How operations and answers are written down. Text is made for people (strace's manner), JSON for programs; both keep
/// every byte of a name visible and put no control character out.
namespace isthmus::fs::trace {

/// One argument or result after the other: text `name=value, ...`, JSON `"name":value,...`.
class Writer {
 public:
  Writer(std::string& out, bool json) : out_(out), json_(json) {}
  void number(std::string_view name, uint64_t v);
  void octal(std::string_view name, uint64_t v);  ///< JSON: a number
  void hex(std::string_view name, uint64_t v);    ///< JSON: a number
  void text(std::string_view name, std::string_view v);
  void flag(std::string_view name, bool v);  ///< text: only when set
  /// A value that is already formatted (text) or already JSON.
  void raw(std::string_view name, std::string_view v);

 private:
  void key(std::string_view name);
  std::string& out_;
  bool json_;
  bool first_ = true;
};

/// v in double quotes, escaped. At most `max` bytes of it are shown, then "..." after the quote (text only).
void quote(std::string& out, std::string_view v, bool json, size_t max = SIZE_MAX);

template <class T>
void write_args(Writer& w, const T& args);
template <class R>
void write_reply(Writer& w, const R& reply);

}  // namespace isthmus::fs::trace
