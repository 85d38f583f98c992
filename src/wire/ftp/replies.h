#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isthmus::wire::ftp {

/// The last line of a reply (RFC 959, 4.2): "226 Transfer complete".
struct Reply {
  int code = 0;
  std::string text;  ///< behind the code
};
/// Replies that are complete in `lines`, in their order; lines have no ends.
std::vector<Reply> replies_in(const std::vector<std::string>& lines);

/// What a server offers, as FEAT lists it (RFC 2389).
struct Features {
  bool machine_lists = false;  ///< MLST and MLSD
  bool size = false;
  bool modified = false;      ///< MDTM
  bool set_modified = false;  ///< MFMT
  bool restart = false;       ///< REST STREAM
  bool utf8 = false;
};
/// Lines of the answer, whatever else is among them.
Features parse_features(const std::vector<std::string>& lines);

/// Why a server refused, by its reply's code and, where codes say too little, its text. Errno{}: nobody knows.
Errno reason(int code, std::string_view text);

/// Text of a server for a log line: one line, printable, cut.
std::string printable(std::string_view text);

}  // namespace isthmus::wire::ftp
