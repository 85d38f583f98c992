// What is believed of a stored file, and what is not.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "base/endian.h"
#include "fs/compress/big.h"
#include "fs/compress/codec.h"
#include "fs/compress/layout.h"

namespace isthmus::fs::compress {
namespace {

using ::testing::HasSubstr;

struct InMemory final : Source {
  explicit InMemory(std::string b) : bytes(std::move(b)) {}
  Result<size_t> read_at(uint64_t offset, MutableBytes to) override {
    reads++;
    if (offset >= bytes.size()) return size_t{0};
    const size_t n = std::min(to.size(), bytes.size() - static_cast<size_t>(offset));
    std::copy_n(as_bytes(bytes).begin() + static_cast<ptrdiff_t>(offset), n, to.begin());
    return n;
  }
  std::string bytes;
  int reads = 0;
};

std::string frame(std::string_view plain, int level = 3) { return *compress_frame(as_bytes(plain), level); }
/// As zstd(1) writes what comes from a pipe: the frame does not say its size.
std::string frame_without_size(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()) + 1024, '\0');
  ZSTD_CStream* z = ZSTD_createCStream();
  ZSTD_outBuffer o{out.data(), out.size(), 0};
  ZSTD_inBuffer i{plain.data(), plain.size(), 0};
  while (i.pos < i.size) ZSTD_compressStream2(z, &o, &i, ZSTD_e_continue);
  while (ZSTD_compressStream2(z, &o, &i, ZSTD_e_end) != 0) {
  }
  ZSTD_freeCStream(z);
  out.resize(o.pos);
  return out;
}

struct Read {
  int error;
  Layout layout;
  std::string why;
};
Read read(const std::string& bytes, bool frames = true) {
  InMemory from(bytes);
  Read r{};
  auto l = read_layout(from, bytes.size(), frames, r.why);
  r.error = l.code();
  if (l) r.layout = std::move(*l);
  return r;
}

std::string two_frames(std::vector<Frame>& entries) {
  std::string a = frame("hello, "), b = frame(std::string(1000, 'w'));
  entries = {{0, a.size(), 7}, {a.size(), b.size(), 1000}};
  return a + b;
}

TEST(Layout, SeekTableIsBelieved) {
  std::vector<Frame> entries;
  const std::string content = two_frames(entries);
  auto r = read(content + make_seek_table(entries));
  ASSERT_EQ(r.error, 0) << r.why;
  EXPECT_EQ(r.layout.plain, 1007u);
  ASSERT_EQ(r.layout.frames.size(), 2u);
  EXPECT_EQ(r.layout.frames[1].at, entries[1].at);
  // With checksums, as others may write it, and entries that decode to nothing.
  std::string table;
  append_le<uint32_t>(table, kTableMagic);
  append_le<uint32_t>(table, 3 * 12 + 9);
  std::string skipped;
  append_le<uint32_t>(skipped, kSkippableMagic + 3);
  append_le<uint32_t>(skipped, 5);
  skipped += "words";
  for (auto [stored, plain] :
       {std::pair(entries[0].stored, uint64_t{7}), {skipped.size(), 0}, {entries[1].stored, 1000}}) {
    append_le<uint32_t>(table, static_cast<uint32_t>(stored));
    append_le<uint32_t>(table, static_cast<uint32_t>(plain));
    append_le<uint32_t>(table, 0x12345678);
  }
  append_le<uint32_t>(table, 3);
  append_le<uint8_t>(table, 0x80);
  append_le<uint32_t>(table, kFooterMagic);
  r = read(content.substr(0, entries[0].stored) + skipped + content.substr(entries[0].stored) + table);
  ASSERT_EQ(r.error, 0) << r.why;
  EXPECT_EQ(r.layout.plain, 1007u);
  ASSERT_EQ(r.layout.frames.size(), 2u);
  EXPECT_EQ(r.layout.frames[1].at, entries[0].stored + skipped.size());
}

