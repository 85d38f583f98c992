#pragma once
#include "doors/smb/request.h"
#include "wire/smb2/create.h"

/// Named pipes of IPC$: what there is to see on the server (wire/dcerpc).
namespace isthmus::smb {

Reply open_pipe(Request& r, const smb2::CreateRequest& m);
Reply read_pipe(Request& r, uint32_t most);
Reply write_pipe(Request& r, Bytes data);
/// FSCTL_PIPE_TRANSCEIVE: a write, and a read of the answer.
smb2::NtStatus transceive(Request& r, Bytes input, uint32_t most, std::string& output);

}  // namespace isthmus::smb
