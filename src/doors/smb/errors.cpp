#include "doors/smb/errors.h"

namespace isthmus::smb {

smb2::NtStatus status_of(Errno e) {
  using enum smb2::NtStatus;
  switch (static_cast<int>(e)) {
    case 0:
      return success;
    case ENOENT:
      return object_name_not_found;
    case ESTALE:
    case EBADF:
      return file_closed;
    case EACCES:
    case EPERM:
      return access_denied;
    case EROFS:
      return media_write_protected;
    case EEXIST:
      return object_name_collision;
    case ENOTDIR:
      return not_a_directory;
    case EISDIR:
      return file_is_a_directory;
    case ENOTEMPTY:
      return directory_not_empty;
    case EBUSY:
    case ETXTBSY:
      return sharing_violation;
    case EXDEV:
      return not_same_device;
    case EMLINK:
      return too_many_links;
    case ENAMETOOLONG:
      return object_name_invalid;
    case ENOSPC:
    case EFBIG:
      return disk_full;
    case EDQUOT:
      return quota_exceeded;
    case ENOMEM:
    case ENOLCK:
      return insufficient_resources;
    case EMFILE:
    case ENFILE:
      return too_many_opened_files;
    case EAGAIN:
      return lock_not_granted;
    case EDEADLK:
      return file_lock_conflict;
    case EINTR:
    case ECANCELED:
      return cancelled;
    case ETIMEDOUT:
      return io_timeout;
    case ELOOP:
      return object_path_not_found;
    case ENOSYS:
    case EOPNOTSUPP:
      return not_supported;
    case ENODATA:
      return not_found;
    case E2BIG:
    case ERANGE:
      return ea_too_large;
    case EINVAL:
    case EOVERFLOW:
      return invalid_parameter;
    default:
      return io_device_error;
  }
}

}  // namespace isthmus::smb
