#pragma once
#include <utility>

#include "providers/userfs_host/convert.h"
#include "providers/userfs_host/userfs_host.h"

/// For the files that have UserfsHost's operations.
namespace isthmus::userfs_host {

/// Without these there is nothing to stand in for them: their ENOSYS is passed on, once.
constexpr bool has_default(Opcode op) {
  return op != Opcode::lookup && op != Opcode::iread && op != Opcode::readdir && op != Opcode::readdirplus &&
         op != Opcode::read && op != Opcode::write && op != Opcode::notify_change;
}

template <class T>
std::optional<UserfsHost::Now> UserfsHost::present(Call<T>& call) {
  std::unique_lock lock(m_);
  if (state_ == State::up) return Now{this, connection_, life_.load(std::memory_order_relaxed)};
  if (state_ == State::restarting && !stopping_) {
    parked_.push_back({&std::move(call).take(),
                       [](UserfsHost& host, void* p) { host.submit<T>(*static_cast<Pending<T>*>(p)); },
                       [](void* p) { Call<T>(*static_cast<Pending<T>*>(p)).fail(EIO); }});
    return std::nullopt;
  }
  lock.unlock();
  call.fail(EIO);
  return std::nullopt;
}

template <Opcode O, class T, class F>
void UserfsHost::ask(const Now& now, Call<T> call, const In<O>& in, F then, Undo<O> undo, bool patient) {
  if (now.error != Errno{}) return call.fail(now.error);
  class Asked final : public Connection::Waiter {
   public:
    Asked(UserfsHost& h, Call<T> c, F f, Undo<O> u)
        : host(h), call(std::move(c)), then(std::move(f)), undo(std::move(u)) {}
    void answered(Errno e, Bytes body) noexcept override {
      auto out = e == Errno{} ? packets::read_body<Out<O>>(body) : Result<Out<O>>(e);
      if (!call) {
        if (out && undo) undo(*out);
        return;
      }
      if (e == Errno{} && !out) host.bad_answer();
      if (!out && out.error() == err(ENOSYS) && has_default(O)) return host.drop_to_default(std::move(call));
      then(std::move(call), std::move(out));
    }
    std::function<void(Errno)> give_up() override {
      return [c = std::make_shared<Call<T>>(std::move(call))](Errno e) { c->fail(e); };
    }
    UserfsHost& host;
    Call<T> call;
    F then;
    Undo<O> undo;
  };
  const Context& ctx = call.context();  // lives until the call is answered
  Packet packet = packet_of(ctx, in);
  now.connection->ask(O, ctx, std::move(packet),
                      std::make_unique<Asked>(*this, std::move(call), std::move(then), std::move(undo)), patient);
}

template <Opcode O, class T>
void UserfsHost::ask_unit(const Now& now, Call<T> call, const In<O>& in) {
  ask<O>(now, std::move(call), in,
         [](Call<T> c, Result<packets::Empty> r) { c.finish(r ? Status(Unit{}) : Status(r.error())); });
}

template <Opcode O, class T>
void UserfsHost::ask_entry(const Now& now, Call<T> call, const In<O>& in) {
  ask<O>(
      now, std::move(call), in,
      [this, now](Call<T> c, Result<packets::EntryReply> r) {
        if (!r) return c.fail(r.error());
        if constexpr (T::id == Op::Lookup)
          if (r->entry.handle == 0) {
            Entry none;
            none.entry_ttl = r->entry.name_ms;
            return c.reply(none);
          }
        c.finish(entry_of(now, r->entry));
      },
      [this, now](const packets::EntryReply& late) { give_back(now, late.entry.handle); });
}

template <Opcode O, class T>
void UserfsHost::ask_created(const Now& now, Call<T> call, const In<O>& in) {
  const uint32_t flags = in.flags;
  const auto end = [this, now, flags](const packets::CreateReply& late) {
    if (late.opened.fh != 0 && supports(Opcode::close))
      tell<Opcode::close>(now, {late.entry.handle, late.opened.fh, flags, 0, 0});
    give_back(now, late.entry.handle);
  };
  ask<O>(
      now, std::move(call), in,
      [this, now, flags, end](Call<T> c, Result<packets::CreateReply> r) {
        if (!r) return c.fail(r.error());
        const auto entry = entry_of(now, r->entry, T::id != Op::Tmpfile);
        if (!entry || (entry->attr.mode & 0170000) != 0100000) {
          if (entry) {
            bad_answer();
            end(*r);
          }
          return c.fail(EIO);
        }
        if (entry->attr.size == 0) made(entry->node);
        Created answer{*entry, {}};
        answer.opened.handle = add_open(now.life, {Kind::file, r->entry.handle, flags, r->opened.fh});
        answer.opened.flags = r->opened.flags & 127;
        c.reply(answer);
      },
      end);
}

template <Opcode O, class T>
void UserfsHost::ask_opened(const Now& now, Call<T> call, const In<O>& in, Kind kind) {
  uint32_t handle = 0, flags = 0;
  if constexpr (O != Opcode::openquery) {
    handle = in.handle;
    flags = in.flags;
  }
  ask<O>(
      now, std::move(call), in,
      [this, now, handle, flags, kind](Call<T> c, Result<packets::Opened> r) {
        if (!r) return c.fail(r.error());
        Opened o;
        o.handle = add_open(now.life, {kind, handle, flags, r->fh});
        o.flags = r->flags & 127;
        c.reply(o);
      },
      [this, now, handle, flags, kind](const packets::Opened& late) {
        if (late.fh == 0) return;
        if (kind == Kind::file && supports(Opcode::close))
          return tell<Opcode::close>(now, {handle, late.fh, flags, 0, 0});
        if (kind != Kind::file && supports(Opcode::closedir)) return tell<Opcode::closedir>(now, {handle, late.fh});
      });
}

template <Opcode O>
void UserfsHost::tell(const Now& now, const In<O>& in, std::function<void()> heard) {
  class Told final : public Connection::Waiter {
   public:
    explicit Told(std::function<void()> h) : heard(std::move(h)) {}
    void answered(Errno, Bytes) noexcept override {
      if (heard) heard();
    }
    std::function<void(Errno)> give_up() override {
      return [h = std::exchange(heard, nullptr)](Errno) {
        if (h) h();
      };
    }
    std::function<void()> heard;
  };
  now.connection->ask(O, {}, packet_of({}, in), std::make_unique<Told>(std::move(heard)));
}

}  // namespace isthmus::userfs_host
