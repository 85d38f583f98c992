#pragma once
#include <deque>
#include <optional>
#include <string>

#include "vfs/types.h"
#include "windows/wildcards.h"
#include "wire/smb2/file_facts.h"

namespace isthmus::smb {

struct Server;
struct Open;

/// Where a QUERY_DIRECTORY of an open goes on.
struct Listing {
  struct Item {
    std::string name;
    NodeId node = NodeId::none;  ///< counted; none: no attributes came with it
    Attr attr;
  };
  std::optional<windows::Wildcards> pattern;
  HandleId handle = HandleId::none;  ///< of the directory, open for reading
  uint64_t cookie = 0;
  bool at_end = false, found_some = false;
  unsigned dots = 0;         ///< of "." and "..", how many have been told
  std::deque<Item> waiting;  ///< read, not told yet
};

/// Closes the directory and gives back what was not told. With the open's listing_m held.
void end_listing(Server& server, Open& open);

}  // namespace isthmus::smb
