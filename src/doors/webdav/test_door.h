#pragma once
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <string>

#include "base/text.h"
#include "doors/webdav/webdav_door.h"
#include "fs/fault/fault.h"
#include "fs/mem/mem_fs.h"
#include "vfs/sync.h"
#include "vfs/volume/volume.h"

/// A door on a file system in memory, and clients that write what they like to its socket.
namespace isthmus::webdav::testing {

struct Reply {
  int status = 0;
  std::multimap<std::string, std::string> fields;  // names in lower case
  std::string body;
  std::string field(const std::string& name) const {
    auto it = fields.find(name);
    return it == fields.end() ? "" : it->second;
  }
};

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) fd_.reset();
  }
  bool send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void end() { shutdown(fd_.get(), SHUT_WR); }
  /// True: the server closed, and nothing more came.
  bool closed() { return buffer_.empty() && !more(); }
  /// status 0: the connection ended first.
  Reply read(bool head_only = false) {
    Reply r;
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return r;
    std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    r.status = std::stoi(head.substr(9, 3));
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      size_t stop = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(tolower(c));
      r.fields.emplace(name, head.substr(colon + 2, stop - colon - 2));
      at = stop + 2;
    }
    if (head_only || r.status == 100 || r.status == 204 || r.status == 304) return r;
    if (r.field("transfer-encoding") == "chunked") return read_chunks(r);
    size_t length = parse_number(r.field("content-length")).value_or(0);
    while (buffer_.size() < length)
      if (!more()) return {};
    r.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return r;
  }

 private:
  Reply read_chunks(Reply r) {
    for (;;) {
      size_t end;
      while ((end = buffer_.find("\r\n")) == std::string::npos)
        if (!more()) return {};
      size_t size = std::stoul(buffer_.substr(0, end), nullptr, 16);
      while (buffer_.size() < end + 2 + size + 2)
        if (!more()) return {};
      r.body += buffer_.substr(end + 2, size);
      buffer_.erase(0, end + 2 + size + 2);
      if (size == 0) return r;
    }
  }
  bool more() {
    char bytes[65536];
    ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n > 0) buffer_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }
  Fd fd_;
  std::string buffer_;
};

class DoorTest : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  /// `faults`: rules of fs/fault/rules.h.
  void start(Options options, fs::mem::MemOptions mem = {}, const std::string& faults = "",
             std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    stop();
    auto made = std::make_unique<fs::mem::MemFs>(std::move(mem));
    fs_ = made.get();
    fs::fault::Options faulty;
    std::string why;
    ASSERT_TRUE(faults.empty() || fs::fault::parse_rules(faults, faulty.rules, why)) << why;
    whole_ = std::make_unique<fs::fault::Fault>(std::move(made), std::move(faulty));
    volume_ = std::make_unique<Volume>(*whole_);
    ASSERT_TRUE(volume_->start());
    port_ = volume_->port({.door = DoorKind::webdav, .deadline = deadline});
    ASSERT_TRUE(port_->start(news_));
    door_ = std::make_unique<WebdavDoor>(*port_, std::move(options));
    auto started = door_->start();
    ASSERT_TRUE(started) << started.problem().text();
  }
  void stop() {
    if (!door_) return;
    door_.reset();
    port_->stop();
    port_.reset();
    volume_->stop();
    volume_.reset();
    // Nothing was looked up or opened that was not given back.
    remove_all(NodeId::root);
    EXPECT_EQ(fs_->inodes(), 1u);
    whole_.reset();
  }
  void remove_all(NodeId dir) {
    struct Names final : DirSink {
      bool add(const DirEntry& e) override {
        if (e.name != "." && e.name != "..") names.emplace_back(e.name);
        return true;
      }
      std::vector<std::string> names;
    } sink;
    auto opened = call_and_wait(*fs_, op::OpenDir{{}, dir});
    ASSERT_TRUE(opened);
    ASSERT_TRUE(call_and_wait(*fs_, op::ReadDir{{}, dir, opened->handle, 0, false, {}, &sink}));
    (void)call_and_wait(*fs_, op::ReleaseDir{{}, dir, opened->handle});
    for (const std::string& name : sink.names) {
      auto entry = call_and_wait(*fs_, op::Lookup{{}, dir, name});
      ASSERT_TRUE(entry);
      const bool directory = S_ISDIR(entry->attr.mode);
      if (directory) remove_all(entry->node);
      Status gone =
          directory ? call_and_wait(*fs_, op::Rmdir{{}, dir, name}) : call_and_wait(*fs_, op::Unlink{{}, dir, name});
      EXPECT_TRUE(gone);
      (void)call_and_wait(*fs_, op::Forget{{}, entry->node, 1});
    }
  }

  uint16_t port() const { return door_->endpoint().port; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::string text(const std::string& method, const std::string& target, const Fields& fields = {},
                   const std::string& body = "") const {
    std::string s = method + " " + target + " HTTP/1.1\r\nHost: " + host() + "\r\n";
    for (auto& [name, value] : fields) s += name + ": " + value + "\r\n";
    if (!body.empty() || method == "PUT") s += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return s + "\r\n" + body;
  }
  /// A request on a connection of its own.
  Reply ask(const std::string& method, const std::string& target, const Fields& fields = {},
            const std::string& body = "") {
    Client client(port());
    client.send(text(method, target, fields, body));
    return client.read(method == "HEAD");
  }
  Reply raw(const std::string& request) {
    Client client(port());
    client.send(request);
    return client.read();
  }

  fs::mem::MemFs* fs_ = nullptr;
  std::unique_ptr<FileSystem> whole_;  // with faults around it
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<VolumePort> port_;
  Upcalls news_;
  std::unique_ptr<WebdavDoor> door_;
};

}  // namespace isthmus::webdav::testing
