#include "doors/webdav/connection.h"

#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "wire/http/dates.h"
#include "wire/http/response.h"

namespace isthmus::webdav {
namespace {

constexpr size_t kReceive = size_t{16} << 10;       // bytes asked for at once of heads
constexpr size_t kReceiveBody = size_t{256} << 10;  // and of bodies
constexpr uint64_t kDrain = uint64_t{256} << 10;    // of a body that nobody wants
constexpr size_t kCopied = size_t{16} << 10;        // a shorter body goes out with its head
constexpr size_t kTurn = size_t{8} << 20;           // bytes of a body or an answer before others have their turn
constexpr std::chrono::milliseconds kIdleTime{120'000}, kBodyTime{60'000}, kSendTime{60'000}, kDrainTime{2'000};

}  // namespace

std::chrono::milliseconds Connection::patience() const {
  // Counted from its begin: a byte now and then does not make it longer.
  auto left_of = [this](std::chrono::milliseconds whole) {
    const auto spent =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since_.value_or(Clock::now()));
    return std::max(whole - spent, std::chrono::milliseconds{0});
  };
  switch (state_) {
    case State::hello:
      return left_of(site_.options.head_time);
    case State::head:
      return idle() ? kIdleTime : left_of(site_.options.head_time);
    case State::body:
      return kBodyTime;
    case State::drain:
      return left_of(keep_ ? site_.options.head_time : kDrainTime);
    default:
      return kSendTime;
  }
}

Stream::Next Connection::ready() {
  try {
    while (true) {
      Step step = Step::close;
      switch (state_) {
        case State::hello:
          step = say_hello();
          break;
        case State::head:
          step = read_head();
          break;
        case State::body:
          step = read_body();
          break;
        case State::answer:
          step = send_answer();
          break;
        case State::drain:
          step = drain();
          break;
      }
      switch (step) {
        case Step::go_on:
          continue;
        case Step::wait_read:
          return Next::read;
        case Step::wait_write:
          return Next::write;
        case Step::close:
          return Next::close;
      }
    }
  } catch (const std::exception& e) {
    log(LogLevel::error, "a WebDAV request failed: {}", e.what());
    return Next::close;
  }
}

Connection::Step Connection::receive(size_t room) {
  if (end_of_input_) return Step::close;
  char* to = in_.room(room);
  const Channel::Moved got = channel_->receive(to, room);
  if (got.did == Channel::Did::some) in_.added(got.size);
  end_of_input_ = got.did == Channel::Did::over;
  return step_after(got.did);
}

Connection::Step Connection::say_hello() {
  if (!since_) since_ = Clock::now();
  const Step step = step_after(channel_->begin());
  if (step == Step::go_on) {
    since_.reset();
    state_ = State::head;
  }
  return step;
}

Connection::Step Connection::step_after(Channel::Did did) {
  switch (did) {
    case Channel::Did::some:
      return Step::go_on;
    case Channel::Did::needs_read:
      return Step::wait_read;
    case Channel::Did::needs_write:
      return Step::wait_write;
    case Channel::Did::over:
      break;
  }
  return Step::close;
}

Connection::Step Connection::read_head() {
  while (true) {
    if (!input().empty() && !since_) since_ = Clock::now();
    if (skip_tail() && !input().empty()) {
      auto got = reader_.head(input());
      if (const auto* refusal = std::get_if<http::Refusal>(&got)) {
        keep_ = head_only_ = false;
        begun_ = Clock::now();
        method_name_.clear();
        give(plain_answer(refusal->status, refusal->why));
        return Step::go_on;
      }
      if (const auto* head = std::get_if<http::RequestReader::Head>(&got)) {
        in_.consume(head->consumed);
        return begin_body();
      }
    }
    if (Step step = receive(kReceive); step != Step::go_on) return step;
  }
}

bool Connection::skip_tail() {
  if (tail_.empty() || input().empty()) return true;
  if (tail_.size() > input().size() && tail_.starts_with(input())) return false;
  if (input().starts_with(tail_)) in_.consume(tail_.size());
  tail_ = {};
  if (input().empty()) since_.reset();
  return true;
}

/// Some versions of macOS' client do not send the end of a chunked body whose length they have told.
bool Connection::ends_without_saying() {
  if (!expected_ || received_ != *expected_) return false;
  auto missing = reader_.missing_end();
  if (!missing || !missing->starts_with(input())) return false;
  tail_ = *missing;
  return true;
}

