#pragma once
#include "fs/ftp/remote.h"

namespace isthmus::fs::ftp {

/// Asks, and once more by a new connection where the present one broke: for what does no harm when it is done twice. A
/// server that lets us wait is not asked again.
template <class F>
Said again(Remote& r, F ask) {
  Said s = ask();
  if (!s.lost || s.stopped || s.error == err(ETIMEDOUT) || r.aborted()) return s;
  Said connected = r.connect();
  return connected.ok() ? ask() : connected;
}

}  // namespace isthmus::fs::ftp
