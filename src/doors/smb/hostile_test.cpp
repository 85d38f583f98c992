#include <functional>

#include "doors/smb/test_peer.h"
#include "wire/smb2/notify_info.h"
#include "wire/smb2/oplock.h"

/// Clients that have logged on and mean ill. What they say is answered by an error or ends their connection; the server
/// lives, nothing stays open, and others are served meanwhile.
namespace isthmus::smb::testing {

/// One of them, with files open to lie about.
class HostileClient : public Peer {
 public:
  explicit HostileClient(uint16_t port, std::byte as = std::byte{66}) : Peer(port) {
    guid = as;
    begin();
    file = create({.name = "target", .access = 0x1f01ff, .disposition = Disposition::open_if}).id;
    stream = create({.name = "target:stream", .access = 0x1f01ff, .disposition = Disposition::open_if}).id;
    other = create({.name = "other", .access = 0x1f01ff, .disposition = Disposition::overwrite_if}).id;
    folder = create({.name = "folder",
                     .access = 0x1f01ff,
                     .disposition = Disposition::open_if,
                     .options = smb2::kOptionDirectory})
                 .id;
    share = tree;
    if (connect_tree("\\\\server\\IPC$") == NtStatus::success) pipes = tree;
    pipe = create({.name = "srvsvc", .access = 0x12019f}).id;
    tree = share;
  }

