#include "fs/archive/decoder.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "fs/archive/names.h"

namespace isthmus::fs::archive {
namespace {

constexpr uint64_t kPiece = Spool::kPiece;
// Live readers. Each has the decompressor's window (up to 128 MiB for zstd and xz) when it comes from the beginning,
// and about 1 MiB when it jumped to a zip entry.
constexpr size_t kMostCursors = 4, kMostJumped = 16;
constexpr uint64_t kStartCost = 1 << 20,
                   kJumpCost = uint64_t{64} << 10;           // bytes decoded in the time that a start takes
constexpr auto kLookAgain = std::chrono::milliseconds(100);  // whether the caller gave up
// Seeking far ahead in a big file: what lies more than this many pieces before the target is not kept.
constexpr uint64_t kFarAhead = 64;

constinit const std::array<std::byte, kPiece> kZeros{};

}  // namespace

/// Gives a slot back, however its user leaves.
class Decoder::Busy {
 public:
  Busy(Decoder& d, std::shared_ptr<Slot> s) : d_(d), slot_(std::move(s)) {}
  ~Busy() {
    std::lock_guard lock(d_.m_);
    slot_->busy = false;
    slot_->last_use = ++d_.clock_;
    if (!slot_->cursor || !slot_->cursor->usable()) d_.cursors_.remove(slot_);
    d_.moved_.notify_all();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Decoder& d_;
  std::shared_ptr<Slot> slot_;
};

Decoder::Decoder(const Archive& a, Spool& spool, const Secret* passphrase, const std::string& charset)
    : a_(a), spool_(spool), passphrase_(passphrase), charset_(charset) {
  for (uint32_t i = 0; i < a.index.nodes.size(); i++) {
    const Node& n = a.index.nodes[i];
    if (n.plan != Plan::stream || n.nlink == 0) continue;
    if (node_of_entry_.empty()) node_of_entry_.assign(size_t{a.entries} + 1, kNone);
    node_of_entry_[n.ordinal] = i;
  }
}

bool Decoder::hole(uint32_t node, uint64_t piece) const {
  auto* map = a_.index.sparse_map(a_.index.nodes[node]);
  if (!map) return false;
  uint64_t from = piece * kPiece;
  auto it = std::upper_bound(map->begin(), map->end(), from,
                             [](uint64_t at, const Extent& e) { return at < e.offset + e.length; });
  return it == map->end() || it->offset >= from + kPiece;
}

bool Decoder::wanted(uint32_t ordinal) {
  std::lock_guard lock(m_);
  return waited_for_.contains(ordinal);
}

// Finds what is cached. True: nothing is missing.
bool Decoder::collect(Need& need) {
  bool complete = true;
  for (size_t i = 0; i < need.have.size(); i++) {
    auto& h = need.have[i];
    uint64_t number = need.base + i;
    if (h || hole(need.node, number) || (h = spool_.find(need.node, number))) continue;
    if (complete) need.first = number;
    need.last = number;
    complete = false;
  }
  return complete;
}

Buffer Decoder::assemble(const Need& need, uint64_t offset, size_t size) const {
  Buffer out;
  for (size_t i = 0; size > 0; i++) {
    uint64_t start = (need.base + i) * kPiece, in = offset - start;
    size_t n = static_cast<size_t>(std::min<uint64_t>(size, kPiece - in));
    if (auto& h = need.have[i])
      h->append_to(out, in, n);
    else
      out.append(Buffer::Owned{nullptr, Bytes(kZeros).first(n)});
    offset += n;
    size -= n;
  }
  return out;
}

Result<Buffer> Decoder::read(const Context& ctx, uint32_t node, uint64_t offset, size_t size) {
  const Node& n = a_.index.nodes[node];
  if (offset >= n.size || size == 0) return Buffer();
  size = static_cast<size_t>(std::min<uint64_t>(size, n.size - offset));
  Need need{ctx, node, offset / kPiece, {}};
  need.have.resize(static_cast<size_t>((offset + size - 1) / kPiece - need.base + 1));
  for (;;) {
    if (collect(need)) return assemble(need, offset, size);
    if (ctx.cancelled()) return err(EINTR);
    std::shared_ptr<Slot> slot;
    {
      std::unique_lock lock(m_);
      if (auto it = faults_.find(node); it != faults_.end() && it->second.piece <= need.last) return it->second.code;
      if (n.plan == Plan::stream && n.ordinal > dead_from_) {
        lock.unlock();
        return fail(nullptr, node, 0, "the archive cannot be read up to here", true);
      }
      slot = choose(need);
      if (!slot) {
        auto w = waited_for_.insert(n.ordinal);
        moved_.wait_for(lock, kLookAgain);
        waited_for_.erase(w);
        continue;
      }
      slot->busy = true;
    }
    Busy busy(*this, slot);
    uint64_t first = need.first;
    if (Errno e = fetch(*slot, need); e != Errno{}) return e;
    if (!need.have[first - need.base])
      return fail(nullptr, node, first, "its data is not where its sparse map says", true);
  }
}

// Under m_. The nearest cursor behind the first missing piece, which may be one that is still to be started. Null: the
// best one is at work, wait for it.
std::shared_ptr<Decoder::Slot> Decoder::choose(const Need& need) {
  const Node& n = a_.index.nodes[need.node];
  bool jump = n.plan == Plan::jump;
  uint64_t line = (jump ? 0 : n.where) + need.first * kPiece;
  uint64_t best_cost = line + (jump ? kJumpCost : kStartCost);
  std::shared_ptr<Slot> best, oldest;
  bool start = true;
  size_t count = 0;
  for (auto& s : cursors_) {
    if ((s->jumped_to != kNone) == jump) {
      count++;
      if (!s->busy && (!oldest || s->last_use < oldest->last_use)) oldest = s;
    }
    bool behind =
        jump ? s->jumped_to == need.node && s->coming <= need.first
             : s->jumped_to == kNone && (s->entry < n.ordinal || (s->entry == n.ordinal && s->coming <= need.first));
    if (!behind) continue;
    uint64_t cost = line - std::min(line, s->line);
    if (cost > best_cost || (cost == best_cost && !start)) continue;
    best_cost = cost;
    best = s;
    start = false;
  }
  if (!start) return best->busy ? nullptr : best;
  if (count >= (jump ? kMostJumped : kMostCursors)) {
    if (!oldest) return nullptr;
    cursors_.remove(oldest);
  }
  auto s = std::make_shared<Slot>();
  if (jump) {
    s->jumped_to = need.node;
    s->entry = n.ordinal;
  }
  cursors_.push_back(s);
  return s;
}

void Decoder::publish(Slot& slot) {
  const Cursor& c = *slot.cursor;
  std::lock_guard lock(m_);
  slot.entry = c.entry();
  slot.coming = c.at_end() ? UINT64_MAX : c.coming();
  uint64_t within = c.at_end() ? 0 : c.coming() * kPiece;
  if (slot.jumped_to != kNone) {
    slot.line = within;
  } else if (c.entry() < node_of_entry_.size() && node_of_entry_[c.entry()] != kNone) {
    const Node& n = a_.index.nodes[node_of_entry_[c.entry()]];
    slot.line = n.where + (c.at_end() ? n.size : within);
  }
  if (!waited_for_.empty()) moved_.notify_all();
}

// lasting: asking again would not help.
Errno Decoder::fail(const Cursor* c, uint32_t node, uint64_t piece, const std::string& why, bool lasting) {
  bool first = true;
  {
    std::lock_guard lock(m_);
    if (lasting) first = faults_.try_emplace(node, Fault{piece, err(EIO)}).second;
    if (c && !c->usable() && lasting && a_.index.nodes[node].plan == Plan::stream)
      dead_from_ = std::min(dead_from_, c->entry());
  }
  if (first)
    log(LogLevel::error, "{}: cannot read {}: {}", a_.file.name, printable(a_.index.path_of(node)), printable(why));
  return err(EIO);
}

Errno Decoder::open(Slot& slot, const Need& need) {
  const Node& n = a_.index.nodes[need.node];
  bool jump = slot.jumped_to != kNone;
  Reader::Setup s;
  s.file = &a_.file;
  s.formats = !jump ? a_.formats : a_.zip ? Formats::zip_stream : Formats::tar;
  s.at = jump ? n.where : 0;
  s.charset = charset_;
  s.passphrase = passphrase_;
  s.max_filters = 16;  // the scan has checked it
  std::string why;
  auto reader = Reader::open(s, why);
  if (!reader) return fail(nullptr, need.node, 0, why, false);
  starts_.fetch_add(1, std::memory_order_relaxed);
  slot.cursor = std::make_unique<Cursor>(std::move(reader), jump ? n.ordinal - 1 : 0);
  return {};
}

// Keeps or drops the data of an entry on the way, instead of leaving that to libarchive, which cannot be cancelled.
Errno Decoder::pass_entry(Slot& slot, const Need& need) {
  Cursor& c = *slot.cursor;
  uint32_t node = c.entry() < node_of_entry_.size() ? node_of_entry_[c.entry()] : kNone;
  if (node == kNone) return {};
  const Node& n = a_.index.nodes[node];
  // Where passing costs as much as reading, keep what will still be in the spool when the target is reached.
  uint64_t ahead = a_.index.nodes[need.node].where - std::min(a_.index.nodes[need.node].where, n.where);
  bool keep = (a_.solid && ahead <= spool_.size() / 4 * 3 && n.size <= spool_.big()) || wanted(c.entry());
  if (!keep && !a_.filtered) {  // libarchive can skip it, perhaps for nothing
    c.skip_rest();
    return {};
  }
  while (!c.at_end()) {
    if (need.ctx.cancelled()) return err(EINTR);
    Cursor::Step step = c.next_piece();
    if (step == Cursor::Step::piece) {
      if (!keep) keep = wanted(c.entry());
      if (keep && !spool_.find(node, c.number())) spool_.put(node, c.number(), c.piece(), n.size > spool_.big());
    } else if (step != Cursor::Step::end) {
      fail(&c, node, c.coming(), c.why(), !c.reader().io_failed());
    }
    publish(slot);
  }
  return {};
}

// Brings the cursor to the needed file's entry.
Errno Decoder::reach(Slot& slot, Need& need) {
  const Node& n = a_.index.nodes[need.node];
  Cursor& c = *slot.cursor;
  while (c.entry() < n.ordinal) {
    if (need.ctx.cancelled()) return err(EINTR);
    if (Errno e = pass_entry(slot, need); e != Errno{}) return e;
    Cursor::Step step = c.usable() ? c.next_entry() : Cursor::Step::cut;
    if (step == Cursor::Step::cut || (step == Cursor::Step::damaged && c.entry() == n.ordinal))
      return fail(&c, need.node, 0, c.why(), !c.reader().io_failed());
    uint32_t node = c.entry() == n.ordinal              ? need.node
                    : c.entry() < node_of_entry_.size() ? node_of_entry_[c.entry()]
                                                        : kNone;
    if (step == Cursor::Step::piece && node != kNone) {
      if (slot.jumped_to != kNone && archive_entry_size_is_set(c.header()) &&
          static_cast<uint64_t>(archive_entry_size(c.header())) != n.size)
        return fail(nullptr, need.node, 0, "its own header and the archive's directory disagree", true);
      c.begin(a_.index.nodes[node].size);
    }
    publish(slot);
  }
  return {};
}

Errno Decoder::fetch(Slot& slot, Need& need) {
  const Node& n = a_.index.nodes[need.node];
  if (!slot.cursor)
    if (Errno e = open(slot, need); e != Errno{}) return e;
  if (Errno e = reach(slot, need); e != Errno{}) return e;
  Cursor& c = *slot.cursor;
  bool big = n.size > spool_.big();
  while (!c.at_end() && c.coming() <= need.last) {
    if (need.ctx.cancelled()) return err(EINTR);
    Cursor::Step step = c.next_piece();
    if (step == Cursor::Step::end) break;
    if (step != Cursor::Step::piece) return fail(&c, need.node, c.coming(), c.why(), !c.reader().io_failed());
    uint64_t number = c.number();
    if (!big || number + kFarAhead >= need.first || wanted(n.ordinal)) {
      auto piece = spool_.put(need.node, number, c.piece(), big);
      if (number >= need.base && number < need.base + need.have.size())
        need.have[number - need.base] = std::move(piece);
    }
    publish(slot);
  }
  return {};
}

}  // namespace isthmus::fs::archive