Connection::Step Connection::begin_body() {
  const http::Request& request = reader_.request();
  since_.reset();
  begun_ = Clock::now();
  method_name_ = request.method;
  connected_.request(request.field("User-Agent"));
  head_only_ = request.method == "HEAD";
  received_ = 0;
  expected_.reset();
  if (request.chunked && request.field("User-Agent").starts_with("WebDAVFS/"))
    expected_ = parse_number(request.field("X-Expected-Entity-Length"), uint64_t{1} << 62);
  keep_ = request.keep_alive;
  body_left_ = request.content_length.value_or(0);
  body_unread_ = request.has_body();
  auto path = site_.guard.check(request);
  if (auto* refused = std::get_if<Answer>(&path)) {
    give(std::move(*refused));
    return Step::go_on;
  }
  exchange_ = std::make_unique<Exchange>(site_, request, std::move(std::get<http::Path>(path)));
  method_ = make_method(*exchange_);
  if (!method_) {
    const bool known = request.method == "POST" || request.method == "TRACE" || request.method == "CONNECT" ||
                       request.method == "PATCH";
    give(plain_answer(known ? 405 : 501, "no such method here"));
    return Step::go_on;
  }
  if (auto early = method_->begin()) {
    give(std::move(*early));
    return Step::go_on;
  }
  if (!request.has_body()) return finish_body();
  if (request.expects_continue && input().empty()) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // So few bytes find room, as nothing else is on its way.
    if (channel_->send(kContinue.data(), kContinue.size(), false).size != kContinue.size()) return Step::close;
  }
  state_ = State::body;
  return Step::go_on;
}

Connection::Step Connection::finish_body() {
  body_unread_ = false;
  give(method_->end());
  return Step::go_on;
}

Connection::Step Connection::read_body() {
  const bool chunked = reader_.request().chunked;
  size_t turn = 0;
  while (true) {
    if (!input().empty()) {
      std::string_view data;
      size_t consumed = 0;
      bool last = false;
      if (chunked) {
        auto got = reader_.chunk(input());
        if (const auto* refusal = std::get_if<http::Refusal>(&got)) {
          keep_ = false;
          give(plain_answer(refusal->status, refusal->why));
          return Step::go_on;
        }
        const auto& piece = std::get<http::RequestReader::Piece>(got);
        data = piece.data;
        consumed = piece.consumed;
        last = piece.last;
      } else {
        data = input().substr(0, std::min<uint64_t>(body_left_, input().size()));
        consumed = data.size();
        body_left_ -= consumed;
        last = body_left_ == 0;
      }
      received_ += data.size();
      turn += data.size();
      if (!data.empty()) {
        if (auto early = method_->body(as_bytes(data))) {
          in_.consume(consumed);
          body_unread_ = !last;
          give(std::move(*early));
          return Step::go_on;
        }
      }
      in_.consume(consumed);
      if (last) return finish_body();
      if (consumed > 0) continue;
    }
    if (turn >= kTurn) return later();
    if (Step step = receive(kReceiveBody); step != Step::go_on) return ends_without_saying() ? finish_body() : step;
  }
}

void Connection::record(const Answer& answer) {
  const bool failed = answer.status >= 500;
  site_.metrics.request(method_name_, Clock::now() - begun_, failed);
  site_.metrics.transferred(std::exchange(received_, 0), 0);
  if (failed && answer.status != 501)
    site_.metrics.error(fmt::format("{} {}: {} {}", method_name_, exchange_ ? path_text(exchange_->names) : "",
                                    answer.status, http::reason_of(answer.status)));
}

/// Puts the head of the answer, and what of its body is in memory, into out_.
void Connection::give(Answer answer) {
  record(answer);
  // An answer before the body: what of it is on its way can be read past if it is little, else the connection ends.
  const bool late_body =
      body_unread_ && (reader_.request().chunked || reader_.request().expects_continue || body_left_ > kDrain);
  if (answer.close || late_body) keep_ = false;
  source_ = std::move(answer.source);
  source_left_ = answer.length;
  chunked_ = source_ && !answer.length && reader_.request().minor == 1;
  if (source_ && !answer.length && !chunked_) keep_ = false;  // HTTP/1.0: the end of the connection ends the body
  source_done_ = !source_;

  out_.clear();
  body_.clear();
  out_sent_ = 0;
  http::ResponseHead head(out_, answer.status);
  out_ += answer.fields;
  if (answer.status == 405) head.field("Allow", allowed_methods(site_));
  head.field("Date", http::format_date(now()));
  if (chunked_)
    head.field("Transfer-Encoding", "chunked");
  else if (answer.length)
    head.field("Content-Length", *answer.length);
  else if (!source_ && answer.status != 204 && answer.status != 304)
    head.field("Content-Length", answer.body.size());
  if (!keep_)
    head.field("Connection", "close");
  else if (reader_.request().minor == 0)
    head.field("Connection", "keep-alive");
  head.end();
  if (head_only_) {
    source_.reset();
    source_done_ = true;
  } else if (answer.body.size() < kCopied) {
    out_ += answer.body;
    site_.spare_texts.give(std::move(answer.body));
  } else {
    body_ = std::move(answer.body);
  }
  state_ = State::answer;
}

