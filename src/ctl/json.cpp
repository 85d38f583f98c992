#include "ctl/json.h"

#include <nlohmann/json.hpp>

namespace isthmus::ctl {

std::string doctor_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (auto& f : findings)
    all.push_back({{"id", f.id},
                   {"title", f.title},
                   {"answer", answer_name(f.answer)},
                   {"detail", f.detail},
                   {"needed_for", f.needed_for},
                   {"fix", f.fix}});
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace isthmus::ctl
