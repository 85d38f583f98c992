#include "control/prometheus.h"

#include <fmt/format.h>

namespace isthmus::control {
namespace {

std::string label(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

/// Families of figures: all lines of one name stand together, below its description.
class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Number>
  void value(std::string_view labels, Number number, std::string_view suffix = "") {
    out_ += fmt::format("{}{}{{{}}} {}\n", name_, suffix, labels, number);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string_view name_;
  std::string out_;
};

std::string labels_of(const Status& s) { return fmt::format("pid=\"{}\",source={}", s.pid, label(s.source)); }

template <class F>
void for_each_door(const std::vector<Status>& all, F f) {
  for (const Status& s : all)
    for (const DoorStatus& d : s.doors) f(d, labels_of(s) + ",door=" + label(d.door));
}

void histogram(Text& text, const DoorMetrics::Snapshot& m, const std::string& labels) {
  uint64_t below = 0;
  for (size_t i = 0; i < m.histogram.size(); i++) {
    below += m.histogram[i];
    const bool last = i == DoorMetrics::kBounds.size();
    text.value(fmt::format("{},le=\"{}\"", labels, last ? "+Inf" : fmt::format("{}", DoorMetrics::kBounds[i])), below,
               "_bucket");
  }
  text.value(labels, m.seconds, "_sum");
  text.value(labels, below, "_count");
}

}  // namespace

std::string to_prometheus(const std::vector<Status>& all) {
  Text text;
  text.family("isthmus_start_time_seconds", "gauge", "When the process began to serve, since 1970.");
  for (const Status& s : all)
    text.value(fmt::format("{},version={},mountpoint={}", labels_of(s), label(s.version), label(s.mountpoint)),
               s.started);
  text.family("isthmus_threads", "gauge", "Threads that serve the kernel's requests.");
  for (const Status& s : all) text.value(labels_of(s), s.threads);
  text.family("isthmus_operations_total", "counter", "Operations asked of the file system.");
  for (const Status& s : all)
    for (auto& [name, count] : s.by_operation)
      text.value(fmt::format("{},operation={}", labels_of(s), label(name)), count);
  text.family("isthmus_errors_total", "counter", "Requests of the kernel that were answered with an errno.");
  for (const Status& s : all) text.value(labels_of(s), s.errors);

  text.family("isthmus_door_requests_total", "counter", "Requests of clients.");
  for_each_door(all, [&](const DoorStatus& d, const std::string& labels) {
    for (auto& kind : d.metrics.kinds)
      text.value(fmt::format("{},request={}", labels, label(kind.name)), kind.requests);
  });
  text.family("isthmus_door_failed_total", "counter", "Those that failed by the server's or the file system's fault.");
  for_each_door(all, [&](const DoorStatus& d, const std::string& labels) {
    for (auto& kind : d.metrics.kinds) text.value(fmt::format("{},request={}", labels, label(kind.name)), kind.failed);
  });
  text.family("isthmus_door_request_seconds", "histogram", "From a request's head to its answer, its body included.");
  for_each_door(all, [&](const DoorStatus& d, const std::string& labels) { histogram(text, d.metrics, labels); });
  text.family("isthmus_door_bytes_total", "counter", "Contents that clients sent, and all that was sent to them.");
  for_each_door(all, [&](const DoorStatus& d, const std::string& labels) {
    text.value(labels + ",direction=\"in\"", d.metrics.bytes_in);
    text.value(labels + ",direction=\"out\"", d.metrics.bytes_out);
  });
  text.family("isthmus_door_connections", "gauge", "Clients that are connected.");
  for_each_door(all,
                [&](const DoorStatus& d, const std::string& labels) { text.value(labels, d.metrics.clients.size()); });
  text.family("isthmus_door_locks", "gauge", "Locks that clients hold.");
  for_each_door(all, [&](const DoorStatus& d, const std::string& labels) { text.value(labels, d.locks); });
  return text.take();
}

}  // namespace isthmus::control
