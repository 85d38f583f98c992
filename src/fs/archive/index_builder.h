#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "fs/archive/index.h"
#include "fs/archive/names.h"

namespace isthmus::fs::archive {

/// Why an entry is not shown as the archive has it.
enum class Oddity : uint8_t {
  dotdot,          ///< ".." in the name
  too_long,        ///< a name over 255 bytes, or a path too deep
  bad_name,        ///< none, or one that cannot be turned into bytes
  under_file,      ///< below a file or a symlink
  over_directory,  ///< a file in the place of a directory
  lost_link,       ///< a hard link to nothing
  bad_target,      ///< a symlink to nothing, or over 4,095 bytes
  bad_type,        ///< no type that a file can have
  bad_size,        ///< a size below zero or that cannot be found out
  damaged,         ///< the header cannot be read
  duplicate,       ///< shown, in the place of an earlier entry of the same name
  count
};

/// Makes an Index out of entries in the archive's order, by tar's rules: a later entry of the same name replaces the
/// earlier one, a directory's attributes may come after its content, and parents that are missing are made up (mode
/// 0755). Nothing is ever put below a file or a symlink. One thread.
class IndexBuilder {
 public:
  struct Limits {
    uint32_t entries = 10'000'000;
    uint64_t memory = uint64_t{4} << 30;
  };
  struct Tally {
    uint64_t count = 0;
    std::string first;  ///< its name, for the log
  };
  /// made_up: attributes of the root and of parents that the archive does not mention; its mode is ignored.
  IndexBuilder(Index& index, const Limits& limits, const Node& made_up);

  /// False: a limit was reached (over_limit() says which).
  bool add(std::string_view path, const Node& node);
  /// A second name for what is at `target`. With data (node.plan is not none) the file's data and size are this one's.
  bool add_link(std::string_view path, std::string_view target, const Node& node);
  void note(Oddity what, std::string_view path);

  /// Links that came before their target; then groups the names by directory. Nothing may be added afterwards.
  void finish();

  const std::string& over_limit() const { return over_limit_; }
  const Tally& tally(Oddity what) const { return tally_[static_cast<size_t>(what)]; }

 private:
  struct Link {
    std::string path, target;
    Node node;
  };
  uint32_t make_node(const Node& n);
  void set_name(uint32_t dir, std::string_view name, uint32_t node);
  uint32_t parent_of(std::string_view path);
  uint32_t find_file(std::string_view path);
  bool place(std::string_view path, uint32_t node);
  bool within_limits();
  bool is_dir(uint32_t node) const;

  Index& index_;
  Limits limits_;
  Node made_up_;
  std::vector<std::string_view> parts_;
  std::string last_dir_text_;  // the parent of the entry before, which is mostly the next one's too
  uint32_t last_dir_ = 0;
  std::vector<Link> links_;
  std::array<Tally, static_cast<size_t>(Oddity::count)> tally_;
  std::string over_limit_;
};

}  // namespace isthmus::fs::archive
