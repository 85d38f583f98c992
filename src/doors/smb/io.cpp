#include "doors/smb/io.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "doors/smb/errors.h"
#include "doors/smb/facts.h"
#include "doors/smb/locks.h"
#include "doors/smb/logon.h"
#include "doors/smb/oplock.h"
#include "doors/smb/pipes.h"
#include "doors/smb/request.h"
#include "doors/smb/server.h"
#include "doors/smb/stream.h"
#include "windows/security.h"
#include "wire/smb2/io.h"
#include "wire/smb2/session.h"

/// CLOSE, FLUSH, READ and WRITE (MS-SMB2 sections 3.3.5.10 to 3.3.5.13).
namespace isthmus::smb {
namespace {

using smb2::NtStatus;
using windows::Rights;

/// Credits pay for 64 KiB each (section 3.3.5.2.5).
bool is_paid(const Request& r, uint64_t bytes) {
  if (!r.link->agreed.large() || bytes == 0) return true;
  return std::max<uint32_t>(1, r.header.credit_charge) >= (bytes - 1) / 65536 + 1;
}

Status flush_directory(Request& r) {
  op::OpenDir begin;
  begin.node = r.open->file->node;
  auto opened = r.call(begin);
  if (!opened) return opened.error();
  const Status done = r.call(op::FsyncDir{{}, begin.node, opened->handle, false});
  (void)r.call(op::ReleaseDir{{}, begin.node, opened->handle});
  return done;
}

/// A stream's handle has nothing of the file open.
Status flush_stream(Request& r) {
  op::Open begin;
  begin.node = r.open->file->node;
  begin.flags = O_RDONLY;
  auto opened = r.call(begin);
  if (!opened) return opened.error();
  const Status done = r.call(op::Fsync{{}, begin.node, opened->handle, false});
  op::Release end;
  end.node = begin.node;
  end.handle = opened->handle;
  (void)r.call(end);
  return done;
}

/// As read_some(), for an answer that is not protected: the bytes of a file of the server's go from there to the
/// socket.
Result<size_t> read_unseen(Request& r, const Open& open, uint64_t offset, size_t size, Reply& reply) {
  op::Read read;
  read.node = open.file->node;
  read.handle = open.handle;
  read.offset = offset;
  read.size = size;
  reply.data = r.server.memory.take(size);
  read.into = reply.data.bytes();
  auto data = r.call(read);
  if (!data) return data.error();
  const auto segments = data->segments();
  struct stat st {};
  if (const auto* range = segments.size() == 1 ? std::get_if<Buffer::FileRange>(&segments[0]) : nullptr;
      range && range->keep && ::fstat(range->fd, &st) == 0 && S_ISREG(st.st_mode)) {
    const uint64_t there = std::max<uint64_t>(static_cast<uint64_t>(st.st_size), range->offset) - range->offset;
    reply.data = {};
    reply.file = *range;
    reply.file.length = std::min<uint64_t>(range->length, there);
    return reply.file.length;
  }
  const auto got = data->copy_to(reply.data.bytes(), reply.data.bytes());
  reply.data_size = got ? *got : 0;
  return got;
}

}  // namespace

Result<size_t> read_some(Request& r, const Open& open, uint64_t offset, MutableBytes into) {
  if (into.empty()) return size_t{0};
  if (open.stream) {
    const auto data = read_stream(r, open, offset, static_cast<uint32_t>(into.size()));
    if (!data) return data.error();
    std::copy(as_bytes(*data).begin(), as_bytes(*data).end(), into.begin());
    return data->size();
  }
  op::Read read;
  read.node = open.file->node;
  read.handle = open.handle;
  read.offset = offset;
  read.size = into.size();
  read.into = into;
  auto data = r.call(read);
  if (!data) return data.error();
  return data->copy_to(into, into);
}

std::optional<Reply> close(Request& r) {
  const auto m = r.read<smb2::CloseRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  const auto open = r.open;
  smb2::CloseResponse response;
  std::optional<Attr> attr;
  // What there is at the end: the file may go with its last open.
  if ((m->flags & smb2::kPostQueryAttributes) && open->file) {
    const auto got = r.attr_of(open->file->node);
    if (got) attr = *got;
  }
  if (attr) {
    response.flags = smb2::kPostQueryAttributes;
    std::optional<uint64_t> bytes;
    if (open->stream) {
      const auto size = stream_size(r, *open);
      bytes = size ? *size : 0;
    }
    describe(response, r, *open, *attr, bytes);
  }
  close_open(r.server, open);
  return Reply(response);
}

std::optional<Reply> flush(Request& r) {
  const auto m = r.read<smb2::FlushRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  if (!r.open->file) return Reply(smb2::EmptyMessage{});
  if (r.open->file->directory) {
    const Status done = flush_directory(r);
    return done || done.code() == ENOSYS ? Reply(smb2::EmptyMessage{}) : Reply(status_of(done.error()));
  }
  if (!r.open->may_some(Rights::kWriteData | Rights::kAppendData)) return Reply(NtStatus::access_denied);
  const Status done =
      r.open->stream ? flush_stream(r) : r.call(op::Fsync{{}, r.open->file->node, r.open->handle, false});
  if (!done) return Reply(status_of(done.error()));
  return Reply(smb2::EmptyMessage{});
}

std::optional<Reply> read(Request& r) {
  const auto m = r.read<smb2::ReadRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  if (m->length > most_io(r.link->agreed) || !is_paid(r, m->length) || m->channel != 0)
    return Reply(NtStatus::invalid_parameter);
  if (r.open->pipe) return read_pipe(r, m->length);
  if (!has_data(*r.open)) return Reply(NtStatus::invalid_device_request);
  if (!r.open->may_some(Rights::kReadData | Rights::kExecute)) return Reply(NtStatus::access_denied);
  if (m->offset > INT64_MAX || m->length > INT64_MAX - m->offset) return Reply(NtStatus::invalid_parameter);
  if (is_locked(*r.open, m->offset, m->length, false)) return Reply(NtStatus::file_lock_conflict);
  Reply reply;
  size_t got = 0;
  if (r.is_protected() || r.open->stream) {
    reply.data = r.server.memory.take(m->length);
    const auto read = read_some(r, *r.open, m->offset, reply.data.bytes());
    if (!read) return Reply(status_of(read.error()));
    got = *read;
    reply.data_size = got;
  } else {
    const auto read = read_unseen(r, *r.open, m->offset, m->length, reply);
    if (!read) return Reply(status_of(read.error()));
    got = *read;
  }
  if ((got == 0 && m->length > 0) || got < m->minimum) return Reply(NtStatus::end_of_file);
  {
    std::lock_guard lock(r.open->m);
    r.open->position = m->offset + got;
  }
  r.server.metrics.transferred(0, got);
  reply.body = smb2::read_response_head(static_cast<uint32_t>(got));
  if (got == 0) reply.body += '\0';  // an odd StructureSize counts one byte more
  return reply;
}

std::optional<Reply> write(Request& r) {
  const auto m = r.read<smb2::WriteRequest>();
  if (!m) return Reply(NtStatus::invalid_parameter);
  if (!r.find_open(m->file_id)) return Reply(NtStatus::file_closed);
  const InSequence in_sequence(r);
  if (!in_sequence) return Reply(NtStatus::file_not_available);
  if (m->data.size() > most_io(r.link->agreed) || !is_paid(r, m->data.size()) || m->channel != 0)
    return Reply(NtStatus::invalid_parameter);
  if (r.open->pipe) return write_pipe(r, m->data);
  if (!has_data(*r.open)) return Reply(NtStatus::invalid_device_request);
  if (!r.open->may_some(Rights::kWriteData | Rights::kAppendData)) return Reply(NtStatus::access_denied);
  const bool at_end = m->offset == UINT64_MAX;
  if (!at_end && (m->offset > INT64_MAX || m->data.size() > INT64_MAX - m->offset))
    return Reply(NtStatus::invalid_parameter);
  if (is_locked(*r.open, at_end ? INT64_MAX : m->offset, m->data.size(), true))
    return Reply(NtStatus::file_lock_conflict);
  // The frame lives as long as the chain does, which the file system's use of it may outlast.
  const Buffer data = Buffer::keep(r.chain, m->data);
  uint32_t written = 0;
  if (r.open->stream) {
    if (const NtStatus s = write_stream(r, *r.open, m->offset, m->data); s != NtStatus::success) return Reply(s);
    written = static_cast<uint32_t>(m->data.size());
    break_own_level2(r);
  } else if (!m->data.empty()) {
    op::Write write;
    write.node = r.open->file->node;
    write.handle = r.open->handle;
    write.offset = at_end ? 0 : m->offset;
    write.append = at_end;
    write.data = &data;
    write.through = (m->flags & smb2::WriteRequest::kWriteThrough) || (r.open->options & smb2::kOptionWriteThrough);
    const auto done = r.call(write);
    if (!done) return Reply(status_of(done.error()));
    written = static_cast<uint32_t>(*done);
    break_own_level2(r);
    keep_write_time(r);
  }
  {
    std::lock_guard lock(r.open->m);
    r.open->position = m->offset + written;
  }
  r.server.metrics.transferred(written, 0);
  return Reply(smb2::WriteResponse{written});
}

}  // namespace isthmus::smb
