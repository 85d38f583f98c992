#include <functional>
#include <thread>

#include "doors/smb/test_door.h"
#include "wire/smb2/classes.h"
#include "wire/smb2/create_contexts.h"
#include "wire/smb2/directory_info.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/query.h"
#include "wire/smb2/set_info.h"
#include "wire/smb2/volume_info.h"

namespace isthmus::smb::testing {
namespace {

using smb2::Disposition;
using smb2::FileId;
using smb2::FileInfoClass;
using ::testing::ElementsAre;

constexpr uint32_t kReadOnlyAccess = 0x120089, kDeleteAccess = 0x110080;

class StreamsTest : public DoorTest {
 protected:
  /// An attribute as the file system has it; "?": none.
  std::string attribute(const std::string& file, std::string_view name) {
    const auto e = call_and_wait(*fs_, op::Lookup{{}, NodeId::root, file});
    if (!e) return "?";
    const auto value = call_and_wait(*fs_, op::GetXattr{{}, e->node, name});
    forget(*fs_, {}, e->node);
    return value ? *value : "?";
  }
  void set_attribute(const std::string& file, std::string_view name, std::string_view value) {
    const auto e = call_and_wait(*fs_, op::Lookup{{}, NodeId::root, file});
    ASSERT_TRUE(e);
    EXPECT_TRUE(call_and_wait(*fs_, op::SetXattr{{}, e->node, name, as_bytes(value), 0, false}));
    forget(*fs_, {}, e->node);
  }
};

NtStatus set_information(Client& c, const FileId& id, FileInfoClass what, const std::string& data) {
  smb2::SetInfoRequest m;
  m.info_class = static_cast<uint8_t>(what);
  m.data = as_bytes(data);
  m.file_id = id;
  return c.ask(Command::set_info, m).status();
}
NtStatus set_length(Client& c, const FileId& id, uint64_t size) {
  std::string data;
  append_le<uint64_t>(data, size);
  return set_information(c, id, FileInfoClass::end_of_file, data);
}
NtStatus rename_to(Client& c, const FileId& id, const std::string& name, bool replace = false) {
  const std::string wide = *utf16_of(name);
  std::string data(1, replace ? '\1' : '\0');
  data.append(15, '\0');
  append_le<uint32_t>(data, static_cast<uint32_t>(wide.size()));
  return set_information(c, id, FileInfoClass::rename, data + wide);
}
/// What a query answers; empty: an error.
std::string ask_about(Client& c, const FileId& id, smb2::InfoType type, uint8_t what) {
  smb2::QueryInfoRequest m;
  m.type = type;
  m.info_class = what;
  m.max_output = 4096;
  m.file_id = id;
  const Message answer = c.ask(Command::query_info, m);
  const auto read = smb2::read_message<smb2::DataResponse>(as_bytes(answer.bytes));
  return answer.status() == NtStatus::success && read ? std::string(as_text(read->data)) : std::string();
}
/// "name=size" of each.
std::vector<std::string> streams_listed(Client& c, const FileId& id) {
  const std::string list = ask_about(c, id, smb2::InfoType::file, static_cast<uint8_t>(FileInfoClass::stream));
  const Bytes bytes = as_bytes(list);
  std::vector<std::string> found;
  for (size_t at = 0; at + 24 <= list.size();) {
    const size_t next = *load_le<uint32_t>(bytes, at), length = *load_le<uint32_t>(bytes, at + 4);
    found.push_back(*utf8_of(bytes.subspan(at + 24, length)) + "=" + std::to_string(*load_le<uint64_t>(bytes, at + 8)));
    if (next == 0) break;
    at += next;
  }
  return found;
}
NtStatus put_text(Client& c, const std::string& name, std::string_view text) {
  FileId id;
  if (const NtStatus s = c.open(name, id); s != NtStatus::success) return s;
  const NtStatus s = c.write(id, 0, text);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  return s;
}
std::optional<std::string> text_of_stream(Client& c, const std::string& name) {
  FileId id;
  if (c.open(name, id, Disposition::open, 0, kReadOnlyAccess) != NtStatus::success) return {};
  auto text = c.read(id, 0, 1000);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  return text;
}

TEST_F(StreamsTest, AreAttributesAsSambaHasThem) {
  Client c(port());
  c.begin();
  ASSERT_EQ(put_text(c, "file:One", "text"), NtStatus::success) << "the file is made, too";
  EXPECT_EQ(attribute("file", "user.DosStream.One:$DATA"), std::string("text\0", 5));
  set_attribute("file", "user.DosStream.two:$DATA", "bare");
  EXPECT_EQ(text_of_stream(c, "file:oNE:$data"), "text") << "names in any case";
  EXPECT_EQ(text_of_stream(c, "file:two"), "bare") << "without the zero byte";
  FileId id;
  ASSERT_EQ(c.open("file::$DATA", id, Disposition::open), NtStatus::success) << "the file itself";
  EXPECT_EQ(c.write(id, 0, "own"), NtStatus::success);
  EXPECT_THAT(streams_listed(c, id), ElementsAre("::$DATA=3", ":One:$DATA=4", ":two:$DATA=4"));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  for (const char* name : {"file:", "file:one:$FOO", "file:one:", "file:a/b", "file:a:b:$DATA", "file:one\\x"})
    EXPECT_EQ(c.open(name, id), NtStatus::object_name_invalid) << name;
  EXPECT_EQ(c.open("file:" + std::string(235, 'x'), id), NtStatus::object_name_invalid);
  EXPECT_EQ(c.open("file:none", id, Disposition::open), NtStatus::object_name_not_found);
  EXPECT_EQ(c.open("file:one", id, Disposition::create), NtStatus::object_name_collision);
  EXPECT_EQ(c.open("file:one", id, Disposition::open_if, smb2::kOptionDirectory), NtStatus::not_a_directory);
  files_ = {"file"};
}

TEST_F(StreamsTest, OfDirectoriesAreFilesToo) {
  Client c(port());
  c.begin();
  FileId dir, id;
  ASSERT_EQ(c.open("dir", dir, Disposition::create, smb2::kOptionDirectory), NtStatus::success);
  EXPECT_EQ(put_text(c, "dir:s", "text"), NtStatus::success);
  EXPECT_THAT(streams_listed(c, dir), ElementsAre(":s:$DATA=4"));
  EXPECT_EQ(c.open("dir::$DATA", id, Disposition::open), NtStatus::file_is_a_directory);
  ASSERT_EQ(c.open("dir:s", id), NtStatus::success);
  const std::string standard = ask_about(c, id, smb2::InfoType::file, static_cast<uint8_t>(FileInfoClass::standard));
  ASSERT_GE(standard.size(), 22u);
  EXPECT_EQ(load_le<uint64_t>(as_bytes(standard), 8), 4u);
  EXPECT_EQ(standard[21], '\0') << "no directory";
  smb2::QueryDirectoryRequest list;
  list.find_class = smb2::FindClass::names;
  list.file_id = id;
  list.max_output = 1000;
  EXPECT_EQ(c.ask(Command::query_directory, list).status(), NtStatus::invalid_parameter);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.close_file(dir), NtStatus::success);
  ASSERT_EQ(c.open("dir", dir, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(dir), NtStatus::success);
}

TEST_F(StreamsTest, ShareEachByItself) {
  Client c(port());
  c.begin();
  smb2::CreateRequest m = c.creation("file:one", Disposition::open_if, 0, 0x12019f);
  m.share_access = 0;
  const auto made = smb2::read_message<smb2::CreateResponse>(as_bytes(c.ask(Command::create, m).bytes));
  ASSERT_TRUE(made);
  FileId id;
  EXPECT_EQ(c.open("file:ONE", id), NtStatus::sharing_violation);
  ASSERT_EQ(c.open("file:two", id, Disposition::open_if, 0, 0x12019f), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  ASSERT_EQ(c.open("file", id, Disposition::open, 0, 0x12019f), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.open("file", id, Disposition::open, 0, kDeleteAccess), NtStatus::sharing_violation)
      << "a file with an open stream is not deleted";
  EXPECT_EQ(c.close_file(made->file_id), NtStatus::success);
  ASSERT_EQ(c.open("file", id, Disposition::open, 0, kDeleteAccess), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, WritesOfTwoAreBothKept) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId first, second;
  ASSERT_EQ(a.open("file:s", first), NtStatus::success);
  ASSERT_EQ(b.open("file:S", second), NtStatus::success);
  constexpr uint64_t kBytes = 400;
  const auto frame = [](Client& c, const FileId& id, uint64_t offset) {
    smb2::WriteRequest m;
    m.file_id = id;
    m.offset = offset;
    m.data = as_bytes("x");
    c.send_frame(c.message(Command::write, smb2::write_message(m)));
  };
  const auto answered = [](Client& c) {
    Message m = c.receive();
    while (!m.gone() && m.status() == NtStatus::pending) m = c.receive();
    return m.status();
  };
  for (uint64_t i = 0; i < kBytes; i += 2) {
    frame(a, first, i);
    frame(b, second, i + 1);
    EXPECT_EQ(answered(a), NtStatus::success);
    EXPECT_EQ(answered(b), NtStatus::success);
  }
  EXPECT_EQ(a.read(first, 0, 1000), std::string(kBytes, 'x'));
  EXPECT_EQ(a.close_file(first), NtStatus::success);
  EXPECT_EQ(b.close_file(second), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, AreAsLongAsAnAttributeMayBe) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file:s", id), NtStatus::success);
  EXPECT_EQ(c.write(id, 65534, "x"), NtStatus::success);
  EXPECT_EQ(c.write(id, 65535, "x"), NtStatus::file_too_large);
  EXPECT_EQ(c.write(id, UINT64_MAX, "x"), NtStatus::file_too_large) << "behind the end";
  EXPECT_EQ(c.write(id, INT64_MAX - 1, "x"), NtStatus::file_too_large);
  EXPECT_EQ(set_length(c, id, 65536), NtStatus::file_too_large);
  EXPECT_EQ(c.read(id, 65533, 10), std::string("\0x", 2));
  EXPECT_EQ(set_length(c, id, 3), NtStatus::success);
  EXPECT_EQ(c.read(id, 0, 10), std::string(3, '\0'));
  EXPECT_FALSE(c.read(id, 3, 10));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, HaveLocksThatAreWaitedFor) {
  Client a(port()), b(port());
  a.begin();
  b.begin();
  FileId first, second, base;
  ASSERT_EQ(a.open("file:s", first), NtStatus::success);
  ASSERT_EQ(b.open("file:s", second), NtStatus::success);
  const auto lock = [](const FileId& id, uint32_t flags) {
    smb2::LockRequest m;
    m.file_id = id;
    m.locks = {{.offset = 0, .length = 10, .flags = flags}};
    return smb2::write_message(m);
  };
  constexpr uint32_t kExclusive = smb2::LockElement::kExclusive, kUnlock = smb2::LockElement::kUnlock;
  ASSERT_EQ(a.ask_raw(Command::lock, lock(first, kExclusive)).status(), NtStatus::success);
  EXPECT_EQ(b.write(second, 0, "text"), NtStatus::file_lock_conflict);
  ASSERT_EQ(b.open("file", base), NtStatus::success);
  EXPECT_EQ(b.write(base, 0, "text"), NtStatus::success) << "the file has locks of its own";
  EXPECT_EQ(b.close_file(base), NtStatus::success);
  b.send_frame(b.message(Command::lock, lock(second, kExclusive)));
  ASSERT_EQ(b.receive().status(), NtStatus::pending);
  EXPECT_EQ(a.ask_raw(Command::lock, lock(first, kUnlock)).status(), NtStatus::success);
  EXPECT_EQ(b.receive().status(), NtStatus::success);
  // One that waits ends with its open.
  a.send_frame(a.message(Command::lock, lock(first, kExclusive)));
  ASSERT_EQ(a.receive().status(), NtStatus::pending);
  a.send_frame(a.message(Command::close, smb2::write_message(smb2::CloseRequest{0, first})));
  const Message one = a.receive(), other = a.receive();
  const Message& refused = one.header.command == Command::lock ? one : other;
  EXPECT_EQ(refused.status(), NtStatus::range_not_locked);
  EXPECT_EQ(b.close_file(second), NtStatus::success);
  files_ = {"file"};
}

/// Whatever clients do with streams of one file at the same time, nothing of it stays behind.
TEST_F(StreamsTest, ManyAtOnce) {
  const auto run = [this](unsigned seed) {
    Client c(port());
    c.begin();
    const char* names[] = {"file:a", "file:b", "file", "file:AFP_Resource"};
    for (int i = 0; i < 60; i++) {
      seed = seed * 1'103'515'245 + 12345;
      FileId id;
      const uint32_t options = (seed >> 20) % 4 == 0 ? smb2::kOptionDeleteOnClose : 0;
      const auto how = (seed >> 24) % 3 == 0 ? Disposition::overwrite_if : Disposition::open_if;
      if (c.open(names[(seed >> 16) % 4], id, how, options) != NtStatus::success) continue;
      (void)c.write(id, seed >> 28, "text");
      if ((seed >> 10) % 4 == 0) (void)rename_to(c, id, (seed >> 12) % 2 ? ":a" : ":c", true);
      (void)streams_listed(c, id);
      EXPECT_EQ(c.close_file(id), NtStatus::success);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; i++) threads.emplace_back(run, i);
  for (std::thread& t : threads) t.join();
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id, Disposition::open_if, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
}

TEST_F(StreamsTest, AreDeletedAlone) {
  Client c(port());
  c.begin();
  ASSERT_EQ(put_text(c, "file:one", "1"), NtStatus::success);
  ASSERT_EQ(put_text(c, "file:two", "2"), NtStatus::success);
  FileId id, other, third;
  ASSERT_EQ(c.open("file:one", id, Disposition::open), NtStatus::success);
  ASSERT_EQ(c.open("file:one", other, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  EXPECT_EQ(c.open("file:one", third), NtStatus::delete_pending);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.open("file:one", third, Disposition::open), NtStatus::object_name_not_found);
  ASSERT_EQ(c.open("file:two", id, Disposition::open), NtStatus::success);
  EXPECT_EQ(set_information(c, id, FileInfoClass::disposition, "\1"), NtStatus::success);
  EXPECT_EQ(set_information(c, id, FileInfoClass::disposition, std::string(1, '\0')), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(text_of_stream(c, "file:two"), "2") << "not after all";
  ASSERT_EQ(c.open("file", id, Disposition::overwrite), NtStatus::success);
  EXPECT_THAT(streams_listed(c, id), ElementsAre("::$DATA=0")) << "they go when the file is overwritten";
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  // A file goes when its last stream has been closed.
  ASSERT_EQ(c.open("file:three", id), NtStatus::success);
  ASSERT_EQ(c.open("file", other, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  EXPECT_EQ(c.open("file:three", third), NtStatus::delete_pending);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(c.open("file", id, Disposition::open), NtStatus::object_name_not_found);
}

TEST_F(StreamsTest, AreRenamedInsideOfTheirFile) {
  Client c(port());
  c.begin();
  ASSERT_EQ(put_text(c, "file:one", "1"), NtStatus::success);
  ASSERT_EQ(put_text(c, "file:two", "2"), NtStatus::success);
  FileId id, base, other;
  ASSERT_EQ(c.open("file:one", id, Disposition::open), NtStatus::success);
  EXPECT_EQ(rename_to(c, id, ":two"), NtStatus::object_name_collision);
  EXPECT_EQ(rename_to(c, id, "other:x"), NtStatus::invalid_parameter);
  EXPECT_EQ(rename_to(c, id, ":AFP_AfpInfo"), NtStatus::invalid_parameter) << "which it is not";
  EXPECT_EQ(rename_to(c, id, ":ONE"), NtStatus::success);
  EXPECT_EQ(rename_to(c, id, ":three:$DATA"), NtStatus::success);
  EXPECT_EQ(c.write(id, 1, "+"), NtStatus::success);
  EXPECT_EQ(text_of_stream(c, "file:three"), "1+");
  ASSERT_EQ(c.open("file:two", other, Disposition::open), NtStatus::success);
  EXPECT_EQ(rename_to(c, id, ":two", true), NtStatus::invalid_parameter) << "it is open";
  EXPECT_EQ(c.close_file(other), NtStatus::success);
  ASSERT_EQ(c.open("file", base, Disposition::open), NtStatus::success);
  EXPECT_EQ(rename_to(c, base, "elsewhere"), NtStatus::access_denied) << "not with a stream open";
  EXPECT_EQ(rename_to(c, id, ":Two", true), NtStatus::success);
  EXPECT_THAT(streams_listed(c, base), ElementsAre("::$DATA=0", ":Two:$DATA=2"));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  EXPECT_EQ(rename_to(c, base, "elsewhere"), NtStatus::success);
  EXPECT_EQ(c.close_file(base), NtStatus::success);
  EXPECT_EQ(text_of_stream(c, "elsewhere:two"), "1+") << "they go where the file goes";
  files_ = {"elsewhere"};
}

TEST_F(StreamsTest, AreNews) {
  Client c(port());
  c.begin();
  FileId root, id;
  ASSERT_EQ(c.open("", root, Disposition::open, smb2::kOptionDirectory, kReadOnlyAccess), NtStatus::success);
  ASSERT_EQ(put_text(c, "file", "text"), NtStatus::success);
  smb2::ChangeNotifyRequest watch;
  watch.file_id = root;
  watch.max_output = 1000;
  watch.filter = smb2::kChangeStreamName | smb2::kChangeStreamSize;
  const auto next = [&](smb2::NotifyAction action, const std::function<void()>& change) {
    c.send_frame(c.message(Command::change_notify, smb2::write_message(watch)));
    EXPECT_EQ(c.receive().status(), NtStatus::pending);
    Client other(port());
    other.begin();
    std::swap(c, other);
    change();
    std::swap(c, other);
    const Message m = c.receive();
    const auto read = smb2::read_message<smb2::DataResponse>(as_bytes(m.bytes));
    ASSERT_TRUE(read && read->data.size() > 12) << static_cast<uint32_t>(m.status());
    EXPECT_EQ(load_le<uint32_t>(read->data, 4), static_cast<uint32_t>(action));
    EXPECT_EQ(utf8_of(read->data.subspan(12, *load_le<uint32_t>(read->data, 8))), "file:s:$DATA");
  };
  next(smb2::NotifyAction::added_stream, [&] {
    EXPECT_EQ(c.open("file:s", id), NtStatus::success);
    EXPECT_EQ(c.close_file(id), NtStatus::success);
  });
  next(smb2::NotifyAction::modified_stream, [&] { EXPECT_EQ(put_text(c, "file:s", "more"), NtStatus::success); });
  next(smb2::NotifyAction::removed_stream, [&] {
    EXPECT_EQ(c.open("file:s", id, Disposition::open, smb2::kOptionDeleteOnClose), NtStatus::success);
    EXPECT_EQ(c.close_file(id), NtStatus::success);
  });
  EXPECT_EQ(c.close_file(root), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, NeedAttributes) {
  for (const char* faults : {"", "get_xattr+set_xattr+list_xattr:EOPNOTSUPP"}) {
    start({}, faults);
    const bool can = *faults == '\0';
    Client c(port());
    c.begin();
    FileId id;
    ASSERT_EQ(c.open("file", id), NtStatus::success);
    const std::string volume =
        ask_about(c, id, smb2::InfoType::filesystem, static_cast<uint8_t>(smb2::FsInfoClass::attribute));
    ASSERT_GE(volume.size(), 4u);
    EXPECT_EQ((*load_le<uint32_t>(as_bytes(volume), 0) & smb2::kFsNamedStreams) != 0, can);
    EXPECT_THAT(streams_listed(c, id), ElementsAre("::$DATA=0"));
    FileId stream;
    EXPECT_EQ(c.open("file:s", stream), can ? NtStatus::success : NtStatus::object_name_invalid);
    EXPECT_EQ(c.open("other:s", stream, Disposition::open),
              can ? NtStatus::object_name_not_found : NtStatus::object_name_invalid);
    files_ = {"file"};
  }
}

/// A server query by the context AAPL, of the root.
NtStatus ask_as_apple(Client& c, std::string& answer) {
  const std::string asked = smb2::write_data(
      smb2::AaplRequest{.command = smb2::AaplRequest::kServerQuery, .bitmap = 7, .client_caps = 1 | 4 | 8});
  std::string contexts;
  smb2::append_create_context(contexts, smb2::kContextAapl, as_bytes(asked));
  smb2::CreateRequest m = c.creation("", Disposition::open, smb2::kOptionDirectory, kReadOnlyAccess);
  m.contexts = as_bytes(contexts);
  const Message made = c.ask(Command::create, m);
  const auto read = smb2::read_message<smb2::CreateResponse>(as_bytes(made.bytes));
  if (!read) return made.status();
  const auto list = smb2::read_create_contexts(read->contexts);
  if (const auto* found = list ? smb2::find_context(*list, smb2::kContextAapl) : nullptr) answer = as_text(found->data);
  return c.close_file(read->file_id);
}

std::string finder_info_of(std::string_view type_and_creator) {
  std::string info("AFP\0\0\0\1\0", 8);
  info.resize(16);
  info += type_and_creator;
  info.resize(60);
  return info;
}

TEST_F(StreamsTest, TellApplesClientsWhatTheyAsk) {
  Client c(port());
  c.begin();
  std::string answer;
  ASSERT_EQ(ask_as_apple(c, answer), NtStatus::success);
  const Bytes bytes = as_bytes(answer);
  ASSERT_GE(answer.size(), 40u);
  EXPECT_EQ(load_le<uint64_t>(bytes, 8), 7u);
  EXPECT_EQ(load_le<uint64_t>(bytes, 16), 15u);
  EXPECT_EQ(load_le<uint64_t>(bytes, 24), smb2::AaplResponse::kFullSync);
  EXPECT_EQ(*load_le<uint32_t>(bytes, 36) + 40, answer.size());
  ASSERT_EQ(put_text(c, "file:AFP_AfpInfo", finder_info_of("TEXTttxt")), NtStatus::success);
  ASSERT_EQ(put_text(c, "file:AFP_Resource", "fork"), NtStatus::success);
  FileId root;
  ASSERT_EQ(c.open("", root, Disposition::open, smb2::kOptionDirectory, kReadOnlyAccess), NtStatus::success);
  const std::string pattern = *utf16_of("file");
  smb2::QueryDirectoryRequest list;
  list.find_class = smb2::FindClass::id_both;
  list.file_id = root;
  list.pattern = as_bytes(pattern);
  list.max_output = 1000;
  const Message found = c.ask(Command::query_directory, list);
  const auto entry = smb2::read_message<smb2::DataResponse>(as_bytes(found.bytes));
  ASSERT_TRUE(entry && entry->data.size() >= 104);
  const auto rights = *load_le<uint32_t>(entry->data, 64);
  EXPECT_EQ(rights & 0x3, 0x3u);
  EXPECT_EQ(load_le<uint64_t>(entry->data, 70), 4u) << "bytes of the resource fork";
  EXPECT_EQ(as_text(entry->data.subspan(78, 8)), "TEXTttxt");
  EXPECT_EQ(*load_le<uint16_t>(entry->data, 94) & S_IFMT, static_cast<uint16_t>(S_IFREG));
  EXPECT_EQ(c.close_file(root), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, OfApplesFinderFollowItsRules) {
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file:AFP_AfpInfo", id), NtStatus::success);
  EXPECT_EQ(c.read(id, 0, 100), finder_info_of("")) << "of a new one";
  EXPECT_EQ(c.write(id, 0, "foo"), NtStatus::invalid_parameter);
  EXPECT_EQ(c.write(id, 1, "AFP"), NtStatus::invalid_parameter);
  EXPECT_EQ(c.write(id, 0, finder_info_of("TEXTttxt")), NtStatus::success);
  EXPECT_EQ(c.read(id, 16, 3), "AFP") << "from its beginning";
  EXPECT_FALSE(c.read(id, 61, 3));
  EXPECT_EQ(set_length(c, id, 61), NtStatus::allotted_space_exceeded);
  EXPECT_EQ(set_length(c, id, 0), NtStatus::success) << "and nothing happens";
  EXPECT_EQ(attribute("file", "user.DosStream.AFP_AfpInfo:$DATA").size(), 61u);
  EXPECT_EQ(c.write(id, 0, finder_info_of("")), NtStatus::success);
  EXPECT_EQ(attribute("file", "user.DosStream.AFP_AfpInfo:$DATA"), "?") << "nothing is in it";
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  set_attribute("file", "user.DosStream.AFP_AfpInfo:$DATA", "no such thing");
  EXPECT_EQ(c.open("file:AFP_AfpInfo", id, Disposition::open), NtStatus::object_name_not_found);
  ASSERT_EQ(c.open("file:AFP_Resource", id), NtStatus::success);
  EXPECT_EQ(attribute("file", "user.DosStream.AFP_Resource:$DATA"), "?") << "an empty fork is none";
  EXPECT_EQ(c.write(id, 0, "fork"), NtStatus::success);
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  ASSERT_EQ(c.open("file", id, Disposition::open), NtStatus::success);
  EXPECT_THAT(streams_listed(c, id), ElementsAre("::$DATA=0", ":AFP_Resource:$DATA=4"));
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, TheTimeOfBirthIsAnAttributeWhereItMustBe) {
  const std::string theirs = std::string("\0\0\4\0\4\0\0\0\x11\0\0\0\x22\0\0\0", 16) + std::string(8, '\0') +
                             std::string("\1\2\3\4\5\6\7\0", 8);
  Client c(port());
  c.begin();
  FileId id;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  set_attribute("file", "user.DOSATTRIB", theirs);
  const auto basic = [&] { return ask_about(c, id, smb2::InfoType::file, static_cast<uint8_t>(FileInfoClass::basic)); };
  ASSERT_GE(basic().size(), 36u);
  EXPECT_EQ(load_le<uint64_t>(as_bytes(basic()), 0), 0x0007060504030201u) << "as Samba wrote it (version 4)";
  EXPECT_EQ(load_le<uint32_t>(as_bytes(basic()), 32), 0x22u);
  std::string change(40, '\0');
  change[0] = change[6] = 1;
  change[32] = 2;  // hidden
  EXPECT_EQ(set_information(c, id, FileInfoClass::basic, change), NtStatus::success);
  EXPECT_EQ(load_le<uint64_t>(as_bytes(basic()), 0), 0x0001000000000001u);
  EXPECT_EQ(load_le<uint32_t>(as_bytes(basic()), 32), 2u);
  EXPECT_EQ(attribute("file", "user.DOSATTRIB"), std::string("\0\0\3\0\3\0\0\0\x11\0\0\0\2\0\0\0", 16) +
                                                     std::string(20, '\0') + std::string("\1\0\0\0\0\0\1\0", 8) +
                                                     std::string(8, '\0'));
  for (size_t size = 0; size < theirs.size(); size++) {  // cut anywhere
    set_attribute("file", "user.DOSATTRIB", theirs.substr(0, size));
    EXPECT_GE(basic().size(), 36u) << size;
  }
  EXPECT_EQ(c.close_file(id), NtStatus::success);
  files_ = {"file"};
}

TEST_F(StreamsTest, ATimeThatWasSetStaysForThatOpen) {
  Client c(port());
  c.begin();
  FileId id, other;
  ASSERT_EQ(c.open("file", id), NtStatus::success);
  ASSERT_EQ(c.open("file", other), NtStatus::success);
  constexpr uint64_t kWhen = 130'000'000'000'000'000;
  const auto set_write_time = [&](uint64_t time) {
    std::string basic(40, '\0');
    for (size_t i = 0; i < 8; i++) basic[16 + i] = static_cast<char>(time >> 8 * i & 0xff);
    return set_information(c, id, FileInfoClass::basic, basic);
  };
  const auto written = [&] {
    const std::string basic = ask_about(c, id, smb2::InfoType::file, static_cast<uint8_t>(FileInfoClass::basic));
    return basic.empty() ? 0 : *load_le<uint64_t>(as_bytes(basic), 16);
  };
  ASSERT_EQ(set_write_time(kWhen), NtStatus::success);
  EXPECT_EQ(c.write(id, 0, "text"), NtStatus::success);
  EXPECT_EQ(written(), kWhen);
  EXPECT_EQ(set_length(c, id, 2), NtStatus::success);
  EXPECT_EQ(written(), kWhen);
  EXPECT_EQ(c.write(other, 0, "text"), NtStatus::success);
  EXPECT_NE(written(), kWhen) << "through another open";
  ASSERT_EQ(set_write_time(kWhen), NtStatus::success);
  ASSERT_EQ(set_write_time(UINT64_MAX - 1), NtStatus::success);
  EXPECT_EQ(c.write(id, 0, "text"), NtStatus::success);
  EXPECT_NE(written(), kWhen) << "thawed";
  for (const FileId& f : {id, other}) EXPECT_EQ(c.close_file(f), NtStatus::success);
  files_ = {"file"};
}

}  // namespace
}  // namespace isthmus::smb::testing
