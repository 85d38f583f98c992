#include "wire/dav/xml_reader.h"

#include <expat.h>

#include <climits>
#include <memory>

namespace isthmus::dav {
namespace {

static_assert(sizeof(XML_Char) == 1, "expat is built for UTF-8");

constexpr char kSeparator = '\n';  // can be in no name, and expat lets it be in no namespace
constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace";

struct ExpandedName {
  std::string_view ns, local, prefix;

  /// expat's forms are local, ns SEP local, ns SEP local SEP prefix.
  explicit ExpandedName(const XML_Char* name) : local(name) {
    size_t first = local.find(kSeparator);
    if (first == std::string_view::npos) return;
    ns = local.substr(0, first);
    local.remove_prefix(first + 1);
    size_t second = local.find(kSeparator);
    if (second == std::string_view::npos) return;
    prefix = local.substr(second + 1);
    local.remove_suffix(local.size() - second);
  }
};

class Reader {
 public:
  Reader(XML_Parser parser, XmlHandler& handler) : parser_(parser), handler_(handler) {
    XML_SetUserData(parser, this);
    XML_SetReturnNSTriplet(parser, 1);
    XML_SetElementHandler(
        parser, [](void* self, const XML_Char* name, const XML_Char** attributes) { of(self).start(name, attributes); },
        [](void* self, const XML_Char*) { of(self).end(); });
    XML_SetCharacterDataHandler(parser, [](void* self, const XML_Char* text, int size) {
      of(self).text({text, static_cast<size_t>(size)});
    });
    XML_SetNamespaceDeclHandler(
        parser, [](void* self, const XML_Char* prefix, const XML_Char* uri) { of(self).declare(prefix, uri); },
        [](void* self, const XML_Char*) { of(self).undeclare(); });
    XML_SetStartDoctypeDeclHandler(parser, [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
      of(self).refuse("a document type declaration is not allowed");
    });
  }

  void parse(std::string_view body) {
    if (XML_Parse(parser_, body.data(), static_cast<int>(body.size()), 1) == XML_STATUS_OK) return;
    handler_.fail("line " + std::to_string(XML_GetCurrentLineNumber(parser_)) + ": " +
                  XML_ErrorString(XML_GetErrorCode(parser_)));
  }

 private:
  static Reader& of(void* self) { return *static_cast<Reader*>(self); }

  void refuse(std::string what, bool too_big = false) {
    handler_.fail(std::move(what), too_big);
    XML_StopParser(parser_, XML_FALSE);
  }
  /// After a handler's turn.
  void stop_if_failed() {
    if (handler_.error) XML_StopParser(parser_, XML_FALSE);
  }

  // Comes before the start() of the element that declares.
  void declare(const XML_Char* prefix, const XML_Char* uri) {
    if (handler_.error) return;
    XmlNamespace ns{.prefix = prefix ? prefix : "", .uri = uri ? uri : ""};
    // expat writes the namespace before the name of each element: a long one would cost its length each time.
    if (ns.uri.size() > kMaxName || ns.prefix.size() > kMaxName) return refuse("a namespace is too long", true);
    if (place_.namespaces.size() >= kMaxNamespaces) return refuse("too many namespaces", true);
    place_.namespaces.push_back(std::move(ns));
    place_.declared_here++;
  }
  void undeclare() {
    if (!place_.namespaces.empty()) place_.namespaces.pop_back();
  }

  void start(const XML_Char* name, const XML_Char** attributes) {
    if (handler_.error) return;
    if (++elements_ > kMaxElements) return refuse("too many elements", true);
    if (place_.depth >= kMaxDepth) return refuse("elements are nested too deep", true);
    ExpandedName n(name);
    if (n.local.size() > kMaxName || n.prefix.size() > kMaxName) return refuse("a name is too long", true);
    std::string lang = place_.lang();
    attributes_.clear();
    for (; *attributes; attributes += 2) {
      if (attributes_.size() >= kMaxAttributes) return refuse("an element has too many attributes", true);
      ExpandedName a(attributes[0]);
      if (a.local.size() > kMaxName) return refuse("a name is too long", true);
      attributes_.push_back({.ns = a.ns, .local = a.local, .prefix = a.prefix, .value = attributes[1]});
      if (a.ns == kXml && a.local == "lang") lang = attributes[1];
    }
    if (lang.size() > kMaxName) return refuse("a language is too long", true);
    place_.depth++;
    place_.langs.push_back(std::move(lang));
    handler_.start(place_, {.ns = n.ns, .local = n.local, .prefix = n.prefix, .attributes = attributes_});
    place_.declared_here = 0;
    stop_if_failed();
  }
  void end() {
    if (handler_.error) return;
    handler_.end();
    place_.langs.pop_back();
    place_.depth--;
    stop_if_failed();
  }
  void text(std::string_view text) {
    if (handler_.error) return;
    handler_.text(text);
    stop_if_failed();
  }

  XML_Parser parser_;
  XmlHandler& handler_;
  XmlPlace place_;
  std::vector<XmlAttribute> attributes_;
  size_t elements_ = 0;
};

}  // namespace

void read_xml(std::string_view body, size_t max_body, XmlHandler& handler) {
  if (body.size() > max_body || body.size() > INT_MAX)
    return handler.fail("the body is larger than " + std::to_string(max_body) + " bytes", true);
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreateNS(nullptr, kSeparator),
                                                                      XML_ParserFree);
  if (!parser) return handler.fail("out of memory", true);
  Reader(parser.get(), handler).parse(body);
}

}  // namespace isthmus::dav