  struct Template {
    std::string what;
    Command command;
    std::string body;
    bool of_pipe = false;
  };
  /// Requests that are right, one of each kind at least.
  std::vector<Template> templates() {
    std::vector<Template> all;
    const auto add = [&all](const char* what, Command command, std::string body, bool of_pipe = false) {
      all.push_back({what, command, std::move(body), of_pipe});
    };
    const std::string durable =
        smb2::write_data(smb2::DurableV2Request{.timeout = 1000, .flags = 0, .create_guid = guid_of(1)});
    add("create", Command::create,
        body_of({.name = "folder\\new",
                 .access = 0x1f01ff,
                 .disposition = Disposition::open_if,
                 .oplock = smb2::OplockLevel::lease,
                 .contexts = contexts_of({{smb2::kContextDurableV2, durable},
                                          {smb2::kContextLease, lease_of(7, 7)},
                                          {smb2::kContextMaximalAccess, ""},
                                          {smb2::kContextAllocationSize, size_body(100)}})}));
    add("create a stream", Command::create,
        body_of({.name = "target:x:$DATA", .access = 0x1f01ff, .disposition = Disposition::open_if}));
    add("flush", Command::flush, smb2::write_message(smb2::FlushRequest{.reserved1 = 0, .file_id = file}));
    smb2::ReadRequest read;
    read.file_id = file;
    read.length = 100;
    add("read", Command::read, smb2::write_message(read));
    read.file_id = stream;
    add("read a stream", Command::read, smb2::write_message(read));
    smb2::WriteRequest write;
    write.file_id = other;  // which gets very long
    write.data = as_bytes(std::string_view("some bytes"));
    add("write", Command::write, smb2::write_message(write));
    write.file_id = stream;
    add("write a stream", Command::write, smb2::write_message(write));
    write.file_id = pipe;
    add("write a pipe", Command::write, smb2::write_message(write), true);
    smb2::LockRequest lock;
    lock.file_id = file;
    lock.locks = {{.offset = 10, .length = 10, .flags = 0x11}, {.offset = 30, .length = 10, .flags = 0x12}};
    add("lock", Command::lock, smb2::write_message(lock));
    for (uint32_t code : {smb2::kFsctlSrvRequestResumeKey, smb2::kFsctlSrvCopychunk, smb2::kFsctlSetZeroData,
                          smb2::kFsctlQueryAllocatedRanges, smb2::kFsctlDuplicateExtentsToFile, smb2::kFsctlSetSparse,
                          smb2::kFsctlGetReparsePoint, smb2::kFsctlSetReparsePoint, smb2::kFsctlPipeTransceive,
                          smb2::kFsctlDfsGetReferrals, smb2::kFsctlSetCompression}) {
      smb2::IoctlRequest ioctl;
      const std::string input(48, '\1');
      ioctl.code = code;
      ioctl.file_id = code == smb2::kFsctlPipeTransceive ? pipe : file;
      ioctl.input = as_bytes(input);
      ioctl.max_output = 4096;
      ioctl.flags = smb2::IoctlRequest::kIsFsctl;
      add("ioctl", Command::ioctl, smb2::write_message(ioctl), code == smb2::kFsctlPipeTransceive);
    }
    add("list", Command::query_directory, list_body(folder, FindClass::id_both, "*", 1));
    smb2::ChangeNotifyRequest watch;
    watch.file_id = folder;
    watch.max_output = 4096;
    watch.filter = 0x17f;
    add("watch", Command::change_notify, smb2::write_message(watch));
    add("query all", Command::query_info, query_body(file, FileInfoClass::all));
    add("query streams", Command::query_info, query_body(stream, FileInfoClass::stream));
    add("query a volume", Command::query_info, query_body(folder, smb2::InfoType::filesystem, 1, 4096));
    add("query security", Command::query_info, query_body(file, smb2::InfoType::security, 0, 4096, 7));
    add("set basic", Command::set_info, set_body(file, FileInfoClass::basic, basic_body({}, 0x20)));
    add("set a size", Command::set_info, set_body(file, FileInfoClass::end_of_file, size_body(100)));
    add("rename", Command::set_info, set_body(file, FileInfoClass::rename, rename_body("target", 1)));
    add("rename a stream", Command::set_info, set_body(stream, FileInfoClass::rename, rename_body(":other", 1)));
    std::string ea("\0\0\0\0\0\1\1\0A\0v", 11);
    add("set attributes", Command::set_info, set_body(file, FileInfoClass::full_ea, ea));
    smb2::SetInfoRequest security;
    security.type = smb2::InfoType::security;
    security.additional = 4;
    security.file_id = other;
    const std::string descriptor =
        windows::to_bytes(list_of({{.mask = 0x1f01ff, .sid = windows::kEveryone, .other = {}}}));
    security.data = as_bytes(descriptor);
    add("set security", Command::set_info, smb2::write_message(security));
    add("break", Command::oplock_break, smb2::write_message(smb2::OplockBreak{smb2::OplockLevel::none, file}));
    add("lease break", Command::oplock_break,
        smb2::write_message(smb2::LeaseBreakAck{.flags = 0, .key = guid_of(7), .state = 0}));
    const std::string path = *utf16_of("\\\\server\\share");
    add("tree connect", Command::tree_connect,
        smb2::write_message(smb2::TreeConnectRequest{.flags = 0, .path = as_bytes(path)}));
    add("session setup", Command::session_setup,
        smb2::write_message(smb2::SessionSetupRequest{.token = as_bytes(std::string_view("NTLMSSP"))}));
    add("close", Command::close, smb2::write_message(smb2::CloseRequest{1, file}));
    return all;
  }

  /// Says it, and hears what comes until an ECHO is answered. False: the connection has ended.
  bool say(Command command, const std::string& body) {
    send_frame(message(command, body));
    return still_there();
  }
  bool still_there() {
    if (!send_frame(message(Command::echo, smb2::write_message(smb2::EmptyMessage{})))) return false;
    while (true) {
      const Message m = receive();
      if (m.gone()) return false;
      if (m.header.command == Command::echo) return true;
    }
  }

