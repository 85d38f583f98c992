#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/byte_pool.h"
#include "doors/smb/close_order.h"
#include "doors/smb/request.h"
#include "wire/smb2/compound.h"

namespace isthmus::smb {

/// The requests of one frame, answered one after the other (MS-SMB2 section 3.3.5.2.7). Lives as long as one of them
/// does.
class Chain : public std::enable_shared_from_this<Chain> {
 public:
  /// `frame`: in `memory`.
  Chain(Server& server, std::shared_ptr<Link> link, BytePool::Piece memory, Bytes frame,
        std::shared_ptr<Channel> sealed_by)
      : server_(server),
        link_(std::move(link)),
        memory_(std::move(memory)),
        frame_(frame),
        sealed_by_(std::move(sealed_by)) {}

  /// On the thread that read the frame, before the next one is read: spends the credits, has CANCEL find the requests.
  /// False: the connection ends. `idle`: nothing is left to run().
  bool admit(bool& idle);
  void run();
  /// What others may wait for, or what takes no time: is not left to wait for its turn.
  bool is_urgent() const;
  /// What is answered in the order it came in, and takes no time to begin: the next frame is read after it.
  bool keeps_order() const;
  size_t bytes() const { return memory_.size(); }
  /// The open files that it names by number, each once: those that it closes, and the others.
  struct Named {
    std::vector<uint64_t> closed, used;
  };
  const Named& named() const { return named_; }

 private:
  friend class CloseOrder;
  friend class Request;
  void name_files();
  Reply answer(Request& r);
  /// Who is to sign the answer, whatever it will be. `of_before`: the session is that of the request before.
  void find_session(Request& r, bool of_before);
  bool may_cancel(const smb2::Pdu& pdu) const;
  /// Tree and signature of a request. An error: it is not looked at.
  smb2::NtStatus admit_request(Request& r);
  smb2::NtStatus check_signature(Request& r);
  /// Whose key is to sign the answer; null: none's.
  std::shared_ptr<Channel> signer(const Request& r) const;
  Outgoing outgoing(const Request& r, smb2::Header head, Reply&& reply) const;
  uint16_t grant(const Request& r) const;
  void append(const Request& r, Reply&& reply);
  void send_interim(Request& r);
  /// `news`: on another's thread.
  void send_final(Request& r, Reply&& reply, bool news = false);

  Server& server_;
  const std::shared_ptr<Link> link_;
  const BytePool::Piece memory_;
  const Bytes frame_;
  const std::shared_ptr<Channel> sealed_by_;  // null: in the open
  struct Admitted {
    const smb2::Pdu* pdu;
    std::shared_ptr<Cancel> cancel;
  };
  std::vector<smb2::Pdu> pdus_;
  std::vector<Admitted> admitted_;  // a request, which keeps its chain, is made when its turn has come
  Named named_;
  CloseOrder::Place place_;
  std::vector<Outgoing> out_;
  size_t answered_ = 0;  ///< bytes of bodies and data
  // Of the request before, for related ones.
  uint64_t session_id_ = 0;
  uint32_t tree_id_ = 0;
  std::shared_ptr<Open> open_;
  smb2::NtStatus before_ = smb2::NtStatus::success;
  bool ends_link_ = false;       ///< when the answers have been sent
  bool begins_related_ = false;  ///< the first is related to nothing, and so is all that is related to it
};

}  // namespace isthmus::smb
