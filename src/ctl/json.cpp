#include "ctl/json.h"

#include <nlohmann/json.hpp>

namespace isthmus::ctl {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

template <class J>
std::string text(const J& j, int indent) {
  return j.dump(indent, ' ', false, J::error_handler_t::replace);
}

ordered_json status_object(const Status& s) {
  ordered_json operations = ordered_json::object();
  for (auto& [name, count] : s.by_operation) operations[name] = count;
  ordered_json settled = ordered_json::object();
  for (auto& [name, value] : s.settled) settled[name] = value;
  return {{"version", s.version},
          {"source", s.source},
          {"mountpoint", s.mountpoint},
          {"door", s.door},
          {"transport", s.transport},
          {"protocol", s.protocol},
          {"settled", settled},
          {"pid", s.pid},
          {"uid", s.uid},
          {"started", s.started},
          {"operations", s.operations},
          {"errors", s.errors},
          {"threads", s.threads},
          {"by_operation", operations}};
}

}  // namespace

std::string to_json(const Status& status) { return text(status_object(status), -1); }

Expected<Status> status_from_json(std::string_view input) {
  json j = json::parse(input.begin(), input.end(), nullptr, false);
  if (j.is_discarded() || !j.is_object()) return Problem{err(EPROTO), "a status that is no JSON object", ""};
  try {
    Status s;
    s.version = j.at("version").get<std::string>();
    s.source = j.at("source").get<std::string>();
    s.mountpoint = j.at("mountpoint").get<std::string>();
    s.door = j.at("door").get<std::string>();
    s.transport = j.value("transport", "");
    s.protocol = j.value("protocol", "");
    if (auto settled = j.find("settled"); settled != j.end())
      for (auto& [name, value] : settled->items()) s.settled.emplace_back(name, value.get<std::string>());
    s.pid = j.at("pid").get<int>();
    s.uid = j.at("uid").get<uint32_t>();
    s.started = j.at("started").get<int64_t>();
    s.operations = j.at("operations").get<uint64_t>();
    s.errors = j.value("errors", uint64_t{0});
    s.threads = j.value("threads", 0u);
    for (auto& [name, count] : j.at("by_operation").items()) s.by_operation.emplace_back(name, count.get<uint64_t>());
    return s;
  } catch (const json::exception& e) {
    return Problem{err(EPROTO), std::string("a status that is not understood: ") + e.what(), ""};
  }
}

std::string list_json(const std::vector<Status>& mounts) {
  ordered_json all = ordered_json::array();
  for (auto& s : mounts) {
    ordered_json o = status_object(s);
    o["operations_per_second"] = s.per_second;
    all.push_back(std::move(o));
  }
  return text(all, 2) + "\n";
}

std::string doctor_json(const std::vector<Finding>& findings) {
  ordered_json all = ordered_json::array();
  for (auto& f : findings)
    all.push_back({{"id", f.id},
                   {"title", f.title},
                   {"answer", answer_name(f.answer)},
                   {"detail", f.detail},
                   {"needed_for", f.needed_for},
                   {"fix", f.fix}});
  return text(all, 2) + "\n";
}

}  // namespace isthmus::ctl