TEST(Layout, SizesTakeOneReadOfMostFiles) {
  std::vector<Frame> entries;
  std::string content;
  for (int i = 0; i < 900; i++) {
    content += frame("frame");
    entries.push_back({0, frame("frame").size(), 5});
  }
  InMemory from(content + make_seek_table(entries));
  std::string why;
  auto l = read_layout(from, from.bytes.size(), false, why);
  ASSERT_TRUE(l) << why;
  EXPECT_EQ(l->plain, 4500u);
  EXPECT_TRUE(l->frames.empty());
  EXPECT_EQ(from.reads, 1);
}

TEST(Layout, LongTables) {
  std::vector<Frame> entries;
  std::string content;
  const std::string one = frame("x");
  for (int i = 0; i < 20'000; i++) {
    entries.push_back({content.size(), one.size(), 1});
    content += one;
  }
  auto r = read(content + make_seek_table(entries));
  ASSERT_EQ(r.error, 0) << r.why;
  EXPECT_EQ(r.layout.plain, 20'000u);
  EXPECT_EQ(r.layout.frames[19'999].at, entries[19'999].at);
}

TEST(Layout, TablesThatLie) {
  std::vector<Frame> entries;
  const std::string content = two_frames(entries);
  auto with = [&](std::vector<Frame> e) { return content + make_seek_table(e); };
  auto refused = [](const std::string& bytes, std::string_view why) {
    auto r = read(bytes);
    EXPECT_EQ(r.error, EIO) << why;
    EXPECT_THAT(r.why, HasSubstr(std::string(why)));
    EXPECT_EQ(read(bytes, false).error, EIO) << why;
  };
  auto changed = entries;
  changed[1].stored += 1;
  refused(with(changed), "more bytes than there are");
  changed = entries;
  changed[1].stored = 0xffffffff;
  refused(with(changed), "more bytes than there are");
  changed = entries;
  changed[1].stored -= 1;
  refused(with(changed), "of frames, there are");
  changed = entries;
  changed[0].plain = 0xffffffff;
  refused(with(changed), "lists a frame of");
  changed = entries;
  changed.pop_back();
  refused(with(changed), "of frames, there are");

  std::string bytes = with(entries);
  bytes[bytes.size() - 5] = 0x04;  // a reserved bit
  refused(bytes, "form that is not known");
  bytes = with(entries);
  bytes[bytes.size() - 9] = 100;  // more frames than there is room for
  refused(bytes, "longer than the file");
  bytes = with(entries);
  bytes[bytes.size() - 9] = 1;
  refused(bytes, "does not begin where");
  bytes = with(entries);
  for (size_t i = 6; i <= 9; i++) bytes[bytes.size() - i] = '\xff';
  refused(bytes, "form that is not known");
  refused(make_seek_table({{0, 100, 100}}), "more bytes than there are");
}

TEST(Layout, WithoutATable) {
  EXPECT_EQ(read("").layout.plain, 0u);
  auto r = read(frame("one") + frame(std::string(70'000, 'b')) + make_empty_frame());
  ASSERT_EQ(r.error, 0) << r.why;
  EXPECT_EQ(r.layout.plain, 70'003u);
  EXPECT_EQ(r.layout.frames.size(), 2u);
  const std::string large(3'000'000, 'c');
  r = read(frame_without_size(large) + frame("end"));
  ASSERT_EQ(r.error, 0) << r.why;
  EXPECT_EQ(r.layout.plain, 3'000'003u);
  ASSERT_EQ(r.layout.frames.size(), 2u);
  EXPECT_EQ(r.layout.frames[0].plain, 3'000'000u);
}

TEST(Layout, WhatIsNoZstd) {
  EXPECT_EQ(read("plain text that somebody called .zst").error, EIO);
  EXPECT_THAT(read("plain text that somebody called .zst").why, HasSubstr("no frame of zstd"));
  const std::string whole = frame(std::string(5000, 'a') + "b");
  for (size_t n = 1; n < whole.size(); n++) EXPECT_EQ(read(whole.substr(0, n)).error, EIO) << n;
  EXPECT_EQ(read(whole + "x").error, EIO);
  // A frame that says more than its blocks can hold.
  std::string lies = make_zero_frame(1000);
  lies[8] = 1;
  auto r = read(lies);
  EXPECT_EQ(r.error, EIO);
  EXPECT_THAT(r.why, HasSubstr("at most"));
  // One that does not say its size, and is damaged.
  std::string text;
  for (unsigned i = 0; i < 2000; i++) text += std::to_string(i * i) + " ";
  std::string damaged = frame_without_size(text);
  for (size_t i = 20; i < 200; i++) damaged[i] = static_cast<char>(~damaged[i]);
  EXPECT_NE(read(damaged).error, 0);
}

TEST(Layout, CanBeCancelled) {
  InMemory from(frame("a") + frame("b"));
  std::string why;
  EXPECT_EQ(read_layout(from, from.bytes.size(), true, why, [] { return true; }).code(), EINTR);
}

TEST(Format, ZeroFrames) {
  for (uint64_t size : {uint64_t{1}, uint64_t{4096}, uint64_t{131072}, uint64_t{131073}, uint64_t{16} << 20}) {
    const std::string f = make_zero_frame(size);
    EXPECT_EQ(f.size(), zero_frame_size(size));
    std::vector<std::byte> plain(size, std::byte{1});
    ASSERT_TRUE(decompress_frame(as_bytes(f), plain)) << size;
    EXPECT_TRUE(all_zero(plain));
    auto r = read(f);
    EXPECT_EQ(r.error, 0) << r.why;
    EXPECT_EQ(r.layout.plain, size);
  }
  std::vector<std::byte> nothing;
  EXPECT_TRUE(decompress_frame(as_bytes(make_empty_frame()), nothing));
}

TEST(Codec, NeverMoreNorLessThanWasSaid) {
  const std::string f = frame("0123456789");
  std::vector<std::byte> to(10);
  EXPECT_TRUE(decompress_frame(as_bytes(f), to));
  EXPECT_EQ(decompress_frame(as_bytes(f), MutableBytes(to).first(9)).code(), EIO);
  to.resize(11);
  EXPECT_EQ(decompress_frame(as_bytes(f), to).code(), EIO);
}

TEST(Big, PiecesInAnyOrder) {
  std::string plain;
  for (int i = 0; plain.size() < 3'000'000; i++) plain += std::to_string(i * int64_t{7919});
  plain.replace(600'000, 800'000, 800'000, '\0');
  InMemory from("junk" + frame_without_size(plain));
  const Fd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (uint64_t spool : {uint64_t{0}, BigFrame::kPiece * 2, uint64_t{1} << 30}) {
    BigFrame big(from, 4, from.bytes.size(), plain.size(), directory.get(), spool);
    for (uint64_t n : {11, 3, 0, 5, 1, 11, 4}) {
      auto p = big.piece(n);
      ASSERT_TRUE(p) << n;
      const std::string_view want = std::string_view(plain).substr(n * BigFrame::kPiece, BigFrame::kPiece);
      ASSERT_EQ((*p)->size, want.size());
      std::string got(want.size(), 'x');
      (*p)->copy(0, std::as_writable_bytes(std::span(got)));
      EXPECT_EQ(got, want) << n;
    }
  }
  BigFrame longer(from, 4, from.bytes.size(), plain.size() + 1, -1, 0);
  EXPECT_TRUE(longer.piece(0));
  EXPECT_EQ(longer.piece(11).code(), EIO);
}

TEST(Cache, KeepsWhatIsUsedAndNoMore) {
  FrameCache cache(10'000);
  int made = 0;
  auto get = [&](uint64_t at) {
    return cache.get({1, at, 0}, [&]() -> Result<PlainRef> {
      made++;
      return std::make_shared<const Plain>(Plain{std::make_unique<std::byte[]>(1000), 1000});
    });
  };
  for (uint64_t i = 0; i < 50; i++) {
    EXPECT_TRUE(get(i));
    EXPECT_TRUE(get(0));
    EXPECT_LE(cache.size(), 10'000u);
  }
  EXPECT_EQ(made, 50);
  EXPECT_EQ(cache.get({1, 99, 0}, []() -> Result<PlainRef> { return err(EIO); }).code(), EIO);
  EXPECT_TRUE(get(99)) << "a failure is not kept";
}

}  // namespace
}  // namespace isthmus::fs::compress
