#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "ctl/client.h"
#include "ctl/doctor_checks.h"

namespace isthmus::ctl {
namespace {

/// gvfs has its mounts in a folder of its own; a link leads there from the mountpoint.
class Gio final : public Client {
 public:
  explicit Gio(const ClientJob& job) : job_(job), program_(find_program("gio")) {}

  Expected<ClientMount> mount(const std::string& url) override {
    const size_t host = url.find("://") + 3;
    name_ = url.substr(host, url.find('/', host) - host);
    uri_ = fmt::format("dav://{}@{}", job_.user, url.substr(host));
    // What is mounted and unmounted from now on.
    monitor_ = start_program({program_, "mount", "--monitor"}, "", false);
    std::string said;
    if (run({"mount", uri_}, said, job_.password + "\n") != 0)
      return Problem{err(EIO), fmt::format("gio mount: {}", said.empty() ? "it did not end in time" : said), ""};
    there_ = true;
    said.clear();
    run({"info", uri_}, said);
    constexpr std::string_view kPath = "\nlocal path: ";
    if (size_t at = said.find(kPath); at != std::string::npos) {
      at += kPath.size();
      mount_.folder = said.substr(at, said.find('\n', at) - at);
      if (Status linked = put_link(mount_.folder); !linked)
        return Problem{
            linked.error(),
            fmt::format("cannot put a link to {} at '{}': {}", mount_.folder, job_.mountpoint, text_of(linked.error())),
            "the mountpoint must be an empty folder, or not be there"};
    }
    return mount_;
  }

  void adopt(const ClientMount& mount) override {
    mount_ = mount;
    linked_ = !mount.folder.empty();
  }

  pollfd watch() const override { return {monitor_.out.get(), POLLIN, 0}; }

  bool mounted() override {
    char block[512];
    ssize_t n;
    while ((n = read(monitor_.out.get(), block, sizeof block)) > 0) heard_.append(block, static_cast<size_t>(n));
    for (size_t end; (end = heard_.find('\n')) != std::string::npos; heard_.erase(0, end + 1)) {
      const std::string line = heard_.substr(0, end);
      if (line.find("removed") != std::string::npos && line.find("'" + name_ + "'") != std::string::npos)
        there_ = false;
    }
    if (n == 0) there_ = false;  // the session is over
    return there_;
  }

  bool running() override {
    return there_;  // gvfs has written what was closed
  }

  Status unmount(fuse::UnmountHow how) override {
    std::vector<std::string> words{"mount", "-u", uri_};
    if (how != fuse::UnmountHow::plain) words.insert(words.begin() + 2, "-f");
    std::string said;
    if (run(words, said) != 0) return err(said.find("usy") != std::string::npos ? EBUSY : EIO);
    there_ = false;
    remove_link();
    return Unit{};
  }

  void clear() override {
    if (there_) static_cast<void>(unmount(fuse::UnmountHow::force));
    if (monitor_.pid > 0) kill(monitor_.pid, SIGKILL);
    remove_link();
  }

 private:
  int run(std::vector<std::string> words, std::string& said, const std::string& input = {}) {
    words.insert(words.begin(), program_);
    ClientProgram p = start_program(words, input, false);
    return finish_program(p, job_.limit_ms, said);
  }

  Status put_link(const std::string& to) {
    struct stat st {};
    if (lstat(job_.mountpoint.c_str(), &st) == 0) {
      if (!S_ISDIR(st.st_mode)) return err(EEXIST);
      if (rmdir(job_.mountpoint.c_str()) < 0) return last_errno();
      mount_.replaced = st.st_mode & 07777;
    }
    linked_ = symlink(to.c_str(), job_.mountpoint.c_str()) == 0;
    if (linked_) return Unit{};
    const Errno e = last_errno();
    restore_folder();
    return e;
  }
  void restore_folder() {
    if (mount_.replaced != 0) mkdir(job_.mountpoint.c_str(), mount_.replaced);
  }
  void remove_link() {
    std::error_code e;
    if (!std::exchange(linked_, false) || std::filesystem::read_symlink(job_.mountpoint, e) != mount_.folder) return;
    unlink(job_.mountpoint.c_str());
    restore_folder();
  }

  const ClientJob job_;
  const std::string program_;
  std::string name_, uri_, heard_;
  ClientProgram monitor_;
  bool there_ = false, linked_ = false;
  ClientMount mount_;
};

}  // namespace

std::unique_ptr<Client> make_gio(const ClientJob& job) { return std::make_unique<Gio>(job); }

}  // namespace isthmus::ctl
