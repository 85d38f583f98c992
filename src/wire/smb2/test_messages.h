#pragma once
#include <gtest/gtest.h>

#include "wire/smb2/codec.h"

namespace isthmus::smb2 {

/// A body behind some header; what it views lives as long as the text does.
inline std::string behind_header(const std::string& body) { return std::string(kHeader, 'h') + body; }

/// ignored: bytes at its end that a reader does without.
template <class M>
void there_and_back_and_cut(const M& m, size_t ignored = 0) {
  const std::string message = behind_header(write_message(m));
  const auto read = read_message<M>(as_bytes(message));
  ASSERT_TRUE(read);
  EXPECT_EQ(behind_header(write_message(*read)), message);
  for (size_t n = 0; n < message.size(); n++) {
    EXPECT_EQ(read_message<M>(as_bytes(message).first(n)).has_value(), n + ignored >= message.size()) << n;
  }
  for (size_t bit = 0; bit < 16; bit++) {
    std::string bad = message;
    bad[kHeader + bit / 8] = static_cast<char>(bad[kHeader + bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(read_message<M>(as_bytes(bad))) << "structure size";
  }
}

/// Nothing shorter than `bytes` can be read; it itself can.
template <class Read>
void readable_only_whole(std::string_view bytes, const Read& read) {
  EXPECT_TRUE(read(as_bytes(bytes)));
  // Copies of that length: a reader that goes too far is caught.
  for (size_t n = 0; n < bytes.size(); n++) {
    const std::vector<std::byte> cut(as_bytes(bytes).begin(), as_bytes(bytes).begin() + static_cast<ptrdiff_t>(n));
    EXPECT_FALSE(read(Bytes(cut))) << n;
  }
}

}  // namespace isthmus::smb2
