#include "wire/fuse/reply.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace isthmus::wire::fuse {
namespace {

using Bytes = std::vector<std::byte>;

template <class T>
T load(const Bytes& from, size_t offset) {
  T out;
  std::memcpy(&out, from.data() + offset, sizeof(T));
  return out;
}

TEST(FuseReply, Headers) {
  const OutHeader ok = make_reply(9, 100);
  EXPECT_EQ(ok.len, 116u);
  EXPECT_EQ(ok.error, 0);
  EXPECT_EQ(ok.unique, 9u);
  const OutHeader bad = make_error(kUniqueResend | 4, err(ENOENT));
  EXPECT_EQ(bad.len, 16u);
  EXPECT_EQ(bad.error, -ENOENT);
  EXPECT_EQ(bad.unique, kUniqueResend | 4);
  EXPECT_EQ(make_error(1, err(511)).error, -511);
  for (const int number : {0, -5, 512, 1 << 30}) EXPECT_EQ(make_error(1, err(number)).error, -EIO) << number;
}

// Reads records as the kernel does and gives the names.
std::vector<std::string> names_in(std::span<const std::byte> bytes, size_t record) {
  std::vector<std::string> out;
  while (bytes.size() >= record) {
    Dirent d;
    std::memcpy(&d, bytes.data() + record - sizeof(Dirent), sizeof(d));
    const size_t whole = (record + d.namelen + 7) / 8 * 8;
    if (whole > bytes.size()) break;
    out.emplace_back(reinterpret_cast<const char*>(bytes.data() + record), d.namelen);
    for (size_t i = record + d.namelen; i < whole; ++i) EXPECT_EQ(bytes[i], std::byte{0});
    bytes = bytes.subspan(whole);
  }
  EXPECT_TRUE(bytes.empty());
  return out;
}

TEST(FuseReply, DirectoryEntriesAreAligned) {
  Bytes out(512, std::byte{0xee});
  DirentWriter w(out);
  std::vector<std::string> names;
  for (size_t length = 1; length <= 10; ++length) {
    names.emplace_back(length, 'n');
    ASSERT_EQ(w.add(7, length, 8, names.back()), Added::Yes);
    EXPECT_EQ(w.size() % 8, 0u);
  }
  EXPECT_EQ(names_in(w.bytes(), sizeof(Dirent)), names);
  EXPECT_EQ(load<Dirent>(out, 0).ino, 7u);
  EXPECT_EQ(load<Dirent>(out, 0).off, 1u);
  EXPECT_EQ(load<Dirent>(out, 0).type, 8u);
}

TEST(FuseReply, EntriesNeverCrossTheBuffer) {
  const EntryOut entry{};
  for (const bool plus : {false, true}) {
    const size_t record = plus ? sizeof(Direntplus) : sizeof(Dirent);
    for (size_t room = 0; room <= 420; ++room) {
      Bytes out(room);  // exactly as long, for AddressSanitizer
      DirentWriter w(out);
      size_t added = 0;
      while (true) {
        const bool fits = plus ? w.fits_plus(5) : w.fits(5);
        const Added result = plus ? w.add_plus(entry, 1, added, 4, "abcde") : w.add(1, added, 4, "abcde");
        EXPECT_EQ(result, fits ? Added::Yes : Added::Full);
        if (result == Added::Full) break;
        ++added;
      }
      EXPECT_EQ(added, room / ((record + 5 + 7) / 8 * 8));
      EXPECT_EQ(names_in(w.bytes(), record).size(), added);
    }
  }
}

TEST(FuseReply, PlusEntriesCarryTheNode) {
  EntryOut entry{};
  entry.nodeid = 12;
  entry.attr.ino = 13;
  Bytes out(256);
  const std::span<std::byte> anywhere = std::span(out).subspan(3);
  DirentWriter w(anywhere);
  ASSERT_EQ(w.add_plus(entry, 13, 1, 8, "a"), Added::Yes);
  const auto read = load<Direntplus>(out, 3);
  EXPECT_EQ(read.entry_out.nodeid, 12u);
  EXPECT_EQ(read.dirent.ino, 13u);
  EXPECT_EQ(read.dirent.namelen, 1u);
  EXPECT_EQ(w.size(), 160u);
}

TEST(FuseReply, NamesTheKernelRefusesAreNotWritten) {
  Bytes out(8192);
  DirentWriter w(out);
  const std::string too_long(kNameMaxOld + 1, 'n');
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("a/b"), std::string_view("a\0b", 3), std::string_view(too_long)}) {
    EXPECT_EQ(w.add(1, 1, 8, bad), Added::BadName);
    EXPECT_EQ(w.add_plus({}, 1, 1, 8, bad), Added::BadName);
    EXPECT_FALSE(write_notify_inval_entry(out, 1, bad, 0));
    EXPECT_EQ(write_notify_delete(out, 1, 2, bad).error(), err(EINVAL));
  }
  EXPECT_EQ(w.size(), 0u);
  EXPECT_EQ(w.add(1, 1, 8, std::string(kNameMaxOld, 'n')), Added::Yes);
}

