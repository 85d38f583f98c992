#include "control/status_json.h"

#include <nlohmann/json.hpp>

namespace isthmus::control {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

ordered_json door_object(const DoorStatus& door) {
  const DoorMetrics::Snapshot& m = door.metrics;
  ordered_json requests = ordered_json::object(), clients = ordered_json::array(), errors = ordered_json::array();
  for (auto& kind : m.kinds) requests[kind.name] = {{"count", kind.requests}, {"failed", kind.failed}};
  for (auto& c : m.clients) {
    ordered_json client = {{"agent", c.agent}, {"since", c.since}, {"requests", c.requests}};
    if (c.uid) client["uid"] = *c.uid;
    clients.push_back(std::move(client));
  }
  for (auto& e : m.errors) errors.push_back({{"at", e.at}, {"what", e.what}});
  return {
      {"door", door.door},        {"at", door.at},        {"requests", requests},   {"bounds", DoorMetrics::kBounds},
      {"histogram", m.histogram}, {"seconds", m.seconds}, {"bytes_in", m.bytes_in}, {"bytes_out", m.bytes_out},
      {"locks", door.locks},      {"clients", clients},   {"errors", errors}};
}

DoorStatus door_of(const json& j) {
  DoorStatus door;
  DoorMetrics::Snapshot& m = door.metrics;
  door.door = j.at("door").get<std::string>();
  door.at = j.at("at").get<std::string>();
  for (auto& [name, n] : j.at("requests").items())
    m.kinds.push_back({name, n.at("count").get<uint64_t>(), n.at("failed").get<uint64_t>()});
  m.histogram = j.at("histogram").get<decltype(m.histogram)>();
  m.seconds = j.at("seconds").get<double>();
  m.bytes_in = j.at("bytes_in").get<uint64_t>();
  m.bytes_out = j.at("bytes_out").get<uint64_t>();
  door.locks = j.at("locks").get<uint64_t>();
  for (auto& c : j.at("clients")) {
    DoorMetrics::Client client{std::nullopt, c.at("agent").get<std::string>(), c.at("since").get<int64_t>(),
                               c.at("requests").get<uint64_t>()};
    if (auto uid = c.find("uid"); uid != c.end()) client.uid = uid->get<uint32_t>();
    m.clients.push_back(std::move(client));
  }
  for (auto& e : j.at("errors")) m.errors.push_back({e.at("at").get<int64_t>(), e.at("what").get<std::string>()});
  return door;
}

ordered_json status_object(const Status& s) {
  ordered_json doors = ordered_json::array();
  for (auto& door : s.doors) doors.push_back(door_object(door));
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
          {"by_operation", operations},
          {"doors", doors}};
}

}  // namespace

std::string to_json(const Status& status) {
  return status_object(status).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

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
    if (auto doors = j.find("doors"); doors != j.end())
      for (auto& door : *doors) s.doors.push_back(door_of(door));
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
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace isthmus::control
