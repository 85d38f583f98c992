#pragma once
#include "libfuse/common/exports.h"
#include "providers/libfuse/v2/structs.h"

// Functions whose types are version 2's are in namespace v2, under a name of ours; what they are called in C is told to
// the assembler. Declared so, they must agree with the header.

/// The start of the definition of `name`, in namespace isthmus::libfuse::v2.
#define ISTHMUS_FUNCTION_2(result, name, ...)                                              \
  __attribute__((visibility("default"))) result c_##name(__VA_ARGS__) __asm__(#name);      \
  static_assert(std::is_same_v<decltype(c_##name), decltype(name)>, "the header differs"); \
  result c_##name(__VA_ARGS__)

/// The same for one that no header has: what `name` was before version 2.2, without a version, or at `version`.
#define ISTHMUS_FUNCTION_2_OLD(result, function, ...)                                         \
  __attribute__((visibility("default"))) result c_##function(__VA_ARGS__) __asm__(#function); \
  result c_##function(__VA_ARGS__)
