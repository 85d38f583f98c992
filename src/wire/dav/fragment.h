#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wire/dav/xml_reader.h"

namespace isthmus::dav {

/// Writes the content of an element again, so that it stands alone: namespaces declared outside of it are declared
/// where they are used. Prefixes are kept, for values that name them.
class Fragment {
 public:
  /// For the elements inside only: not for the one whose content it is.
  void start(const XmlPlace& place, const XmlElement& element);
  void end();
  void text(std::string_view text);

  size_t size() const { return out_.size(); }
  /// The content; this object is as new then.
  std::string take();

 private:
  struct Level {
    std::string tag;    // prefix:local
    size_t namespaces;  // how many were in force outside
  };
  void name(std::string_view prefix, std::string_view local);
  void declare(std::string_view prefix, std::string_view uri);
  void need(std::string_view prefix, std::string_view uri);
  void close_tag();

  std::string out_;
  std::vector<Level> levels_;
  std::vector<XmlNamespace> namespaces_;  // declared in out_, in force
  bool tag_open_ = false;                 // the last start tag lacks its >
};

}  // namespace isthmus::dav
