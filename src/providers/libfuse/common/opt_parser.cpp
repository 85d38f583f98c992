#include "providers/libfuse/common/opt_parser.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "providers/libfuse/common/args.h"
#include "providers/libfuse/common/message.h"

namespace isthmus::libfuse {
namespace {

/// Where in a template its parameter begins, or null. '=' counts before ' ', wherever they stand.
const char* separator_of(const char* templ) {
  const char* sep = strchr(templ, '=');
  if (!sep) sep = strchr(templ, ' ');
  return sep && (sep[1] == '\0' || sep[1] == '%') ? sep : nullptr;
}

bool matches(const char* templ, const char* arg, size_t& sep) {
  if (const char* at = separator_of(templ)) {
    auto before = static_cast<size_t>(at - templ);
    size_t length = before + (*at == '=' ? 1 : 0);
    if (strncmp(arg, templ, length) == 0) {
      sep = before;
      return true;
    }
  }
  sep = 0;
  return strcmp(templ, arg) == 0;
}

int store(void* to, const char* format, const char* parameter, const char* arg, OptParser::Replaced replaced) {
  assert(format[0] == '%');
  if (format[1] == 's') {
    char* copy = strdup(parameter);
    if (!copy) return no_memory();
    char* before = std::exchange(*static_cast<char**>(to), copy);
    if (replaced == OptParser::Replaced::freed) free(before);
    return 0;
  }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  if (sscanf(parameter, format, to) == 1) return 0;
#pragma GCC diagnostic pop
  message(FUSE_LOG_ERR, "fuse: invalid parameter in option `%s'\n", arg);
  return -1;
}

bool octal(const char* s) {
  return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/// Copies one part of a list, up to a comma, without its escapes: backslash and a character, or three octal digits.
/// Returns where it ends in the list.
const char* unescape_part(const char* s, char* to) {
  while (*s != '\0' && *s != ',') {
    if (*s == '\\' && s[1] != '\0') {
      s++;
      if (octal(s)) {
        *to++ = static_cast<char>((s[0] - '0') * 64 + (s[1] - '0') * 8 + (s[2] - '0'));
        s += 3;
        continue;
      }
    }
    *to++ = *s++;
  }
  *to = '\0';
  return s;
}

}  // namespace

const fuse_opt* find_row(const fuse_opt* row, const char* arg, size_t& sep) {
  for (; row && row->templ; row++)
    if (matches(row->templ, arg, sep)) return row;
  return nullptr;
}

OptParser::~OptParser() {
  free_args(kept_);
  free(list_);
}

void OptParser::swap_args(fuse_args& args) { std::swap(args, kept_); }

int OptParser::run() {
  if (add_arg(kept_, in_.argv[0]) < 0) return -1;
  for (at_ = 1; at_ < in_.argc; at_++)
    if (take_argument(in_.argv[at_]) < 0) return -1;
  if (list_ && (insert_arg(kept_, 1, "-o") < 0 || insert_arg(kept_, 2, list_) < 0)) return -1;
  // A "--" with nothing behind it goes, unless a list was put before it: programs have seen it stay then.
  if (separator_ != 0 && separator_ == kept_.argc && strcmp(kept_.argv[kept_.argc - 1], "--") == 0) {
    free(kept_.argv[--kept_.argc]);
    kept_.argv[kept_.argc] = nullptr;
  }
  return 0;
}

int OptParser::take_argument(const char* arg) {
  if (separator_ != 0 || arg[0] != '-') return ask(arg, FUSE_OPT_KEY_NONOPT, From::argument);
  if (arg[1] == 'o') {
    const char* list = arg[2] ? arg + 2 : next_argument(arg);
    return list ? take_list(list) : -1;
  }
  if (arg[1] == '-' && arg[2] == '\0') {
    if (add_arg(kept_, arg) < 0) return -1;
    separator_ = kept_.argc;
    return 0;
  }
  return take_option(arg, From::argument);
}

int OptParser::take_list(const char* list) {
  auto* part = static_cast<char*>(malloc(strlen(list) + 1));
  if (!part) return no_memory();
  int result = 0;
  for (const char* at = list; result == 0; at++) {
    at = unescape_part(at, part);
    if (take_option(part, From::list) < 0) result = -1;
    if (*at == '\0') break;
  }
  free(part);
  return result;
}

int OptParser::take_option(const char* arg, From from) {
  size_t sep = 0;
  const fuse_opt* row = find_row(table_, arg, sep);
  if (!row) return ask(arg, FUSE_OPT_KEY_OPT, from);
  for (; row; row = find_row(row + 1, arg, sep)) {
    bool next = sep != 0 && row->templ[sep] == ' ' && arg[sep] == '\0';
    if ((next ? apply_with_next(*row, sep, arg, from) : apply(*row, sep, arg, from)) < 0) return -1;
  }
  return 0;
}

/// "-x" and "value" are seen as "-xvalue".
int OptParser::apply_with_next(const fuse_opt& row, size_t sep, const char* arg, From from) {
  const char* parameter = next_argument(arg);
  if (!parameter) return -1;
  const size_t size = strlen(parameter) + 1;
  auto* joined = static_cast<char*>(malloc(sep + size));
  if (!joined) return no_memory();
  memcpy(joined, arg, sep);
  memcpy(joined + sep, parameter, size);
  int result = apply(row, sep, joined, from);
  free(joined);
  return result;
}

int OptParser::apply(const fuse_opt& row, size_t sep, const char* arg, From from) {
  constexpr unsigned long kCall = -1U;
  if (row.offset == kCall) return ask(arg, row.value, from) < 0 ? -1 : 0;
  void* to = static_cast<char*>(data_) + row.offset;
  if (sep == 0 || row.templ[sep + 1] == '\0') {
    *static_cast<int*>(to) = row.value;
    return 0;
  }
  const char* parameter = arg + sep + (row.templ[sep] == '=' ? 1 : 0);
  return store(to, row.templ + sep + 1, parameter, arg, replaced_);
}

int OptParser::ask(const char* arg, int key, From from) {
  if (key == FUSE_OPT_KEY_DISCARD) return 0;
  if (key != FUSE_OPT_KEY_KEEP && proc_) {
    int wish = proc_(data_, arg, key, &kept_);
    if (wish == -1 || wish == 0) return wish;
  }
  return from == From::list ? add_opt(list_, arg, true) : add_arg(kept_, arg);
}

const char* OptParser::next_argument(const char* arg) {
  if (at_ + 1 < in_.argc) return in_.argv[++at_];
  message(FUSE_LOG_ERR, "fuse: missing argument after `%s'\n", arg);
  return nullptr;
}

}  // namespace isthmus::libfuse
