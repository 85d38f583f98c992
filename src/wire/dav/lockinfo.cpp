#include "wire/dav/lockinfo.h"

#include <optional>
#include <utility>

#include "wire/dav/fragment.h"
#include "wire/dav/name.h"
#include "wire/dav/xml_reader.h"

namespace isthmus::dav {
namespace {

class LockInfoHandler : public XmlHandler {
 public:
  void start(const XmlPlace& place, const XmlElement& e) override {
    depth_ = place.depth;
    if (depth_ == 1) {
      if (!e.is(kDav, "lockinfo")) fail("the root element is not lockinfo of DAV:");
    } else if (depth_ == 2) {
      in_ = Part::other;
      if (e.is(kDav, "lockscope")) in_ = Part::scope;
      if (e.is(kDav, "locktype")) in_ = Part::type;
      if (e.is(kDav, "owner")) in_ = Part::owner;
      if (in_ == Part::owner && std::exchange(owner_seen_, true)) fail("lockinfo has owner twice");
    } else if (in_ == Part::owner) {
      owner_.start(place, e);
      check_size();
    } else if (depth_ == 3 && e.ns == kDav) {
      third_level(e.local);
    }
  }
  void end() override {
    if (depth_ > 2 && in_ == Part::owner) owner_.end();
    if (depth_-- == 2) in_ = Part::other;
  }
  void text(std::string_view text) override {
    if (in_ != Part::owner) return;
    owner_.text(text);
    check_size();
  }

  Parsed<LockInfo> result() {
    if (!error && !exclusive_) fail("lockscope has none of exclusive and shared");
    if (!error && !write_) fail("locktype is not write");
    if (error) return *error;
    return LockInfo{.exclusive = *exclusive_, .owner = owner_.take()};
  }

 private:
  enum class Part { other, scope, type, owner };

  void third_level(std::string_view name) {
    if (in_ == Part::scope && (name == "exclusive" || name == "shared")) {
      if (exclusive_) fail("lockscope has more than one of exclusive and shared");
      exclusive_ = name == "exclusive";
    }
    if (in_ == Part::type && name == "write") write_ = true;
  }
  void check_size() {
    if (owner_.size() > kMaxOwner) fail("owner is larger than " + std::to_string(kMaxOwner) + " bytes", true);
  }

  std::optional<bool> exclusive_;
  bool write_ = false;
  bool owner_seen_ = false;
  Fragment owner_;
  Part in_ = Part::other;
  size_t depth_ = 0;
};

}  // namespace

Parsed<LockInfo> parse_lockinfo(std::string_view body, size_t max_body) {
  LockInfoHandler handler;
  read_xml(body, max_body, handler);
  return handler.result();
}

}  // namespace isthmus::dav
