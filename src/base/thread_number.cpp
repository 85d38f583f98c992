#include "base/thread_number.h"

#include <mutex>
#include <vector>

namespace isthmus::detail {

constinit thread_local unsigned thread_number_and_one = 0;

namespace {

struct Taken {
  std::mutex m;
  std::vector<bool> numbers;
};
// Never destroyed: threads may end after every static.
Taken& taken() {
  static auto* t = new Taken;
  return *t;
}

// Gives the number back at the thread's end. Who asks still later (a destructor of the thread's own) takes a number
// that stays taken.
struct Owner {
  ~Owner() {
    unsigned n = thread_number_and_one;
    if (n == 0) return;
    thread_number_and_one = 0;
    std::lock_guard lock(taken().m);
    taken().numbers[n - 1] = false;
  }
};

}  // namespace

unsigned take_thread_number() {
  thread_local Owner owner;
  (void)owner;
  Taken& t = taken();
  std::lock_guard lock(t.m);
  unsigned n = 0;
  while (n < t.numbers.size() && t.numbers[n]) n++;
  if (n == t.numbers.size())
    t.numbers.push_back(true);
  else
    t.numbers[n] = true;
  thread_number_and_one = n + 1;
  return n;
}

}  // namespace isthmus::detail
