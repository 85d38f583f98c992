#include "doors/webdav/errors.h"

namespace isthmus::webdav {

int status_of(Errno e) {
  switch (static_cast<int>(e)) {
    case ENOENT:
    case ESTALE:
      return 404;
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOSYS:
    case EOPNOTSUPP:
    case EINVAL:
    case EXDEV:
    case EMLINK:
      return 403;
    case EEXIST:
      return 405;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
      return 409;
    case EFBIG:
      return 413;
    case ENAMETOOLONG:
      return 414;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY:
      return 423;
    case ELOOP:
      return 508;
    case ENOSPC:
    case EDQUOT:
      return 507;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return 503;
    case ETIMEDOUT:
      return 504;
    default:
      return 500;
  }
}

}  // namespace isthmus::webdav
