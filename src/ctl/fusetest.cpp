#include "ctl/fusetest.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "ctl/fusetest_checks.h"
#include "ctl/hosted.h"
#include "ctl/program_file.h"
#include "providers/fuse_host/fuse_host.h"
#include "vfs/volume/port.h"
#include "vfs/volume/volume.h"
#include "wire/dav/escape.h"

namespace isthmus::ctl {
namespace {

struct Row {
  enum class State : uint8_t { passed, failed, skipped };
  std::string group, name;
  State state = State::passed;
  std::string why{};
  double seconds = 0;
};

class Run {
 public:
  explicit Run(fuse_host::FuseHost& host) : host_(host), volume_(host) {}

  Status start() {
    if (Status s = volume_.start(); !s) return s;
    port_ = volume_.port({.door = DoorKind::direct});
    return port_->start(up_);
  }

  void posix(bool keep_off) {
    std::string name, why = "nothing is to be changed";
    NodeId folder = NodeId::none;
    if (!keep_off) {
      name = fmt::format("isthmus-fusetest-{}", getpid());
      auto made = call_and_wait(*port_, op::Mkdir{{}, NodeId::root, name, 0755});
      if (made)
        folder = made->node;
      else
        why = fmt::format("nothing can be made in its root: {}", text_of(made.error()));
    }
    for (const Check& check : posix_checks()) {
      if (check.writes && folder == NodeId::none)
        rows.push_back({"posix", std::string(check.name), Row::State::skipped, why});
      else
        one(check, check.writes ? folder : NodeId::root);
    }
    if (folder == NodeId::none) return;
    Bench bench(*port_, NodeId::root);
    try {
      remove_all(bench, folder);
      bench.rmdir(name);
    } catch (const CheckFailed& e) {
      rows.push_back({"posix", "all that was made can be removed", Row::State::failed, e.why});
      return;
    } catch (const CheckSkipped& e) {
      rows.push_back({"posix", "all that was made can be removed", Row::State::failed, e.why});
      return;
    }
    rows.push_back({"posix", "all that was made can be removed"});
  }

  /// Ends the daemon's session, and judges what it said.
  void protocol() {
    const bool lives = alive();
    const std::string flags = wire::fuse::init_flag_names(host_.flags());
    rows.push_back({"protocol", fmt::format("INIT: FUSE 7.{}, writes of {} KiB, {}", host_.minor(),
                                            host_.most_write() >> 10, flags.empty() ? "no flags" : flags)});
    row("the daemon is alive at the end", lives, "it has ended, or answers nothing any more");
    port_->stop();
    port_.reset();
    volume_.stop();
    row("DESTROY is answered", host_.destroyed(), "it has ended before, or takes too long");
    row("every message of the daemon's is one that a kernel accepts", host_.refused() == 0,
        fmt::format("{} would have been refused with EINVAL; the log says why", host_.refused()));
  }

  std::vector<Row> rows;

 private:
  bool alive() { return call_and_wait(*port_, op::Getattr{{}, NodeId::root}).ok(); }

  void row(std::string name, bool good, const std::string& why) {
    rows.push_back({"protocol", std::move(name), good ? Row::State::passed : Row::State::failed, good ? "" : why});
  }

  void one(const Check& check, NodeId folder) {
    Row r{"posix", std::string(check.name)};
    const auto start = std::chrono::steady_clock::now();
    Bench bench(*port_, folder);
    try {
      // What an earlier one has left behind is none of this one's affair.
      if (check.writes) remove_all(bench, folder);
      check.run(bench);
    } catch (const CheckFailed& e) {
      r.state = Row::State::failed;
      r.why = e.why;
    } catch (const CheckSkipped& e) {
      r.state = Row::State::skipped;
      r.why = e.why;
    }
    r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    rows.push_back(std::move(r));
  }

