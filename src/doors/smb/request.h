#pragma once
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_pool.h"
#include "doors/smb/link.h"
#include "doors/smb/open.h"
#include "doors/smb/session.h"
#include "vfs/sync.h"
#include "wire/smb2/codec.h"
#include "wire/smb2/file_id.h"
#include "wire/smb2/header.h"

namespace isthmus::smb {

struct Server;
class Chain;

/// What a request is answered with.
struct Reply {
  smb2::NtStatus status = smb2::NtStatus::success;
  std::string body;  ///< empty: an error response
  BytePool::Piece data{};
  size_t data_size = 0;
  Buffer::FileRange file{};  ///< instead of data; only of answers that are not protected
  std::string error_data{};  ///< of an error response (MS-SMB2 section 2.2.2)

  Reply() = default;
  Reply(smb2::NtStatus s) : status(s) {}  // NOLINT(google-explicit-constructor)
  Reply(smb2::NtStatus s, std::string b) : status(s), body(std::move(b)) {}
  /// A success.
  template <class M>
  requires requires(smb2::Encoder& e, const M& m) { M::fields(e, m); }
  Reply(const M& m) : body(smb2::write_message(m)) {}  // NOLINT(google-explicit-constructor)
};

/// How long an operation takes before the client is told that it does.
constexpr std::chrono::milliseconds kBeforeInterim{1};

/// One request that is being answered. Its thread may wait; then the client is told so, and others read on.
class Request : public std::enable_shared_from_this<Request> {
 public:
  Request(Server& s, std::shared_ptr<Chain> c, const smb2::Header& h, Bytes b, std::shared_ptr<Cancel> by);

  Server& server;
  const std::shared_ptr<Chain> chain;  ///< keeps `bytes`
  const smb2::Header header;
  const Bytes bytes;  ///< of the message, from its header on
  std::shared_ptr<Link> link;
  std::shared_ptr<Session> session;
  std::shared_ptr<Channel> channel;  ///< of the session and `link`
  /// Without a channel: what signs the refusal that a client gets whose session is not used on this connection.
  std::shared_ptr<Channel> refused_by;
  Tree tree;
  std::shared_ptr<Open> open;  ///< set by find_open()
  Context ctx;                 ///< of whoever has logged on
  const std::shared_ptr<Cancel> cancel;
  bool last = true;        ///< of its frame
  bool ends_link = false;  ///< the connection ends with the answer

  template <class M>
  std::optional<M> read() const {
    return smb2::read_message<M>(bytes);
  }
  /// Of a file id, or of the one the request before was about (0xFF..FF in a related request). Null: file_closed.
  bool find_open(const smb2::FileId& id);
  /// What the requests that follow and are related are about.
  void use(std::shared_ptr<Open> o);

  /// Asks the file system and waits. When that takes its time the client gets an interim answer (MS-SMB2 section
  /// 3.3.4.2) and may cancel.
  template <class T>
  Result<typename T::Reply> call(T args) {
    return call(std::move(args), ctx);
  }
  template <class T>
  Result<typename T::Reply> call(T args, const Context& as) {
    return call_and_wait(files(), std::move(args), as, kBeforeInterim, [this] { go_async(); });
  }
  FileSystem& files() const;
  /// Its session and share are there still.
  bool lives() const { return session->valid() && session->tree(tree.id); }
  Result<Attr> attr_of(NodeId node);

  /// The answer of a handler that said none. Once, from any thread.
  void finish(Reply reply);
  /// Sends the interim answer now, once.
  void go_async();
  bool is_async() const { return async_id_ != 0; }
  /// The answer is going to be signed or sealed.
  bool is_protected() const;

 private:
  friend class Chain;
  uint64_t async_id_ = 0;
  std::mutex m_;  // of what follows; a leaf
  bool interim_sent_ = false;
  std::optional<Reply> early_;  // finished before the interim answer was on its way
};

/// Answers one request. None: finish() does, later; only for the last request of a chain.
using Handler = std::optional<Reply> (*)(Request& r);

std::optional<Reply> negotiate(Request& r);
std::optional<Reply> session_setup(Request& r);
std::optional<Reply> logoff(Request& r);
std::optional<Reply> tree_connect(Request& r);
std::optional<Reply> tree_disconnect(Request& r);
std::optional<Reply> create(Request& r);
std::optional<Reply> close(Request& r);
std::optional<Reply> flush(Request& r);
std::optional<Reply> read(Request& r);
std::optional<Reply> write(Request& r);
std::optional<Reply> lock(Request& r);
std::optional<Reply> ioctl(Request& r);
std::optional<Reply> echo(Request& r);
std::optional<Reply> query_directory(Request& r);
std::optional<Reply> change_notify(Request& r);
std::optional<Reply> query_info(Request& r);
std::optional<Reply> set_info(Request& r);
std::optional<Reply> oplock_break(Request& r);

}  // namespace isthmus::smb
