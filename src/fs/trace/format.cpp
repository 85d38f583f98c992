#include "fs/trace/format.h"

#include <fmt/format.h>

#include <iterator>

#include "base/utf8.h"
#include "vfs/ops_fields.h"

namespace isthmus::fs::trace {
namespace {

/// Longest piece of a name or value that text shows, as strace does for strings.
constexpr size_t kShown = 64;

void escape(std::string& out, unsigned char c, bool json) {
  if (c == '"' || c == '\\')
    (out += '\\') += static_cast<char>(c);
  else if (c == '\n')
    out += "\\n";
  else if (json)  // bytes that are not UTF-8 become lone low surrogates, as Python's surrogateescape writes them
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", c >= 0x80 ? 0xdc00u + c : unsigned{c});
  else
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", unsigned{c});
}

std::string lock_text(const Lock& l) {
  constexpr std::string_view kTypes[] = {"unlock", "shared", "exclusive"};
  std::string end = l.end == kLockEof ? "eof" : std::to_string(l.end);
  return fmt::format("{}[{}..{}] owner {:x} pid {}", kTypes[static_cast<size_t>(l.type)], l.start, end, l.owner, l.pid);
}

std::string time_text(Time t) { return fmt::format("{}.{:09}", t.sec, t.nsec); }

/// Prints one field; the type and sometimes the name say how.
struct Field {
  Writer& w;
  void operator()(std::string_view name, NodeId v) const { w.number(name, raw(v)); }
  void operator()(std::string_view name, HandleId v) const {
    if (v != HandleId::none) w.number(name, raw(v));
  }
  void operator()(std::string_view name, std::string_view v) const { w.text(name, v); }
  void operator()(std::string_view name, Bytes v) const { w.number(std::string(name) + "_size", v.size()); }
  void operator()(std::string_view name, const Buffer* v) const {
    w.number(name == "data" ? "size" : name, v ? v->size() : 0);
  }
  void operator()(std::string_view name, bool v) const { w.flag(name, v); }
  void operator()(std::string_view name, int v) const { w.number(name, static_cast<uint64_t>(v)); }
  void operator()(std::string_view name, uint8_t v) const { w.number(name, v); }
  void operator()(std::string_view name, uint32_t v) const {
    if (name == "mode" || name == "flags")
      w.octal(name, v);
    else if (name == "command")
      w.hex(name, v);
    else
      w.number(name, v);
  }
  void operator()(std::string_view name, uint64_t v) const {
    if (name == "lock_owner")
      w.hex(name, v);
    else
      w.number(name, v);
  }
  void operator()(std::string_view name, const Lock& v) const { w.text(name, lock_text(v)); }
  void operator()(std::string_view name, AclKind v) const { w.number(name, static_cast<uint64_t>(v)); }
  void operator()(std::string_view, const Reparse& v) const {
    w.hex("tag", v.tag);
    w.number("data_size", v.data.size());
  }
  void operator()(std::string_view name, const ExportHandle& v) const { w.number(std::string(name) + "_size", v.size); }
  void operator()(std::string_view, const SetAttr& v) const {
    if (v.mask & kSetMode) w.octal("mode", v.to.mode);
    if (v.mask & kSetUid) w.number("uid", v.to.uid);
    if (v.mask & kSetGid) w.number("gid", v.to.gid);
    if (v.mask & kSetSize) w.number("size", v.to.size);
    if (v.mask & kSetAtime) w.text("atime", time_text(v.to.atime));
    if (v.mask & kSetMtime) w.text("mtime", time_text(v.to.mtime));
    if (v.mask & kSetCtime) w.text("ctime", time_text(v.to.ctime));
    w.flag("atime_now", v.mask & kSetAtimeNow);
    w.flag("mtime_now", v.mask & kSetMtimeNow);
    w.flag("kill_suidgid", v.kill_suidgid);
  }
};

void attr(Writer& w, const Attr& a) {
  w.octal("mode", a.mode);
  w.number("size", a.size);
  w.number("nlink", a.nlink);
  w.number("uid", a.uid);
  w.number("gid", a.gid);
}

void reply_of(Writer&, const Unit&) {}
void reply_of(Writer& w, const Entry& e) {
  w.number("node", raw(e.node));
  if (e.node != NodeId::none) attr(w, e.attr);
}
void reply_of(Writer& w, const Attributes& a) { attr(w, a.attr); }
void reply_of(Writer& w, const Opened& o) {
  w.number("handle", raw(o.handle));
  if (o.flags) w.hex("flags", o.flags);
}
void reply_of(Writer& w, const Created& c) {
  reply_of(w, c.entry);
  reply_of(w, c.opened);
}
void reply_of(Writer& w, const Buffer& b) { w.number("bytes", b.size()); }
void reply_of(Writer& w, uint64_t n) { w.number("value", n); }
void reply_of(Writer& w, uint32_t n) { w.number("value", n); }
void reply_of(Writer& w, uint8_t n) { w.number("value", n); }
void reply_of(Writer& w, HandleId h) { w.number("handle", raw(h)); }
void reply_of(Writer& w, const std::string& s) { w.text("value", s); }
void reply_of(Writer& w, const std::vector<std::string>& v) { w.number("names", v.size()); }
void reply_of(Writer& w, const std::vector<StreamInfo>& v) { w.number("streams", v.size()); }
void reply_of(Writer& w, const Lock& l) { w.text("lock", lock_text(l)); }
void reply_of(Writer& w, const ExportHandle& h) { w.number("size", h.size); }
void reply_of(Writer& w, const StatFs& s) {
  w.number("blocks", s.blocks);
  w.number("blocks_free", s.blocks_free);
  w.number("files", s.files);
}
void reply_of(Writer& w, const IoctlReply& r) {
  w.number("result", static_cast<uint64_t>(r.result));
  w.number("bytes", r.out.size());
  w.flag("retry", r.retry);
}

}  // namespace

void quote(std::string& out, std::string_view v, bool json, size_t max) {
  bool cut = v.size() > max;
  if (cut) v = v.substr(0, max);
  out += '"';
  while (!v.empty()) {
    size_t n = utf8_sequence(v);
    auto c = static_cast<unsigned char>(v[0]);
    bool plain = n > 1 || (n == 1 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\');
    if (plain)
      out += v.substr(0, n);
    else
      escape(out, c, json);
    v.remove_prefix(plain ? n : 1);
  }
  out += '"';
  if (cut && !json) out += "...";
}

void Writer::key(std::string_view name) {
  if (!first_) out_ += json_ ? "," : ", ";
  first_ = false;
  if (json_)
    fmt::format_to(std::back_inserter(out_), "\"{}\":", name);
  else
    fmt::format_to(std::back_inserter(out_), "{}=", name);
}
void Writer::raw(std::string_view name, std::string_view v) {
  key(name);
  out_ += v;
}
void Writer::number(std::string_view name, uint64_t v) { raw(name, fmt::format("{}", v)); }
void Writer::octal(std::string_view name, uint64_t v) {
  raw(name, json_ ? fmt::format("{}", v) : fmt::format("{:#o}", v));
}
void Writer::hex(std::string_view name, uint64_t v) {
  raw(name, json_ ? fmt::format("{}", v) : fmt::format("{:#x}", v));
}
void Writer::text(std::string_view name, std::string_view v) {
  key(name);
  quote(out_, v, json_, json_ ? SIZE_MAX : kShown);
}
void Writer::flag(std::string_view name, bool v) {
  if (json_)
    raw(name, v ? "true" : "false");
  else if (v)
    raw(name, "1");
}

template <class T>
void write_args(Writer& w, const T& args) {
  op::for_each_field(args, Field{w});
}
template <class R>
void write_reply(Writer& w, const R& reply) {
  reply_of(w, reply);
}

#define X(Type, method, R) template void write_args<op::Type>(Writer&, const op::Type&);
#include "vfs/ops.def"
#undef X
template void write_reply<Unit>(Writer&, const Unit&);
template void write_reply<Entry>(Writer&, const Entry&);
template void write_reply<Attributes>(Writer&, const Attributes&);
template void write_reply<std::string>(Writer&, const std::string&);
template void write_reply<Created>(Writer&, const Created&);
template void write_reply<Opened>(Writer&, const Opened&);
template void write_reply<Buffer>(Writer&, const Buffer&);
template void write_reply<uint64_t>(Writer&, const uint64_t&);
template void write_reply<uint32_t>(Writer&, const uint32_t&);
template void write_reply<uint8_t>(Writer&, const uint8_t&);
template void write_reply<StatFs>(Writer&, const StatFs&);
template void write_reply<std::vector<std::string>>(Writer&, const std::vector<std::string>&);
template void write_reply<Lock>(Writer&, const Lock&);
template void write_reply<IoctlReply>(Writer&, const IoctlReply&);
template void write_reply<HandleId>(Writer&, const HandleId&);
template void write_reply<std::vector<StreamInfo>>(Writer&, const std::vector<StreamInfo>&);
template void write_reply<ExportHandle>(Writer&, const ExportHandle&);

}  // namespace isthmus::fs::trace
