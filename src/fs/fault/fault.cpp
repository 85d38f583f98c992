#include "fs/fault/fault.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/clock.h"
#include "base/log.h"

namespace isthmus::fs::fault {
namespace {

Blocking blocking_of(const FileSystem& inner, const std::vector<Rule>& rules) {
  bool delays = std::any_of(rules.begin(), rules.end(), [](auto& r) { return r.action == Rule::Action::delay; });
  return delays ? Blocking::may_block : inner.blocking();
}

/// In slices, so that a cancelled operation does not wait for the rest.
void sleep_unless_cancelled(const Context& ctx, uint64_t ns) {
  constexpr int64_t kSlice = 10'000'000;
  int64_t end = monotonic_ns() + static_cast<int64_t>(ns);
  for (int64_t left; !ctx.cancelled() && (left = end - monotonic_ns()) > 0;) {
    timespec t{.tv_sec = 0, .tv_nsec = std::min(left, kSlice)};
    nanosleep(&t, nullptr);
  }
}

size_t shortened(const Rule& r, size_t size) {
  return r.percent ? size * r.amount / 100 : std::min<size_t>(size, r.amount);
}

template <class T>
std::string_view name_in(const T& args) {
  if constexpr (requires { args.name; })
    return args.name;
  else
    return {};
}

/// The first n bytes of b, which must outlive it.
Buffer prefix(const Buffer& b, size_t n) {
  Buffer out;
  for (auto s : b.segments()) {
    std::visit(
        [&](auto& piece) {
          if constexpr (requires { piece.length; }) {
            piece.length = std::min(piece.length, n);
            n -= piece.length;
          } else {
            piece.bytes = piece.bytes.first(std::min(piece.bytes.size(), n));
            n -= piece.bytes.size();
          }
        },
        s);
    out.append(std::move(s));
  }
  return out;
}

}  // namespace

bool parse_options(KeyValues keys, Options& out, std::string& why) {
  for (auto& [key, value] : keys) {
    if (key == "fault.rules" && !parse_rules(value, out.rules, why)) return false;
    if (key != "fault.seed") continue;
    auto [end, e] = std::from_chars(value.data(), value.data() + value.size(), out.seed);
    if (e == std::errc{} && end == value.data() + value.size() && !value.empty()) continue;
    why = fmt::format("fault.seed: '{}' is not a number", value);
    return false;
  }
  return true;
}

Traits Fault::traits() const {
  Traits t = Decorator::traits();
  uint64_t named = 0;
  for (auto& r : rules_)
    if (r.operations != ~uint64_t{0}) named |= r.operations;
  auto any = [&](std::initializer_list<Op> ops) {
    return std::any_of(ops.begin(), ops.end(), [&](Op op) { return named & Capabilities::bit(op); });
  };
  if (any({Op::Open, Op::Create, Op::Release, Op::OpenDir, Op::ReleaseDir})) t.inode_addressed = false;
  if (any({Op::Flush})) t.flush_for_locks = false;
  if (any({Op::GetLock, Op::SetLock})) t.locks_shared = true;
  return t;
}

Fault::Fault(std::unique_ptr<FileSystem> inner, Options options)
    : Decorator(std::move(inner), [&](const FileSystem& i) { return blocking_of(i, options.rules); }),
      rules_(std::move(options.rules)),
      counts_(rules_.size()) {
  uint64_t seed = options.seed ? options.seed : std::random_device{}();
  random_.seed(seed);
  log(LogLevel::info, "fault: {} rules, fault.seed={}", rules_.size(), seed);
}

uint64_t Fault::fired(size_t i) const {
  std::lock_guard lock(m_);
  return counts_.at(i).fired;
}

Fault::Verdict Fault::judge(Op op, std::string_view name) {
  Verdict v;
  std::lock_guard lock(m_);
  for (size_t i = 0; i < rules_.size(); i++) {
    const Rule& r = rules_[i];
    if (!(r.operations & Capabilities::bit(op))) continue;
    if (!r.name.empty() && fnmatch(r.name.c_str(), std::string(name).c_str(), 0) != 0) continue;
    if (r.action == Rule::Action::shorten && op != Op::Read && op != Op::Write) continue;
    Count& c = counts_[i];
    uint64_t nth = c.seen++;
    if (nth < r.after || c.fired >= r.count || (nth - r.after) % r.every != 0) continue;
    if (r.chance < 1 && std::uniform_real_distribution<>(0, 1)(random_) >= r.chance) continue;
    c.fired++;
    if (r.action == Rule::Action::delay) {
      v.delay_ns += r.amount;
      continue;
    }
    v.error = r.error;
    v.shorten = r.action == Rule::Action::shorten ? &r : nullptr;
    break;
  }
  return v;
}

template <class T>
void Fault::around(Pending<T>& p) {
  Verdict v = judge(T::id, name_in(p.args));
  if (v.delay_ns) sleep_unless_cancelled(p.ctx, v.delay_ns);
  // Forget cannot fail: its count would be lost.
  if (v.error && T::id != Op::Forget) return Call<T>(p).fail(v.error);
  if (v.shorten) {
    if constexpr (T::id == Op::Read) {
      p.args.size = shortened(*v.shorten, p.args.size);
    } else if constexpr (T::id == Op::Write) {
      auto less = std::make_shared<Buffer>(prefix(*p.args.data, shortened(*v.shorten, p.args.data->size())));
      p.args.data = less.get();
      return watch(p, [less](const T&, const Context&, Result<size_t>&) {});
    }
  }
  inner().submit(p);
}

#define X(Type, method, R) template void Fault::around<op::Type>(Pending<op::Type>&);
#include "vfs/ops.def"
#undef X

}  // namespace isthmus::fs::fault
