#include "doors/smb/connection.h"

#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <optional>

#include "base/log.h"
#include "doors/smb/chain.h"
#include "doors/smb/logon.h"
#include "wire/smb2/smb1.h"
#include "wire/smb2/transform.h"

namespace isthmus::smb {
namespace {

constexpr size_t kBuffer = size_t{68} << 10;  // bytes: a frame of 64 KiB of data fits
/// A frame of those who have not logged on.
constexpr size_t kLongestOfStrangers = size_t{128} << 10;
constexpr size_t kLongest = kMostIo + (size_t{64} << 10);
constexpr std::chrono::milliseconds kHelloTime{30'000}, kFrameTime{60'000};
constexpr std::chrono::hours kIdleTime{24 * 7};

/// What a frame asks, admitted; null: nothing that is left to do. None: the connection ends.
std::optional<std::shared_ptr<Chain>> admitted(Server& server, const std::shared_ptr<Link>& link,
                                               BytePool::Piece frame) {
  std::shared_ptr<Channel> sealed_by;
  Bytes messages = frame.bytes();
  switch (smb2::protocol_of(messages)) {
    case smb2::Protocol::smb2:
      break;
    case smb2::Protocol::smb1: {
      if (link->agreed.done()) return std::nullopt;
      const auto dialect = smb2::read_smb1_negotiate(messages);
      if (!dialect || !answer_smb1(server, link, *dialect)) return std::nullopt;
      return nullptr;
    }
    case smb2::Protocol::transform: {
      const auto id = smb2::sealed_session(messages);
      if (!id) return std::nullopt;
      sealed_by = link->channel(*id);
      // One that has ended seals what says so.
      if (!sealed_by || !sealed_by->ready()) return std::nullopt;
      const auto opened = sealed_by->open(frame.bytes());
      if (!opened) return std::nullopt;
      messages = *opened;
      break;
    }
    default:
      return std::nullopt;
  }
  auto chain = std::make_shared<Chain>(server, link, std::move(frame), messages, std::move(sealed_by));
  bool idle = false;
  if (!chain->admit(idle)) return std::nullopt;
  return idle ? nullptr : std::move(chain);
}

}  // namespace

Connection::Connection(Server& server, int socket, std::optional<uint32_t> uid)
    : server_(server),
      socket_(socket),
      link_(std::make_shared<Link>(socket, uid, server.frame_pool)),
      connected_(server.metrics, uid) {
  in_.resize(kBuffer);
  if (auto at = local_endpoint(socket)) link_->here = at->address;
  link_->backlogs = &server_.backlogs;
  server_.add_link(link_);
}

Connection::~Connection() {
  link_->detach();
  server_.end_link(*link_);
}

size_t Connection::longest() const {
  return link_->known.load(std::memory_order_relaxed) ? kLongest : kLongestOfStrangers;
}

std::chrono::milliseconds Connection::patience() const {
  if (!link_->known.load(std::memory_order_relaxed)) {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since_);
    return std::max(kHelloTime - spent, std::chrono::milliseconds{0});
  }
  if (have_ > 0 || !frame_.empty()) return kFrameTime;
  return kIdleTime;
}

Connection::Got Connection::read_frame(BytePool::Piece& frame) {
  while (true) {
    if (!frame_.empty()) {
      if (got_ == frame_.size()) {
        frame = std::move(frame_);
        return Got::frame;
      }
    } else if (have_ >= smb2::kFrameHead) {
      const auto length = smb2::read_frame_length(as_bytes(std::string_view(in_).substr(0, smb2::kFrameHead)));
      if (!length || *length == 0 || *length > longest()) return Got::over;
      const size_t there = have_ - smb2::kFrameHead;
      if (there >= *length) {
        frame = server_.memory.take(*length);
        std::memcpy(frame.data(), in_.data() + smb2::kFrameHead, *length);
        have_ = there - *length;
        std::memmove(in_.data(), in_.data() + smb2::kFrameHead + *length, have_);
        return Got::frame;
      }
      if (*length + smb2::kFrameHead > in_.size()) {
        frame_ = server_.memory.take(*length);
        std::memcpy(frame_.data(), in_.data() + smb2::kFrameHead, there);
        got_ = there;
        have_ = 0;
        continue;
      }
    }
    void* to = frame_.empty() ? static_cast<void*>(in_.data() + have_) : frame_.data() + got_;
    const size_t room = frame_.empty() ? in_.size() - have_ : frame_.size() - got_;
    const ssize_t n = recv(socket_, to, room, MSG_DONTWAIT);
    if (n == 0) return Got::over;
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? Got::nothing : Got::over;
    }
    (frame_.empty() ? have_ : got_) += static_cast<size_t>(n);
  }
}

Stream::Next Connection::ready() {
  try {
    while (true) {
      if (link_->ended()) return Next::close;
      BytePool::Piece frame;
      switch (read_frame(frame)) {
        case Got::nothing:
          return Next::read;
        case Got::over:
          return Next::close;
        case Got::frame:
          break;
      }
      connected_.request({});
      // What was agreed to is known before anybody reads on. Strangers have the thread that reads, and no more.
      if (frame.size() > kBuffer && smb2::protocol_of(frame.bytes()) == smb2::Protocol::transform &&
          link_->known.load(std::memory_order_acquire) && link_->frames.begin()) {
        leaves_ = true;
        unknown_ = link_->order.enter_unknown();
        sealed_ = std::make_shared<BytePool::Piece>(std::move(frame));
        return Next::read;
      }
      auto asked = admitted(server_, link_, std::move(frame));
      if (!asked) return Next::close;
      if (!*asked) continue;
      if (!link_->order.enter(*asked)) continue;
      work_ = std::move(*asked);
      const bool known = link_->known.load(std::memory_order_acquire);
      const bool may_leave = known && !work_->keeps_order();
      leaves_ = may_leave && link_->frames.begin();
      if (leaves_) return have_ >= smb2::kFrameHead ? Next::write : Next::read;
      if (may_leave && !work_->is_urgent() && link_->frames.park(work_, work_->bytes()))
        work_.reset();
      else
        take_work()();
    }
  } catch (const std::exception& e) {
    log(LogLevel::error, "an SMB connection failed: {}", e.what());
    return Next::close;
  }
}

std::function<void()> Connection::take_work() {
  if (!work_ && !sealed_) return {};
  return [chain = std::move(work_), sealed = std::move(sealed_), unknown = std::exchange(unknown_, 0),
          &server = server_, link = link_, left = std::exchange(leaves_, false)]() mutable {
    std::deque<std::shared_ptr<Chain>> closing;  // that have waited for this one
    do {
      try {
        if (const auto frame = std::exchange(sealed, nullptr)) {
          auto asked = admitted(server, link, std::move(*frame));
          if (asked)
            chain = std::move(*asked);
          else
            link->end();
        }
        if (chain) chain->run();
      } catch (const std::exception& e) {
        log(LogLevel::error, "an SMB request failed: {}", e.what());
        link->end();
      }
      const auto made_room = [&closing](std::vector<std::shared_ptr<Chain>> ready) {
        closing.insert(closing.end(), ready.begin(), ready.end());
      };
      if (unknown != 0) made_room(link->order.leave_unknown(std::exchange(unknown, 0)));
      if (chain) made_room(link->order.leave(*chain));
      chain.reset();
      if (link->ended()) {
        link->frames.drop();
        closing.clear();
      }
      if (!closing.empty()) {
        chain = std::move(closing.front());
        closing.pop_front();
      } else if (left) {
        chain = link->frames.next();
      }
    } while (chain);
  };
}

}  // namespace isthmus::smb