TEST(FuseReply, Notifications) {
  Bytes out(kNotifyMax, std::byte{0xee});
  const auto header = [&] { return load<OutHeader>(out, 0); };

  EXPECT_EQ(*write_notify_poll(out, 5), 24u);
  EXPECT_EQ(header().error, 1);
  EXPECT_EQ(header().unique, 0u);
  EXPECT_EQ(load<NotifyPollWakeupOut>(out, 16).kh, 5u);

  EXPECT_EQ(*write_notify_inval_inode(out, 6, -1, 7), 40u);
  EXPECT_EQ(header().error, 2);
  EXPECT_EQ(load<NotifyInvalInodeOut>(out, 16).off, -1);

  EXPECT_EQ(*write_notify_inval_entry(out, 1, std::string_view("abcd").substr(0, 3), kExpireOnly), 36u);
  EXPECT_EQ(header().len, 36u);
  EXPECT_EQ(header().error, 3);
  EXPECT_EQ(load<NotifyInvalEntryOut>(out, 16).namelen, 3u);
  EXPECT_EQ(load<NotifyInvalEntryOut>(out, 16).flags, kExpireOnly);
  EXPECT_STREQ(reinterpret_cast<const char*>(out.data() + 32), "abc");

  EXPECT_EQ(*write_notify_store(out, 6, 4096, 1000), 40u);
  EXPECT_EQ(header().len, 1040u);
  EXPECT_EQ(header().error, 4);
  EXPECT_EQ(write_notify_store(out, 6, 4096, 0xffffffffu).error(), err(EINVAL));

  EXPECT_EQ(*write_notify_retrieve(out, 77, 6, 4096, 1000), 48u);
  EXPECT_EQ(header().error, 5);
  EXPECT_EQ(load<NotifyRetrieveOut>(out, 16).notify_unique, 77u);

  EXPECT_EQ(*write_notify_delete(out, 1, 2, "ab"), 43u);
  EXPECT_EQ(header().error, 6);
  EXPECT_EQ(load<NotifyDeleteOut>(out, 16).child, 2u);
  EXPECT_STREQ(reinterpret_cast<const char*>(out.data() + 40), "ab");

  EXPECT_EQ(*write_notify_resend(out), 16u);
  EXPECT_EQ(header().error, 7);
  EXPECT_EQ(*write_notify_inc_epoch(out), 16u);
  EXPECT_EQ(header().error, 8);

  const uint64_t nodes[] = {2, 3, 4};
  EXPECT_EQ(*write_notify_prune(out, nodes), prune_size(3));
  EXPECT_EQ(header().len, 56u);
  EXPECT_EQ(header().error, 9);
  EXPECT_EQ(load<NotifyPruneOut>(out, 16).count, 3u);
  EXPECT_EQ(load<uint64_t>(out, 48), 4u);
}

TEST(FuseReply, NotificationsNeedRoom) {
  const std::string longest(kNameMaxOld, 'n');
  Bytes enough(kNotifyMax);
  EXPECT_EQ(*write_notify_delete(enough, 1, 2, longest), kNotifyMax - 8);
  for (size_t room = 0; room < 43; ++room) {
    Bytes out(room);
    EXPECT_EQ(write_notify_delete(out, 1, 2, "ab").error(), err(ENOBUFS));
    if (room < 16) {
      EXPECT_EQ(write_notify_resend(out).error(), err(ENOBUFS));
    }
    if (room < 40) {
      EXPECT_EQ(write_notify_inval_inode(out, 1, 0, 0).error(), err(ENOBUFS));
    }
    const uint64_t node = 2;
    if (room < prune_size(1)) {
      EXPECT_EQ(write_notify_prune(out, {&node, 1}).error(), err(ENOBUFS));
    }
  }
}

}  // namespace
}  // namespace isthmus::wire::fuse
