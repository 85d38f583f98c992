#pragma once
#include <string>
#include <utility>
#include <variant>

#include "base/result.h"

namespace isthmus {

/// Why something could not be done, for a person: what names the thing and the reason, hint the next step (may be
/// empty). Neither ends in a full stop or holds a secret.
struct Problem {
  Errno code{};
  std::string what;
  std::string hint;
  /// "what\n  hint", for stderr.
  std::string text() const { return hint.empty() ? what : what + "\n  " + hint; }
};

/// A value, or a Problem. For set-up work; operations of a file system use Result.
template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : v_(std::in_place_index<1>, std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Expected(Problem problem) : v_(std::in_place_index<0>, std::move(problem)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return v_.index() == 1; }
  T& operator*() & { return *std::get_if<1>(&v_); }
  const T& operator*() const& { return *std::get_if<1>(&v_); }
  T&& operator*() && { return std::move(*std::get_if<1>(&v_)); }
  T* operator->() { return std::get_if<1>(&v_); }
  const T* operator->() const { return std::get_if<1>(&v_); }
  const Problem& problem() const { return *std::get_if<0>(&v_); }

 private:
  std::variant<Problem, T> v_;
};

}  // namespace isthmus