  static void remove_all(Bench& bench, NodeId folder, int depth = 0) {
    Bench::want(depth < 100, "the tree has no end");
    for (auto& n : bench.list(folder)) {
      const NodeId node = bench.look(n.name, folder);
      if (!S_ISDIR(bench.attr(node).mode)) {
        bench.unlink(n.name, folder);
        continue;
      }
      remove_all(bench, node, depth + 1);
      bench.rmdir(n.name, folder);
    }
  }

  fuse_host::FuseHost& host_;
  Upcalls up_;
  Volume volume_;
  std::unique_ptr<VolumePort> port_;
};

std::string_view text_of(Row::State s) {
  return s == Row::State::passed ? "ok" : s == Row::State::failed ? "FAILED" : "skipped";
}

size_t count(const std::vector<Row>& rows, Row::State s) {
  return static_cast<size_t>(std::count_if(rows.begin(), rows.end(), [s](auto& r) { return r.state == s; }));
}

void print_table(const std::vector<Row>& rows) {
  for (auto& r : rows)
    fmt::print("{:<8} {:<9} {}{}{}\n", text_of(r.state), r.group, r.name, r.why.empty() ? "" : ": ", r.why);
  fmt::print("{} passed, {} failed, {} skipped\n", count(rows, Row::State::passed), count(rows, Row::State::failed),
             count(rows, Row::State::skipped));
  fflush(stdout);
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  dav::append_attribute(out, text);
  return out;
}

/// As JUnit's readers have it.
std::string junit(const std::vector<Row>& rows, const std::string& daemon) {
  double seconds = 0;
  for (auto& r : rows) seconds += r.seconds;
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" "
      "errors=\"0\" skipped=\"{}\" time=\"{:.3f}\">\n",
      xml_escaped(daemon), rows.size(), count(rows, Row::State::failed), count(rows, Row::State::skipped), seconds);
  for (auto& r : rows) {
    xml += fmt::format("<testcase classname=\"fusetest.{}\" name=\"{}\" time=\"{:.3f}\"", r.group, xml_escaped(r.name),
                       r.seconds);
    if (r.state == Row::State::passed)
      xml += "/>\n";
    else
      xml += fmt::format("><{} message=\"{}\"/></testcase>\n", r.state == Row::State::failed ? "failure" : "skipped",
                         xml_escaped(r.why));
  }
  return xml + "</testsuite>\n</testsuites>\n";
}

}  // namespace

Failure run_fusetest(const FuseTestJob& job) {
  auto file = resolve_program(job.command.at(0));
  if (!file) return {file.problem().code == err(ENOENT) ? kExitNoProgram : kExitCannotRun, file.problem()};
  ProgramJob program{.file = *file, .arguments = job.command};
  program.isolated = job.isolated;
  if (auto chosen = choose_way_in(job.way_in, program); !chosen) return {kExitUnsupported, chosen.problem()};
  auto hosted = host_program(program, {});
  if (!hosted) return {kExitSource, hosted.problem()};
  auto* host = dynamic_cast<fuse_host::FuseHost*>(hosted->get());
  if (!host)
    return {kExitUnsupported, {err(ENODEV), *file + " makes a character device: there are no checks of such", ""}};
  std::vector<Row> rows;
  {
    Run run(*host);
    if (Status s = run.start(); !s)
      return {kExitSource, {s.error(), fmt::format("{}: {}", *file, isthmus::text_of(s.error())), ""}};
    run.posix(job.keep_off);
    run.protocol();
    rows = std::move(run.rows);
  }
  hosted->reset();
  print_table(rows);
  if (!job.junit_file.empty()) {
    std::ofstream out(job.junit_file);
    out << junit(rows, file->substr(file->rfind('/') + 1));
    out.close();
    if (!out) return {kExitFailure, {last_errno(), "cannot write " + job.junit_file, ""}};
  }
  Failure f;
  if (count(rows, Row::State::failed) > 0) f.code = kExitFailure;
  f.reported = true;
  return f;
}

}  // namespace isthmus::ctl
