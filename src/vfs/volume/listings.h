#pragma once
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vfs/ops.h"
#include "vfs/volume/change_clock.h"

namespace isthmus::volume {

/// What a directory holds, in the provider's order and with its cookies. Names only: what they stand for is the
/// cache's.
class Listed {
 public:
  struct Item {
    uint64_t ino = 0, cookie = 0;
    uint32_t type = 0, name_at = 0, name_size = 0;
  };

  void add(const DirEntry& e) {
    items_.push_back(
        {e.ino, e.cookie, e.type, static_cast<uint32_t>(names_.size()), static_cast<uint32_t>(e.name.size())});
    names_ += e.name;
  }
  size_t size() const { return items_.size(); }
  const Item& operator[](size_t i) const { return items_[i]; }
  std::string_view name(const Item& item) const {
    return std::string_view(names_).substr(item.name_at, item.name_size);
  }
  /// The first item behind a cookie; `guess` is tried first. None: it is no item's.
  std::optional<size_t> behind(uint64_t cookie, size_t guess) const {
    if (cookie == 0) return 0;
    if (guess > 0 && guess <= items_.size() && items_[guess - 1].cookie == cookie) return guess;
    for (size_t i = 0; i < items_.size(); i++)
      if (items_[i].cookie == cookie) return i + 1;
    return std::nullopt;
  }

 private:
  std::vector<Item> items_;
  std::string names_;
};

/// Listings of directories, whole ones, kept until a name in them changes or others were used since. Only of those
/// whose provider says when names change (kOpenedCacheDir with kOpenedKeepCache). Any thread; the mutex is a leaf.
class Listings {
 public:
  /// `most`: names of all listings together.
  Listings(ChangeClock& clock, size_t most) : clock_(clock), most_(most) {}

  size_t most() const { return most_; }
  std::shared_ptr<const Listed> find(NodeId dir);
  /// `since`: the clock's stamp from before the listing was begun.
  void keep(NodeId dir, std::shared_ptr<const Listed> listed, ChangeClock::Stamp since);
  /// A name may have changed in the directory, or it goes.
  void drop(NodeId dir);
  void drop_all();
  size_t names() const;

 private:
  struct Kept {
    std::shared_ptr<const Listed> listed;
    std::list<NodeId>::iterator recent;
  };
  static uint64_t key(NodeId dir) { return key_of(dir) + 1; }  // not that of its attributes
  void erase(std::unordered_map<NodeId, Kept>::iterator it);

  ChangeClock& clock_;
  const size_t most_;
  mutable std::mutex m_;  // guards what follows
  std::unordered_map<NodeId, Kept> all_;
  std::list<NodeId> recent_;  // most recently used first
  size_t names_ = 0;
};

/// One open directory's reading: from a listing that is kept, or of the provider, and then it may become one. One
/// thread at a time.
struct Reading {
  std::shared_ptr<const Listed> from;  ///< what is answered with, from the first name to the last
  size_t next = 0;                     ///< of `from`: probably
  std::shared_ptr<Listed> made;        ///< what the provider has listed so far, without a gap
  uint64_t made_to = 0;                ///< the cookie that `made` ends with
  ChangeClock::Stamp since = 0;
};

}  // namespace isthmus::volume
