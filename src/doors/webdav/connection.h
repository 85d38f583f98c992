#pragma once
#include <memory>
#include <optional>
#include <string>

#include "doors/webdav/channel.h"
#include "doors/webdav/exchange.h"
#include "doors/webdav/input_buffer.h"
#include "run/streams.h"
#include "wire/http/request.h"

namespace isthmus::webdav {

/// One client's connection: reads requests one after the other, has them answered, and sends the answers in order.
class Connection final : public Stream {
 public:
  /// uid: of the client, if it is of this machine.
  Connection(Site& site, int socket, std::unique_ptr<Channel> channel, std::optional<uint32_t> uid)
      : site_(site), socket_(socket), channel_(std::move(channel)), connected_(site.metrics, uid) {}

  Next ready() override;
  std::chrono::milliseconds patience() const override;
  bool idle() const override { return state_ == State::hello || (state_ == State::head && in_.empty()); }

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : uint8_t {
    hello,   ///< agrees on TLS
    head,    ///< waits for a request, or for the rest of its head
    body,    ///< takes its body
    answer,  ///< sends
    drain,   ///< answered before the body was read: reads on for a while, as a reset would take the answer from the
             ///< client
  };
  enum class Step : uint8_t { go_on, wait_read, wait_write, close };

  Step say_hello();
  static Step step_after(Channel::Did did);
  Step read_head();
  /// False: more bytes will tell.
  bool skip_tail();
  bool ends_without_saying();
  Step read_body();
  Step begin_body();
  Step send_answer();
  Step drain();
  Step answered();
  void give(Answer answer);
  void record(const Answer& answer);
  Step finish_body();

  /// More bytes of the peer behind those that are there. wait_read: there are none now.
  Step receive(size_t room);
  std::string_view input() const { return in_.text(); }
  Step send_pending(bool more);
  Step send_file();
  Step copy_file();
  Step file_sent(size_t n);
  /// What wait_read is when others shall have their turn first.
  size_t pending() const { return out_.size() + body_.size() - out_sent_; }
  Step later() const { return channel_->holds_bytes() ? Step::wait_write : Step::wait_read; }

  Site& site_;
  const int socket_;
  const std::unique_ptr<Channel> channel_;
  DoorMetrics::Connected connected_;
  State state_ = channel_->is_plain() ? State::head : State::hello;
  http::RequestReader reader_;
  InputBuffer in_;
  bool end_of_input_ = false;
  std::optional<Clock::time_point> since_;  // when the head that is not whole, or the drain, began
  std::string_view tail_;                   // of the last body: may still come, or never

  // Of the request in hand. The method and the source use the exchange.
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Method> method_;
  uint64_t body_left_ = 0;
  uint64_t drained_ = 0;
  bool body_unread_ = false, head_only_ = false;
  uint64_t received_ = 0;             // of the body
  std::optional<uint64_t> expected_;  // of a chunked body whose end may be missing

  Clock::time_point begun_;  // its head was whole
  std::string method_name_;  // empty: the head was refused

  // Of the answer in hand.
  std::string out_;      // the head, and what is short behind it
  std::string body_;     // then this
  size_t out_sent_ = 0;  // of both
  std::unique_ptr<BodySource> source_;
  std::optional<uint64_t> source_left_;  // bytes that the head promised; none: chunks
  bool chunked_ = false, keep_ = true, source_done_ = false;
  BodySource::Part file_part_;  // what is left of a range of a file
};

}  // namespace isthmus::webdav
