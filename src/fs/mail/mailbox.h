#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fs/mail/flags.h"
#include "fs/mail/names.h"
#include "fs/mail/nodes.h"
#include "vfs/upcalls.h"

namespace isthmus::fs::mail {

constexpr uint32_t kRootFolder = 0;

/// What a store says of a message without reading it.
struct Facts {
  std::string key;      ///< it and no other has this in its folder, for ever
  std::string place;    ///< where the store finds it now: the store's own word
  uint64_t offset = 0;  ///< the same, for stores that are one file
  uint64_t length = 0;
  Flags flags = 0;
  std::string keywords;          ///< further flags, separated by blanks
  Time time;                     ///< when it was delivered
  std::optional<uint64_t> size;  ///< bytes of `raw`, where that is known
  uint64_t version = 0;          ///< another one: what was read of the message before is not what is there now
};

/// A message as it is at one moment. number: in its folder, from 1 on; serial: in the file system. Neither is ever
/// another's.
struct Message {
  uint64_t serial = 0;
  uint32_t folder = 0, number = 0;
  Facts facts;
};

struct Folder {
  uint32_t index = 0, parent = 0;
  std::string name;   ///< shown, the only one of its parent's
  std::string place;  ///< the store's word for it
  bool holds_messages = true;
  uint64_t messages = 0, folders = 0;  ///< how many it shows
  Time changed;
};

/// "001"; wider from 1000 on.
std::string number_name(uint32_t number);
/// None: not what number_name() makes.
std::optional<uint32_t> number_of_name(std::string_view name);

/// Folders and messages, and the numbers they have; what changes is told to the doors. Stores fill it, operations look
/// into it. Any thread; news is told without the lock.
class Mailbox {
 public:
  Mailbox();
  /// Whom to tell of changes from now on; it outlives them.
  void tell(Upcalls& up) { up_ = &up; }

  // Changes give the news of them, which publish() tells once the caller holds no lock.
  struct News {
    enum class Kind { added, removed, flags, folder_added, folder_removed, size } kind;
    NodeId dir, node;
    std::string name;
    uint64_t serial = 0;
    Flags changed = 0;
  };
  using AllNews = std::vector<News>;
  void publish(const AllNews& news);

  /// The folder of the store's word `place`, made if need be; `name` is made safe and unique. None: too many.
  std::optional<uint32_t> add_folder(uint32_t parent, std::string_view name, const std::string& place,
                                     bool holds_messages, AllNews& news);
  [[nodiscard]] AllNews remove_folder(uint32_t index);
  std::optional<Folder> folder(uint32_t index) const;
  std::optional<Folder> find_folder(uint32_t parent, std::string_view name) const;
  std::optional<Folder> folder_at(std::string_view place) const;
  /// By names as they are shown, from the top: "Old/Trash".
  std::optional<Folder> folder_by_path(std::string_view path) const;
  /// Up to `most` of the folders in `parent` whose index is greater than `index`.
  std::vector<Folder> folders_behind(uint32_t parent, uint32_t index, size_t most) const;
  std::vector<Folder> all_folders() const;

  /// All messages of a folder, those that nobody knows yet in the order of their numbers to be.
  [[nodiscard]] AllNews replace(uint32_t folder, std::vector<Facts> all);
  /// Some that may be new. Of one that is known the facts are taken over.
  [[nodiscard]] AllNews add(uint32_t folder, std::vector<Facts> some);
  [[nodiscard]] AllNews remove(uint32_t folder, const std::string& key);
  [[nodiscard]] AllNews set_flags(uint32_t folder, const std::string& key, Flags flags, const std::string& keywords);
  [[nodiscard]] AllNews set_place(uint32_t folder, const std::string& key, const std::string& place, Flags flags);
  [[nodiscard]] AllNews set_size(uint64_t serial, uint64_t size);

  std::optional<Message> message(uint64_t serial) const;
  std::optional<Message> find(uint32_t folder, uint32_t number) const;
  std::optional<Message> find_key(uint32_t folder, const std::string& key) const;
  /// Up to `most` messages with greater numbers, by number.
  std::vector<Message> behind(uint32_t folder, uint32_t number, size_t most) const;
  uint64_t count() const;

 private:
  struct Record {
    Folder view;
    bool gone = false, listed = false;
    UniqueNames names;  // of its folders
    std::map<uint32_t, Message> messages;
    std::unordered_map<std::string, uint32_t> numbers;  // by key
    uint32_t last_number = 0;
  };
  void insert(Record& in, Facts facts, AllNews& news);
  void put(Record& in, std::vector<Facts> some, AllNews& news);
  void take_over(Message& m, Facts facts, AllNews& news);
  void erase(Record& from, const std::string& key, AllNews& news);
  void note_flags(const Message& m, Flags changed, bool keywords, AllNews& news);
  Record* record(uint32_t index);
  const Record* record(uint32_t index) const;
  Message* find_message(Record& in, const std::string& key);

  mutable std::mutex m_;
  std::deque<Record> folders_;  // messages keep their addresses
  std::unordered_map<std::string, uint32_t> places_;
  std::unordered_map<uint64_t, Message*> serials_;
  uint64_t last_serial_ = 0;

  std::atomic<Upcalls*> up_{nullptr};
};

}  // namespace isthmus::fs::mail
