#include "vfs/call.h"

#include <sys/stat.h>

#include "base/log.h"

namespace isthmus::detail {
namespace {

constexpr Errno kFine{};

Errno mistake(Op op, const char* what) {
  log(LogLevel::error, "{}: the file system answered {}; the caller gets EIO", name_of(op), what);
  return err(EIO);
}

/// A node that a door may hand to its client.
Errno check_entry(Op op, const Entry& e, NodeId parent, bool may_be_parent) {
  if (e.node == NodeId::none) return mistake(op, "with no node");
  if ((e.attr.mode & S_IFMT) == 0) return mistake(op, "with a node that has no file type");
  if (!may_be_parent && (e.node == parent || e.node == NodeId::root))
    return mistake(op, "with a node that is its own parent");
  return kFine;
}

template <class T>
Errno check_value(const T& args, const typename T::Reply& r) {
  if constexpr (T::id == Op::Lookup) {
    if (r.node == NodeId::none) return kFine;
    return check_entry(T::id, r, args.dir, args.name == "." || args.name == "..");
  } else if constexpr (T::id == Op::Link) {
    return check_entry(T::id, r, args.to_dir, false);
  } else if constexpr (T::id == Op::ExportToNode) {
    return check_entry(T::id, r, NodeId::none, true);
  } else if constexpr (std::is_same_v<typename T::Reply, Entry>) {
    return check_entry(T::id, r, args.dir, false);
  } else if constexpr (std::is_same_v<typename T::Reply, Created>) {
    return check_entry(T::id, r.entry, args.dir, false);
  } else if constexpr (T::id == Op::Getattr || T::id == Op::Setattr) {
    return (r.attr.mode & S_IFMT) == 0 ? mistake(T::id, "with attributes that have no file type") : kFine;
  } else if constexpr (T::id == Op::Read) {
    if (r.size() > args.size) return mistake(T::id, "more bytes than were asked for");
    for (auto& s : r.segments())
      if (auto* f = std::get_if<Buffer::Filled>(&s); f && f->length > args.into.size())
        return mistake(T::id, "more bytes than the buffer holds");
    return kFine;
  } else if constexpr (T::id == Op::Write) {
    return r > args.data->size() ? mistake(T::id, "more bytes than were written") : kFine;
  } else if constexpr (T::id == Op::CopyRange) {
    return r > args.length ? mistake(T::id, "more bytes than were to be copied") : kFine;
  } else if constexpr (T::id == Op::Ioctl) {
    return r.out.size() > args.out_max && !r.retry ? mistake(T::id, "more bytes than the caller has room for") : kFine;
  } else {
    return kFine;
  }
}

}  // namespace

void log_dropped(Op op) { log(LogLevel::error, "{}: dropped without an answer; the caller gets EIO", name_of(op)); }
void log_twice(Op op) { log(LogLevel::error, "{}: answered twice; the second answer is ignored", name_of(op)); }
void log_exception(Op op, const char* what) {
  log(LogLevel::error, "{}: the file system threw an exception ({})", name_of(op), what);
}

template <class T>
Errno check_answer(const T& args, const Result<typename T::Reply>& r) {
  if (r) return check_value(args, *r);
  int e = r.code();
  return e >= 1 && e <= 4095 ? kFine : mistake(T::id, "with an error number outside 1..4095");
}

#define X(Type, method, R) template Errno check_answer<op::Type>(const op::Type&, const Result<op::Type::Reply>&);
#include "vfs/ops.def"
#undef X

}  // namespace isthmus::detail
