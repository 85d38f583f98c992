// What a file system can do, as far as the tests care. A test whose trait is off is skipped by name with the trait's
// description.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

// X(name, what is missing when it is off)
#define ISTHMUS_CONFORMANCE_TRAITS(X)                                                               \
  X(hard_links, "a file can have several names")                                                    \
  X(symlinks, "symbolic links")                                                                     \
  X(special_files, "fifos and sockets can be made")                                                 \
  X(special_modes, "modes are enforced for fifos and sockets, too")                                 \
  X(devices, "character and block devices can be made")                                             \
  X(owners, "files have an owner and a group that root can change")                                 \
  X(other_users, "users other than the one who mounted may enter, and modes are enforced for them") \
  X(clears_setid, "writing and chown clear the set-user-id and set-group-id bits")                  \
  X(root_keeps_setid, "writes of root leave the set-user-id and set-group-id bits alone")           \
  X(append_off, "O_APPEND can be taken from an open file")                                          \
  X(xattrs, "extended attributes: user.*")                                                          \
  X(xattrs_trusted, "extended attributes: trusted.* and security.*")                                \
  X(posix_acl, "POSIX ACLs are stored and enforced")                                                \
  X(locks, "fcntl locks of processes")                                                              \
  X(ofd_locks, "fcntl locks of open file descriptions, also released by the last close")            \
  X(flock, "flock locks")                                                                           \
  X(holes, "SEEK_HOLE and SEEK_DATA see holes")                                                     \
  X(fallocate, "fallocate allocates space")                                                         \
  X(keep_size, "fallocate beyond the end without changing the size")                                \
  X(punch_hole, "fallocate makes holes")                                                            \
  X(zero_range, "fallocate zeroes a range")                                                         \
  X(collapse_range, "fallocate removes and inserts ranges")                                         \
  X(copy_file_range, "copy_file_range within the file system")                                      \
  X(tmpfile, "O_TMPFILE")                                                                           \
  X(rename_noreplace, "RENAME_NOREPLACE")                                                           \
  X(rename_exchange, "RENAME_EXCHANGE")                                                             \
  X(rename_whiteout, "RENAME_WHITEOUT")                                                             \
  X(btime, "statx tells the time of birth")                                                         \
  X(atime, "reading updates the access time when it is older than the modification time")           \
  X(ctime, "the kernel sets the time of the last status change")                                    \
  X(mmap_shared, "shared writable mappings")                                                        \
  X(direct_io, "O_DIRECT")                                                                          \
  X(exec, "programs can be run")                                                                    \
  X(unlinked_open, "a file without a name stays usable while it is open")                           \
  X(stable_inodes, "inode numbers do not change, and readdir and stat agree on them")               \
  X(d_type, "readdir tells the type")                                                               \
  X(dir_nlink, "the link count of a directory is 2 plus its sub-directories")                       \
  X(dir_mtime, "writing to a file leaves the times of its directory alone")                         \
  X(large_files, "files larger than 4 GiB")                                                         \
  X(huge_files, "offsets near 2^63")                                                                \
  X(any_bytes_in_names, "names are bytes: everything but '/' and NUL")                              \
  X(case_sensitive, "names that differ in case are different")                                      \
  X(statfs_counts, "statfs counts blocks and inodes, and they change with use")                     \
  X(sparse, "holes take no space in st_blocks")

namespace isthmus::conformance {

struct Traits {
#define ISTHMUS_TRAIT(name, text) bool name = true;
  ISTHMUS_CONFORMANCE_TRAITS(ISTHMUS_TRAIT)
#undef ISTHMUS_TRAIT
  bool read_only = false;                // nothing can be changed: only the ReadOnly tests run
  std::uint64_t xattr_size_max = 65536;  // bytes of the largest value of a user.* attribute
  std::uint64_t time_ns = 1;             // granularity of stored times, nanoseconds
  std::uint64_t name_max = 255;          // bytes of the longest name

  // Applies one word of a comma list: a preset (auto, all, tmpfs, ext4, read_only), `trait`, `-trait` or `trait=value`
  // (0/1/no/yes or a number). False if there is no such word.
  bool apply(std::string_view word);
  // Traits of the file system `dir` lies on if it is one the suite knows (tmpfs, ext4); all traits otherwise.
  static Traits of_folder(const std::string& dir);
};

// One line a trait, for --help.
std::string trait_list();

}  // namespace isthmus::conformance
