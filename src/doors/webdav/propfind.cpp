#include "wire/dav/propfind.h"

#include <dirent.h>
#include <sys/stat.h>

#include "doors/webdav/errors.h"
#include "doors/webdav/live_props.h"
#include "wire/dav/headers.h"
#include "wire/http/uri.h"

namespace isthmus::webdav {
namespace {

constexpr size_t kPage = 1024;               // names asked of the file system at once
constexpr size_t kWhole = size_t{1} << 20;   // bytes of a listing that are sent with their length
constexpr size_t kPart = size_t{256} << 10;  // of longer ones

/// Takes a page of names, with attributes.
struct Page final : DirSink {
  struct Item {
    size_t name_begin = 0, name_size = 0;
    uint32_t type = 0;
    bool has_entry = false;
    Entry entry;
  };
  bool add(const DirEntry& e) override {
    if (items.size() >= kPage) return false;
    Item item{text.size(), e.name.size(), e.type, e.with && e.with->node != NodeId::none, {}};
    if (item.has_entry) item.entry = *e.with;
    text += e.name;
    items.push_back(item);
    cookie = e.cookie;
    return true;
  }
  size_t room() const override { return size_t{64} << 10; }
  std::string_view name(const Item& item) const {
    return std::string_view(text).substr(item.name_begin, item.name_size);
  }

  std::string text;
  std::vector<Item> items;
  uint64_t cookie = 0;
};

class Listing final : public BodySource {
 public:
  Listing(Exchange& x, dav::Propfind wanted) : x_(x), wanted_(std::move(wanted)), live_(x), status_(out_) {
    asks_dead_ = wanted_.kind != dav::Propfind::Kind::props;
    for (const dav::Name& name : wanted_.names) {
      rows_.push_back(LiveProps::find(name));
      asks_dead_ |= !rows_.back();
    }
  }

  ~Listing() override {
    forget_rest();
    x_.site.spare_texts.give(std::move(out_));
    x_.site.spare_texts.give(std::move(first_));
  }

  /// The resource itself.
  void begin(const Found& found) {
    status_.begin(x_.client == ClientKind::windows ? dav::kMicrosoft : std::string_view());
    one({x_.names, found.node(), found.attr(), false}, x_.href(x_.names, found.is_dir()));
  }
  /// Then what is in it.
  Status list(const Found& dir) {
    auto opened = x_.files.open_dir(dir.node());
    if (!opened) return opened.error();
    dir_ = std::move(*opened);
    names_ = x_.names;
    href_ = x_.href(names_, true);
    more_ = true;
    // It grows long.
    std::string room = x_.site.spare_texts.take();
    out_.swap(room.append(out_));
    return Unit{};
  }
  /// Until `size` bytes wait, or the end.
  Status fill(size_t size) {
    while (out_.size() < size) {
      if (at_ < page_.items.size()) {
        const Page::Item& item = page_.items[at_];
        member(item);
        ++at_;
        if (item.has_entry) x_.files.forget(item.entry.node);
      } else if (more_) {
        if (Status done = page(); !done) return done;
      } else {
        if (!std::exchange(ended_, true)) status_.end();
        break;
      }
    }
    return Unit{};
  }
  bool more() const { return !ended_; }
  std::string& out() { return out_; }

  Got next(Part& part) override {
    out_.clear();
    if (sent_first_) {
      if (ended_) return Got::end;
      if (Status done = fill(kPart); !done) return Got::failed;
    } else {
      sent_first_ = true;
      out_.swap(first_);
    }
    part = {out_};
    return Got::part;
  }
  /// What fill() has brought is the first part.
  void send_on() { first_.swap(out_); }

 private:
  void one(const Subject& of, std::string_view href) {
    status_.begin_response(href);
    std::vector<DeadProp> dead;
    // Windows lists with allprop, takes 1,000,000 bytes at most, and looks at none of them.
    const bool wanted =
        !(of.listed && x_.client == ClientKind::windows && wanted_.kind == dav::Propfind::Kind::allprop);
    if (asks_dead_ && wanted)
      if (auto loaded = x_.site.props.load(x_.files, of.node, of.attr)) dead = std::move(*loaded);
    switch (wanted_.kind) {
      case dav::Propfind::Kind::propname:
        status_.begin_propstat();
        live_.write_names(status_, of);
        for (const DeadProp& p : dead) status_.empty(p.name);
        status_.end_propstat(200);
        break;
      case dav::Propfind::Kind::allprop:
        status_.begin_propstat();
        live_.write_all(status_, of);
        for (const DeadProp& p : dead) status_.raw(p.name, p.value, p.lang);
        status_.end_propstat(200);
        if (!wanted_.names.empty()) asked(of, dead);
        break;
      case dav::Propfind::Kind::props:
        asked(of, dead);
        break;
    }
    status_.end_response();
  }
  void asked(const Subject& of, const std::vector<DeadProp>& dead) {
    std::vector<const dav::Name*> missing;
    const size_t before = out_.size();
    status_.begin_propstat();
    const size_t opened = out_.size();
    for (size_t i = 0; i < wanted_.names.size(); ++i) {
      const dav::Name& name = wanted_.names[i];
      if (rows_[i] && live_.write(status_, *rows_[i], of)) continue;
      auto it = std::find_if(dead.begin(), dead.end(), [&](const DeadProp& p) { return p.name == name; });
      if (it != dead.end())
        status_.raw(it->name, it->value, it->lang);
      else
        missing.push_back(&name);
    }
    if (out_.size() == opened && !missing.empty())
      out_.resize(before);
    else
      status_.end_propstat(200);
    if (missing.empty()) return;
    status_.begin_propstat();
    for (const dav::Name* name : missing) status_.empty(*name);
    status_.end_propstat(404);
  }

