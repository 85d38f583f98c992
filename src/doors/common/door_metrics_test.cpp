#include "doors/common/door_metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace isthmus {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kKinds[] = {"GET", "PUT"};

TEST(DoorMetrics, CountsByKindAndTime) {
  DoorMetrics m(kKinds);
  m.request("GET", 50us, false);
  m.request("GET", 100us, false);  // a bound belongs to what is below it
  m.request("PUT", 3ms, true);
  m.request("BREW", 60s, true);
  m.transferred(10, 20);
  auto s = m.snapshot();
  ASSERT_EQ(s.kinds.size(), 3u);
  EXPECT_EQ(s.kinds[0].name, "GET");
  EXPECT_EQ(s.kinds[0].requests, 2u);
  EXPECT_EQ(s.kinds[0].failed, 0u);
  EXPECT_EQ(s.kinds[1].failed, 1u);
  EXPECT_EQ(s.kinds[2].name, "other");
  EXPECT_EQ(s.histogram[0], 2u);
  EXPECT_EQ(s.histogram[5], 1u);
  EXPECT_EQ(s.histogram.back(), 1u);
  EXPECT_NEAR(s.seconds, 60.00315, 1e-6);
  EXPECT_EQ(s.bytes_in, 10u);
  EXPECT_EQ(s.bytes_out, 20u);
}

TEST(DoorMetrics, KeepsTheLastErrorsAndNotTheirWholeLength) {
  DoorMetrics m(kKinds);
  for (size_t i = 0; i < DoorMetrics::kKeptErrors + 5; i++) m.error(std::to_string(i) + std::string(1000, 'x'));
  auto errors = m.snapshot().errors;
  ASSERT_EQ(errors.size(), DoorMetrics::kKeptErrors);
  EXPECT_EQ(errors[0].what.substr(0, 2), "36");
  EXPECT_EQ(errors[0].what.size(), DoorMetrics::kKeptText);
}

TEST(DoorMetrics, KnowsWhoIsConnected) {
  DoorMetrics m(kKinds);
  {
    DoorMetrics::Connected one(m, 1000), two(m, std::nullopt);
    one.request("curl");
    one.request("curl");
    two.request(std::string(5000, 'a'));
    auto clients = m.snapshot().clients;
    ASSERT_EQ(clients.size(), 2u);
    EXPECT_EQ(clients[0].uid, 1000u);
    EXPECT_EQ(clients[0].agent, "curl");
    EXPECT_EQ(clients[0].requests, 2u);
    EXPECT_EQ(clients[1].uid, std::nullopt);
    EXPECT_EQ(clients[1].agent.size(), DoorMetrics::kKeptText);
  }
  EXPECT_TRUE(m.snapshot().clients.empty());
}

TEST(DoorMetrics, ThreadsLoseNothing) {
  DoorMetrics m(kKinds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&m] {
      DoorMetrics::Connected me(m, 1);
      for (int i = 0; i < 5000; i++) {
        me.request(i % 2 ? "a" : "b");
        m.request("GET", 1us, i % 10 == 0);
        if (i % 100 == 0) (void)m.snapshot();
      }
    });
  for (auto& t : threads) t.join();
  auto s = m.snapshot();
  EXPECT_EQ(s.kinds[0].requests, 20'000u);
  EXPECT_EQ(s.kinds[0].failed, 2000u);
  EXPECT_EQ(s.histogram[0], 20'000u);
}

}  // namespace
}  // namespace isthmus