  FileId file, stream, other, folder, pipe;
  uint32_t share = 0, pipes = 0;
};

class HostileTest : public DoorTest {
 protected:
  /// Somebody else's work goes on.
  void serves_others() {
    Client polite(port());
    polite.begin();
    FileId id;
    ASSERT_EQ(polite.open("polite", id), NtStatus::success);
    EXPECT_EQ(polite.write(id, 0, "text"), NtStatus::success);
    EXPECT_EQ(polite.read(id, 0, 10), "text");
    EXPECT_EQ(polite.close_file(id), NtStatus::success);
  }
  /// When they have gone, a file that they had open is nobody's.
  void nothing_is_open() {
    Client c(port());
    c.begin();
    smb2::CreateRequest m = c.creation("target", Disposition::open_if);
    m.share_access = 0;
    m.desired_access = 0x120089;  // it may be read-only by now
    NtStatus s = NtStatus::sharing_violation;
    for (int i = 0; i < 6000 && s != NtStatus::success; i++) {
      if (i) usleep(10'000);
      const Message answer = c.ask(Command::create, m);
      s = answer.status();
      if (const auto read = smb2::read_message<smb2::CreateResponse>(as_bytes(answer.bytes));
          read && s == NtStatus::success) {
        EXPECT_EQ(c.close_file(read->file_id), NtStatus::success);
      }
    }
    EXPECT_EQ(s, NtStatus::success);
  }
  void TearDown() override {
    door_->stop();
    remove_all(NodeId::root);
    DoorTest::TearDown();
  }

 private:
  struct Names final : DirSink {
    bool add(const DirEntry& e) override {
      cookie = e.cookie;
      if (e.name != "." && e.name != "..") names.emplace_back(e.name);
      some = true;
      return true;
    }
    std::vector<std::string> names;
    uint64_t cookie = 0;
    bool some = false;
  };
  /// Whatever they have made.
  void remove_all(NodeId dir) {
    Names sink;
    op::OpenDir open;
    open.node = dir;
    const auto opened = call_and_wait(*fs_, open);
    ASSERT_TRUE(opened);
    do {
      sink.some = false;
      op::ReadDir read;
      read.node = dir;
      read.handle = opened->handle;
      read.cookie = sink.cookie;
      read.sink = &sink;
      ASSERT_TRUE(call_and_wait(*fs_, read));
    } while (sink.some);
    (void)call_and_wait(*fs_, op::ReleaseDir{{}, dir, opened->handle});
    for (const std::string& name : sink.names) {
      const auto e = call_and_wait(*fs_, op::Lookup{{}, dir, name});
      ASSERT_TRUE(e);
      const bool directory = (e->attr.mode & S_IFMT) == S_IFDIR;
      if (directory) remove_all(e->node);
      forget(*fs_, {}, e->node);
      if (directory)
        EXPECT_TRUE(call_and_wait(*fs_, op::Rmdir{{}, dir, name, HandleId::none}));
      else
        EXPECT_TRUE(call_and_wait(*fs_, op::Unlink{{}, dir, name, HandleId::none}));
    }
  }
};

/// A number in little endian over what is at `at`.
static void put_number(std::string& text, size_t at, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; i++) text[at + i] = static_cast<char>(value >> 8 * i & 0xff);
}

/// Each place of each request with the numbers that lengths, offsets, counts and sizes of structures go wrong by.
TEST_F(HostileTest, NumbersThatLie) {
  const size_t kinds = HostileClient(port()).templates().size();
  size_t said = 0, ended = 0;
  for (size_t kind = 0; kind < kinds; kind++) {
    auto c = std::make_unique<HostileClient>(port());
    auto right = c->templates()[kind];
    for (size_t width : {1, 2, 4, 8}) {
      for (size_t at = 0; at + width <= right.body.size() && at < 120; at += width) {
        const auto size = static_cast<uint64_t>(smb2::kHeader + right.body.size());
        c->tree = right.of_pipe ? c->pipes : c->share;
        for (uint64_t value : {uint64_t{0}, uint64_t{1}, size - 1, size, size + 1, uint64_t{0x7fff}, uint64_t{0xffff},
                               uint64_t{0x7fffffff}, uint64_t{0xffffffff}, uint64_t{INT64_MAX}, uint64_t{UINT64_MAX}}) {
          if (width < 8 && value >> 8 * width != 0) continue;
          std::string body = right.body;
          put_number(body, at, value, width);
          said++;
          c->send_frame(c->message(right.command, body));
        }
        if (c->still_there()) continue;
        ended++;
        c = std::make_unique<HostileClient>(port());
        right = c->templates()[kind];
      }
    }
    SCOPED_TRACE(right.what);
    ASSERT_NO_FATAL_FAILURE(serves_others());
  }
  EXPECT_GT(said, 20'000u);
  EXPECT_EQ(ended, 0u) << "all is answered";
  nothing_is_open();
}

TEST_F(HostileTest, HeadersThatLie) {
  for (size_t at = 4; at < 48; at += 2) {
    for (uint64_t value : {0u, 1u, 2u, 4u, 8u, 63u, 64u, 65u, 72u, 0x7fffu, 0xffffu}) {
      for (size_t width : {2, 4}) {
        HostileClient c(port());
        std::string text = c.message(Command::query_info, Peer::query_body(c.file, FileInfoClass::all));
        put_number(text, at, value, width);
        c.sign(text);
        c.send_frame(text);
        (void)c.still_there();
      }
    }
  }
  serves_others();
  nothing_is_open();
}

TEST_F(HostileTest, CompoundsThatLead) {
  const auto two = [](HostileClient& c, const std::function<void(std::string&, size_t)>& lie) {
    std::string frame;
    size_t second = 0;
    for (int i = 0; i < 2; i++) {
      smb2::Header h;
      h.command = Command::query_info;
      h.credit_charge = 1;
      h.message_id = c.next_id++;
      h.session_id = c.session;
      h.tree_id = c.tree;
      std::string text;
      smb2::append_header(text, h);
      text += Peer::query_body(i == 0 ? c.file : smb2::kNoFileId, FileInfoClass::all);
      if (i == 0) {
        second = round_up(text.size(), 8);
        text.resize(second);
        put_number(text, smb2::kNextCommandAt, second, 4);
      } else {
        put_number(text, smb2::kFlagsAt, smb2::kFlagRelated, 4);
      }
      lie(text, static_cast<size_t>(i));
      c.sign(text);
      frame += text;
    }
    c.send_frame(frame);
    return c.still_there();
  };
  HostileClient right(port());
  EXPECT_TRUE(two(right, [](std::string&, size_t) {}));
  for (uint64_t next : {1u, 4u, 8u, 56u, 63u, 64u, 72u, 112u, 120u, 4096u, 0x7ffffff8u, 0xfffffff8u, 0xffffffffu}) {
    for (size_t which : {0, 1}) {
      HostileClient c(port());
      (void)two(c, [&](std::string& text, size_t i) {
        if (i == which) put_number(text, smb2::kNextCommandAt, next, 4);
      });
    }
  }
  // The first is related to nothing, which is said of all of them.
  HostileClient c(port());
  EXPECT_TRUE(two(c, [](std::string& text, size_t) { put_number(text, smb2::kFlagsAt, smb2::kFlagRelated, 4); }));
  // All that may follow a CREATE that fails, in one frame, and more than a frame may have.
  std::vector<Peer::Part> parts{{Command::create, Peer::body_of({.name = "nowhere\\at all"})}};
  for (auto& t : c.templates())
    if (t.command != Command::change_notify && t.command != Command::session_setup)
      parts.push_back({t.command, t.body});
  const auto all = c.ask_related(parts);
  EXPECT_EQ(all.front().status(), NtStatus::object_path_not_found);
  parts.assign(65, {Command::echo, smb2::write_message(smb2::EmptyMessage{})});
  HostileClient long_one(port());
  std::string frame;
  for (size_t i = 0; i < parts.size(); i++) {
    std::string text = long_one.message(parts[i].command, parts[i].body);
    text.resize(round_up(text.size(), 8));
    if (i + 1 < parts.size()) put_number(text, smb2::kNextCommandAt, text.size(), 4);
    long_one.sign(text);
    frame += text;
  }
  long_one.send_frame(frame);
  EXPECT_TRUE(long_one.closed());
  serves_others();
}

TEST_F(HostileTest, WhatIsOthersIsOutOfReach) {
  HostileClient a(port()), b(port(), std::byte{67});
  for (const auto& t : b.templates()) {
    if (t.command == Command::session_setup || t.command == Command::create || t.command == Command::tree_connect)
      continue;
    // Templates of one name the files of the other.
    a.tree = t.of_pipe ? a.pipes : a.share;
    const Message m = a.ask_raw(t.command, t.body);
    const auto code = load_le<uint32_t>(as_bytes(t.body), 4).value_or(0);
    if (t.command == Command::ioctl && code == smb2::kFsctlDfsGetReferrals)
      EXPECT_EQ(m.status(), NtStatus::fs_driver_required);
    else if (t.what == "lease break")
      EXPECT_EQ(m.status(), NtStatus::object_name_not_found);
    else
      EXPECT_EQ(m.status(), NtStatus::file_closed) << t.what;
  }
  // A tree of the other, and one's own files by another tree.
  a.tree = a.share + 77;
  EXPECT_EQ(a.query(a.file, FileInfoClass::all).status, NtStatus::network_name_deleted);
  a.tree = a.pipes;
  EXPECT_EQ(a.query(a.file, FileInfoClass::all).status, NtStatus::file_closed);
  a.tree = a.share;
  EXPECT_EQ(a.query(a.pipe, FileInfoClass::standard).status, NtStatus::file_closed);
  // Half of a number that is right.
  FileId half = a.file;
  half.persistent ^= 1;
  EXPECT_EQ(a.query(half, FileInfoClass::all).status, NtStatus::file_closed);
  // A copy out of the other's file.
  smb2::Copychunk copy;
  const std::string key = b.fsctl(b.file, smb2::kFsctlSrvRequestResumeKey, "", 32).data;
  std::copy_n(as_bytes(key).begin(), copy.source.size(), copy.source.begin());
  copy.chunks = {{.source = 0, .target = 0, .length = 1}};
  EXPECT_EQ(a.fsctl(a.file, smb2::kFsctlSrvCopychunk, smb2::write_copychunk(copy), 12).status,
            NtStatus::object_name_not_found);
  // The session of the other, signed by one's own key.
  a.session = b.session;
  EXPECT_NE(a.query(b.file, FileInfoClass::all).status, NtStatus::success);
  EXPECT_EQ(b.query(b.file, FileInfoClass::all).status, NtStatus::success);
}

TEST_F(HostileTest, CreditsThatAreNotThere) {
  HostileClient c(port());
  smb2::ReadRequest read;
  read.file_id = c.file;
  read.length = 1 << 20;
  EXPECT_EQ(c.ask(Command::read, read).status(), NtStatus::invalid_parameter) << "one credit is 64 KiB";
  read.length = 9 << 20;
  c.charge = 144;
  (void)c.say(Command::read, smb2::write_message(read));  // it may not have so many
  for (uint64_t id : {uint64_t{0}, uint64_t{1}, uint64_t{100'000}, uint64_t{1} << 62, UINT64_MAX, UINT64_MAX - 1}) {
    for (uint16_t charge : {0, 1, 2, 0xffff}) {
      HostileClient liar(port());
      liar.next_id = id;
      liar.charge = charge;
      liar.send_frame(liar.message(Command::echo, smb2::write_message(smb2::EmptyMessage{})));
      EXPECT_TRUE(liar.closed()) << id << " " << charge;
    }
  }
  serves_others();
}

TEST_F(HostileTest, NamesThatCannotBe) {
  HostileClient c(port());
  const auto create = [&](const std::string& utf16, Disposition d = Disposition::open_if) {
    smb2::CreateRequest m = c.creation("x", d, 0, 0x1f01ff);
    m.name = as_bytes(utf16);
    const Message answer = c.ask(Command::create, m);
    EXPECT_FALSE(answer.gone());
    const Got made = Peer::got(answer);
    if (made.status == NtStatus::success) {
      EXPECT_EQ(c.close_file(made.id), NtStatus::success);
    }
    return made.status;
  };
  const std::string wide = *utf16_of("name");
  EXPECT_EQ(create(wide.substr(0, 7)), NtStatus::object_name_invalid) << "half a character";
  EXPECT_EQ(create("n"), NtStatus::object_name_invalid);
  EXPECT_EQ(create(wide + std::string(2, '\0') + wide), NtStatus::object_name_invalid);
  EXPECT_EQ(create(std::string(65534, 'a')), NtStatus::object_name_invalid);
  std::string component;
  for (int i = 0; i < 256; i++) component += std::string("a\0", 2);
  EXPECT_NE(create(component), NtStatus::success) << "longer than a name may be";
  std::string deep;
  for (int i = 0; i < 10'000; i++) deep += std::string("a\0\\\0", 4);
  EXPECT_EQ(create(deep), NtStatus::object_path_not_found);
  EXPECT_NE(create(*utf16_of("target:") + component), NtStatus::success);
  EXPECT_EQ(create(*utf16_of("target:a:b:c")), NtStatus::object_name_invalid);
  EXPECT_EQ(create(*utf16_of("target::$INDEX_ALLOCATION")), NtStatus::object_name_invalid);
  EXPECT_EQ(create(*utf16_of("..\\..\\etc\\passwd")), NtStatus::object_path_syntax_bad);
  EXPECT_EQ(create(*utf16_of("\\\\server\\share\\x")), NtStatus::invalid_parameter);
  EXPECT_EQ(create(std::string("\0\xd8", 2)), NtStatus::object_name_invalid) << "half a pair of surrogates";
  for (const std::string& name : {std::string(), wide.substr(0, 3), std::string(60'000, '\xff')}) {
    for (uint8_t flags : {0, 1}) {
      std::string data(1, static_cast<char>(flags));
      data.append(15, '\0');
      append_le<uint32_t>(data, static_cast<uint32_t>(name.size()));
      for (FileInfoClass what : {FileInfoClass::rename, FileInfoClass::rename_ex, FileInfoClass::link,
                                 FileInfoClass::link_ex, FileInfoClass::short_name})
        for (const FileId& id : {c.file, c.stream, c.folder})
          EXPECT_NE(c.set(id, what, data + name), NtStatus::success);
    }
  }
  for (size_t size : {1, 3, 5, 65534}) {
    smb2::QueryDirectoryRequest list;
    const std::string pattern(size, '<');
    list.find_class = FindClass::id_both;
    list.flags = 1;
    list.file_id = c.folder;
    list.pattern = as_bytes(pattern);
    list.max_output = 4096;
    EXPECT_EQ(c.ask(Command::query_directory, list).status(), NtStatus::object_name_invalid) << size;
  }
  serves_others();
  for (const FileId& id : {c.file, c.stream, c.folder}) EXPECT_EQ(c.close_file(id), NtStatus::success);
  nothing_is_open();
}

/// Hundreds of requests at once, of which nobody reads the answers; some wait for what never comes.
TEST_F(HostileTest, DeepPipelines) {
  for (int round = 0; round < 8; round++) {
    HostileClient c(port());
    for (int i = 0; i < 8; i++) EXPECT_TRUE(c.still_there());  // credits for many
    const auto all = c.templates();
    std::string frames;
    for (int i = 0; i < 400; i++) {
      const auto& t = all[static_cast<size_t>(i * 7 + round) % all.size()];
      if (t.command == Command::session_setup) continue;
      c.tree = t.of_pipe ? c.pipes : c.share;
      const std::string text = c.message(t.command, t.body);
      frames += std::string(as_text(smb2::frame_head(static_cast<uint32_t>(text.size())))) + text;
    }
    c.send_bytes(round % 2 ? frames : frames.substr(0, frames.size() - 13));
    if (round % 3 == 0) {
      for (int i = 0; i < 50; i++)
        if (c.receive().gone()) break;
    }
    serves_others();
  }
  nothing_is_open();
}

}  // namespace isthmus::smb::testing
