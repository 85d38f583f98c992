#pragma once
#include <initializer_list>

#include "vfs/ops.h"

namespace isthmus::libfuse {

/// An operation of the waist, and whether the program has the callbacks for it (a pointer, or several).
struct Offered {
  Offered(Op o, bool t) : op(o), there(t) {}
  Op op;
  bool there;
};

/// Calls drop(Op) for what is not there.
template <class Drop>
void drop_missing(std::initializer_list<Offered> all, Drop drop) {
  for (auto& o : all)
    if (!o.there) drop(o.op);
}

}  // namespace isthmus::libfuse
