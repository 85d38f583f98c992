#include "fs/trace/trace.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

#include "base/clock.h"
#include "fs/trace/format.h"
#include "vfs/op_names.h"

namespace isthmus::fs::trace {
namespace {

bool parse_operations(std::string_view list, uint64_t& bits, std::string& why) {
  std::string_view wrong;
  auto named = parse_op_names(list, ',', wrong);
  if (named)
    bits = named->bits();
  else
    why = fmt::format(
        "trace.ops: no operation is called '{}'; names are those of the trace, such as lookup or read_dir", wrong);
  return named.has_value();
}

std::string clock_text(Time t) {
  std::tm local{};
  time_t sec = t.sec;
  localtime_r(&sec, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec, t.nsec / 1000);
}

}  // namespace

bool parse_options(KeyValues keys, Options& out, std::string& why) {
  for (auto& [key, value] : keys) {
    if (key == "trace.file") out.file = value;
    if (key == "trace.format") {
      out.json = value == "json";
      if (value != "json" && value != "text") {
        why = fmt::format("trace.format: '{}' is neither 'text' nor 'json'", value);
        return false;
      }
    }
    if (key == "trace.ops" && !parse_operations(value, out.operations, why)) return false;
  }
  return true;
}

template <class Inner>
Result<std::unique_ptr<FileSystem>> Trace::make_around(Inner&& inner, const Options& options) {
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  Fd out(options.file.empty() ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : ::open(options.file.c_str(), flags, 0600));
  if (!out) return last_errno();
  return std::unique_ptr<FileSystem>(new Trace(std::forward<Inner>(inner), options, std::move(out)));
}

Result<std::unique_ptr<FileSystem>> Trace::make(std::unique_ptr<FileSystem> inner, const Options& options) {
  return make_around(std::move(inner), options);
}
Result<std::unique_ptr<FileSystem>> Trace::make(FileSystem& inner, const Options& options) {
  return make_around(inner, options);
}

template <class T>
void Trace::around(Pending<T>& p) {
  if (!(options_.operations & Capabilities::bit(T::id))) return inner().submit(p);
  watch(p, [this, start = monotonic_ns()](const T& args, const Context& ctx, Result<typename T::Reply>& r) {
    line(args, ctx, r, monotonic_ns() - start);
  });
}

template <class T>
void Trace::line(const T& args, const Context& ctx, const Result<typename T::Reply>& r, int64_t took_ns) noexcept try {
  std::string s;
  auto out = std::back_inserter(s);
  double took = static_cast<double>(took_ns) / 1e9;
  Time now = clock_time(CLOCK_REALTIME);
  if (options_.json) {
    fmt::format_to(out, "{{\"time\":{}.{:06},\"id\":{},\"op\":\"{}\",\"uid\":{},\"pid\":{},\"args\":{{", now.sec,
                   now.nsec / 1000, ctx.id, name_of(T::id), ctx.cred.uid, ctx.cred.pid);
    Writer a(s, true);
    write_args(a, args);
    s += "},";
    if (r) {
      s += "\"result\":{";
      Writer w(s, true);
      write_reply(w, *r);
      s += '}';
    } else {
      fmt::format_to(out, "\"error\":\"{}\"", name_of(r.error()));
    }
    fmt::format_to(out, ",\"seconds\":{:.6f}}}\n", took);
  } else {
    fmt::format_to(out, "{} {}(", clock_text(now), name_of(T::id));
    Writer a(s, false);
    write_args(a, args);
    s += ") = ";
    size_t before = s.size();
    Writer w(s, false);
    if (r)
      write_reply(w, *r);
    else
      fmt::format_to(out, "{} ({})", name_of(r.error()), text_of(r.error()));
    if (s.size() == before) s += "0";
    fmt::format_to(out, " <{:.6f}>\n", took);
  }
  [[maybe_unused]] ssize_t n = ::write(out_.get(), s.data(), s.size());
} catch (...) {
  // No memory for a line of a trace: the operation itself is not disturbed.
}

#define X(Type, method, R) template void Trace::around<op::Type>(Pending<op::Type>&);
#include "vfs/ops.def"
#undef X

}  // namespace isthmus::fs::trace