Connection::Step Connection::send_pending(bool more) {
  while (pending() > 0) {
    const bool in_head = out_sent_ < out_.size();
    const std::string_view left =
        in_head ? std::string_view(out_).substr(out_sent_) : std::string_view(body_).substr(out_sent_ - out_.size());
    const Channel::Moved sent = channel_->send(left.data(), left.size(), more || (in_head && !body_.empty()));
    if (sent.did != Channel::Did::some) return step_after(sent.did);
    out_sent_ += sent.size;
    site_.metrics.transferred(0, sent.size);
  }
  out_.clear();
  out_sent_ = 0;
  if (!body_.empty()) site_.spare_texts.give(std::exchange(body_, {}));
  return Step::go_on;
}

Connection::Step Connection::send_answer() {
  size_t turn = 0;
  while (true) {
    if (file_part_.length > 0) {
      if (Step step = send_pending(true); step != Step::go_on) return step;
      const size_t before = file_part_.length;
      if (Step step = channel_->is_plain() ? send_file() : copy_file(); step != Step::go_on) return step;
      turn += before - file_part_.length;
    } else if (!source_done_ && pending() < kReceive) {
      BodySource::Part part;
      switch (source_->next(part)) {
        case BodySource::Got::failed:
          return Step::close;
        case BodySource::Got::end:
          source_done_ = true;
          if (chunked_) out_ += "0\r\n\r\n";
          if (source_left_.value_or(0) != 0) return Step::close;
          break;
        case BodySource::Got::part: {
          const size_t size = part.fd >= 0 ? part.length : part.bytes.size();
          if (source_left_) *source_left_ -= std::min<uint64_t>(*source_left_, size);
          if (part.fd >= 0) {
            file_part_ = part;
          } else if (chunked_) {
            if (!part.bytes.empty()) out_ += fmt::format("{:x}\r\n{}\r\n", part.bytes.size(), part.bytes);
          } else {
            out_ += part.bytes;
          }
          break;
        }
      }
      if (!source_done_ && source_left_ == 0u && file_part_.length == 0) source_done_ = true;
    } else {
      const size_t before = pending();
      if (Step step = send_pending(false); step != Step::go_on) return step;
      turn += before;
      if (source_done_) return answered();
    }
    if (turn >= kTurn) return Step::wait_write;
  }
}

Connection::Step Connection::send_file() {
  auto offset = static_cast<off_t>(file_part_.offset);
  ssize_t n;
  do n = sendfile(socket_, file_part_.fd, &offset, std::min(file_part_.length, kTurn));
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? Step::wait_write : Step::close;
  site_.metrics.transferred(0, static_cast<uint64_t>(n));
  return file_sent(static_cast<size_t>(n));
}

/// Where bytes must pass through the channel.
Connection::Step Connection::copy_file() {
  out_.resize(std::min(file_part_.length, kReceiveBody));
  ssize_t n;
  do n = pread(file_part_.fd, out_.data(), out_.size(), static_cast<off_t>(file_part_.offset));
  while (n < 0 && errno == EINTR);
  out_.resize(n > 0 ? static_cast<size_t>(n) : 0);
  if (n < 0) return Step::close;
  return file_sent(static_cast<size_t>(n));
}

Connection::Step Connection::file_sent(size_t n) {
  if (n == 0) return Step::close;  // the file has become shorter than the head says
  file_part_.offset += n;
  file_part_.length -= n;
  return Step::go_on;
}

Connection::Step Connection::answered() {
  source_.reset();
  method_.reset();
  exchange_.reset();
  file_part_ = {};
  in_.trim(kReceive * 2);
  if (keep_ && !body_unread_) {
    state_ = State::head;
    return Step::go_on;
  }
  if (!keep_) channel_->end_sending();
  since_ = Clock::now();
  state_ = State::drain;
  drained_ = 0;
  return Step::go_on;
}

Connection::Step Connection::drain() {
  while (true) {
    const size_t have = input().size();
    if (keep_) {
      // The rest of a short body, then the next request.
      const size_t n = static_cast<size_t>(std::min<uint64_t>(body_left_, have));
      in_.consume(n);
      body_left_ -= n;
      if (body_left_ == 0) {
        body_unread_ = false;
        since_.reset();
        state_ = State::head;
        return Step::go_on;
      }
    } else {
      drained_ += have;
      in_.consume(have);
      if (drained_ > kDrain * 16) return Step::close;
    }
    if (Step step = receive(kReceive); step != Step::go_on) return step;
  }
}

}  // namespace isthmus::webdav