  /// The file named last by names_.
  void listed(NodeId node, const Attr& attr) {
    const size_t folder = href_.size();
    http::append_segment(href_, x_.client_name(names_.back()));
    if (S_ISDIR(attr.mode)) href_ += '/';
    one({names_, node, attr, true}, href_);
    href_.resize(folder);
  }

  void forget_rest() {
    for (; at_ < page_.items.size(); ++at_)
      if (page_.items[at_].has_entry) x_.files.forget(page_.items[at_].entry.node);
  }
  /// The next names. They are written down one by one, as a client may ask for a thousand long properties of each.
  Status page() {
    page_.text.clear();
    page_.items.clear();
    at_ = 0;
    auto done = x_.files.call(op::ReadDir{{}, dir_.node(), dir_.handle(), page_.cookie, true, {}, &page_});
    if (!done) forget_rest();
    if (!done || !page_.items.empty()) return done;
    more_ = false;
    return dir_.close();
  }
  void member(const Page::Item& item) {
    const std::string_view name = page_.name(item);
    if (name == "." || name == ".." || is_temporary(name)) return;
    names_.emplace_back(name);
    // A link shows what it leads to; one that leads nowhere is an empty file, and so is what has just gone.
    const bool is_link = item.has_entry ? S_ISLNK(item.entry.attr.mode) : item.type == DT_LNK;
    if (item.has_entry && !is_link) {
      listed(item.entry.node, item.entry.attr);
    } else {
      auto found = x_.files.find(names_);
      if (!found || !found->exists()) found = x_.files.find(names_, false);
      if (found && found->exists()) listed(found->node(), found->attr());
    }
    names_.pop_back();
  }

  Exchange& x_;
  const dav::Propfind wanted_;
  std::vector<const LiveProps::Row*> rows_;  // of wanted_.names
  LiveProps live_;
  std::string out_, first_;
  dav::Multistatus status_;
  OpenFile dir_;
  Names names_;
  std::string href_;  // of dir_
  Page page_;
  size_t at_ = 0;  // items of page_ before it are done with
  bool asks_dead_ = false, more_ = false, ended_ = false, sent_first_ = false;
};

}  // namespace

Answer propfind(Exchange& x, std::string_view body) {
  auto parsed = dav::parse_propfind(body);
  if (const auto* error = std::get_if<dav::XmlError>(&parsed))
    return plain_answer(error->too_big ? 413 : 400, error->what);
  const dav::Depth depth =
      dav::parse_depth(x.request.has("Depth") ? std::optional(x.request.field("Depth")) : std::nullopt);
  if (depth == dav::Depth::bad) return plain_answer(400, "Depth is 0, 1 or infinity");
  auto found = x.files.find(x.names);
  if (found && !found->exists()) found = x.files.find(x.names, false);  // a link that leads nowhere
  if (!found)
    return plain_answer(status_of(found.error()) == 409 ? 404 : status_of(found.error()), text_of(found.error()));
  if (!found->exists() || (x.trailing_slash && !found->is_dir())) return plain_answer(404);
  if (auto refused = x.preconditions(*found)) return std::move(*refused);
  if (depth != dav::Depth::zero && depth != dav::Depth::one && found->is_dir()) {
    Answer answer(403);
    dav::error_body(answer.xml().body, "propfind-finite-depth");
    return answer;
  }

  auto listing = std::make_unique<Listing>(x, std::move(std::get<dav::Propfind>(parsed)));
  listing->begin(*found);
  if (depth == dav::Depth::one && found->is_dir())
    if (Status opened = listing->list(*found); !opened)
      return plain_answer(status_of(opened.error()), text_of(opened.error()));
  if (Status filled = listing->fill(kWhole); !filled)
    return plain_answer(status_of(filled.error()), text_of(filled.error()));
  Answer answer(207);
  answer.xml();
  if (!listing->more()) {
    answer.body.swap(listing->out());
  } else {
    listing->send_on();
    answer.source = std::move(listing);
  }
  return answer;
}

}  // namespace isthmus::webdav
