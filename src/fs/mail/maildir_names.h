#pragma once
#include <string>
#include <string_view>

/// Names in Maildirs.
namespace isthmus::fs::mail {

/// "new/1700000000.M1P2.host" or "cur/1700000000.M1P2.host:2,FS", taken apart.
struct MessageName {
  std::string_view key;      ///< what stays when flags change
  std::string_view letters;  ///< behind ":2,"
  static MessageName of(std::string_view place);
};

std::string in_cur(std::string_view key, std::string_view letters);
/// A name that no delivery on this machine has.
std::string unique_name();
/// `below` in `folder`; either may be empty.
std::string join(std::string_view folder, std::string_view below);

/// Whether `folder` below `root` (a directory's descriptor; "": itself) is a Maildir: it has a directory cur.
bool is_maildir(int root, const std::string& folder);
/// The same, or one of the folders in it is.
bool has_maildir(int root, const std::string& folder);
/// Where a folder that is shown as `shown` ("Trash", "Old/Trash") is to be made, as the others there are.
std::string trash_place(int root, std::string_view shown);

}  // namespace isthmus::fs::mail
