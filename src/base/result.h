#pragma once
#include <cerrno>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace isthmus {

/// A positive errno value (errno(3)). The only error currency that crosses the waist.
enum class Errno : int {};

constexpr Errno err(int e) { return Errno{e}; }
/// The calling thread's errno as an Errno.
inline Errno last_errno() { return Errno{errno}; }

/// There is no such operation, or not for this file.
constexpr bool is_unsupported(Errno e) { return e == err(EOPNOTSUPP) || e == err(ENOSYS); }

/// "ENOENT"; "E?" for a number the C library has no name for. Static storage.
std::string_view name_of(Errno e);
/// "No such file or directory". Static storage, independent of the locale.
std::string_view text_of(Errno e);

/// The value of an operation that answers with nothing but success.
struct Unit {
  friend constexpr bool operator==(Unit, Unit) { return true; }
};

/// A value or an Errno. Reading the value of a failed result is undefined: test it first.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<1>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Errno e) : v_(std::in_place_index<0>, e) {}                 // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return v_.index() == 1; }
  bool ok() const { return v_.index() == 1; }
  T& operator*() & { return *std::get_if<1>(&v_); }
  const T& operator*() const& { return *std::get_if<1>(&v_); }
  T&& operator*() && { return std::move(*std::get_if<1>(&v_)); }
  T* operator->() { return std::get_if<1>(&v_); }
  const T* operator->() const { return std::get_if<1>(&v_); }
  Errno error() const { return *std::get_if<0>(&v_); }
  /// 0 when it holds a value, else the errno number.
  int code() const { return ok() ? 0 : static_cast<int>(error()); }

 private:
  std::variant<Errno, T> v_;
};

using Status = Result<Unit>;

/// Turns the 0 / -1 of a system call into a Status.
inline Status check(int rc) { return rc < 0 ? Status(last_errno()) : Status(Unit{}); }

}  // namespace isthmus
