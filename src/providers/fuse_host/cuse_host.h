#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "providers/fuse_host/fuse_host.h"

namespace isthmus::fuse_host {

/// The daemon of a character device (CUSE, fs/fuse/cuse.c) as a file system: a folder with one file that has the
/// device's name, whose open, read, write, ioctl and poll are the daemon's. Reads and writes bring the offset of
/// whoever asks, where a kernel says 0: doors know files by offsets, and would find no end. Its size is 0, as it has
/// none.
class CuseHost final : public Provider<CuseHost> {
 public:
  /// CUSE_INIT, by the rules of FuseHost::connect().
  static Expected<std::unique_ptr<CuseHost>> connect(Fd device, Options options, const std::function<bool()>& stop);

  const std::string& name() const { return host_->character_device().name; }
  pid_t pid() const { return host_->pid(); }
  /// Messages of the daemon's that a kernel would have refused.
  uint64_t refused() const { return host_->refused(); }

  Status start(Upcalls& up) override;
  void stop() override { host_->stop(); }
  Traits traits() const override;

  Result<Entry> lookup(const Context&, const op::Lookup& a);
  Result<Attributes> getattr(const Context&, const op::Getattr& a);
  /// Sizes are taken, and change nothing, as of a device.
  Result<Attributes> setattr(const Context&, const op::Setattr& a);
  Result<Unit> read_dir(const Context&, const op::ReadDir& a);
  void open(Call<op::Open> c);
  void read(Call<op::Read> c) { pass_on(std::move(c), EISDIR); }
  void write(Call<op::Write> c) { pass_on(std::move(c), EISDIR); }
  void release(Call<op::Release> c) { pass_on(std::move(c), EISDIR); }
  void ioctl(Call<op::Ioctl> c) { pass_on(std::move(c), ENOTTY); }
  void poll(Call<op::Poll> c) { pass_on(std::move(c), EISDIR); }

 private:
  explicit CuseHost(std::unique_ptr<FuseHost> host);
  NodeId device() const { return host_->character_device().node; }
  Attr attributes_of(NodeId node) const;
  /// `otherwise`: for the folder.
  template <class T>
  void pass_on(Call<T> c, int otherwise) {
    if (c->node != device()) return c.fail(otherwise);
    host_->submit(std::move(c).take());
  }

  const std::unique_ptr<FuseHost> host_;
  mutable std::mutex m_;  // a leaf
  Attr attr_;             // of the device
};

}  // namespace isthmus::fuse_host
