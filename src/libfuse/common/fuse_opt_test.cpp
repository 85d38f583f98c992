#include <dlfcn.h>
#include <gtest/gtest.h>
#include <isthmus/fuse3/fuse_log.h>
#include <isthmus/fuse3/fuse_opt.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/// Our fuse_opt_* beside those of the system's libfuse of the same version: the same arguments, the same outcome.
namespace {

using Strings = std::vector<std::string>;

Strings* g_said = nullptr;
void keep_message(fuse_log_level, const char* format, va_list values) {
  char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  vsnprintf(text, sizeof text, format, values);
#pragma GCC diagnostic pop
  if (g_said) g_said->push_back(text);
}

struct Library {
  explicit Library(const char* path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle) return;
    find("fuse_opt_parse", parse);
    find("fuse_opt_add_opt", add_opt);
    find("fuse_opt_add_opt_escaped", add_opt_escaped);
    find("fuse_opt_add_arg", add_arg);
    find("fuse_opt_insert_arg", insert_arg);
    find("fuse_opt_free_args", free_args);
    find("fuse_opt_match", match);
    auto set_log = reinterpret_cast<decltype(&fuse_set_log_func)>(dlsym(handle, "fuse_set_log_func"));
    if (set_log) set_log(keep_message);
    to_stderr = !set_log;
  }
  template <class F>
  void find(const char* name, F& to) {
    to = reinterpret_cast<F>(dlsym(handle, name));
    ASSERT_NE(to, nullptr) << name;
  }
  void* handle;
  bool to_stderr = false;  // version 2 has no function for messages
  decltype(&fuse_opt_parse) parse = nullptr;
  decltype(&fuse_opt_add_opt) add_opt = nullptr;
  decltype(&fuse_opt_add_opt) add_opt_escaped = nullptr;
  decltype(&fuse_opt_add_arg) add_arg = nullptr;
  decltype(&fuse_opt_insert_arg) insert_arg = nullptr;
  decltype(&fuse_opt_free_args) free_args = nullptr;
  decltype(&fuse_opt_match) match = nullptr;
};

Library& ours() {
  static Library library(OUR_LIBRARY);
  return library;
}

/// Null where the system has none.
Library* theirs() {
  for (const char* path : {"/usr/lib/x86_64-linux-gnu/" SONAME, "/usr/lib/aarch64-linux-gnu/" SONAME,
                           "/lib/x86_64-linux-gnu/" SONAME, "/lib/aarch64-linux-gnu/" SONAME})
    if (access(path, R_OK) == 0) {
      static Library library(path);
      return library.handle ? &library : nullptr;
    }
  return nullptr;
}

constexpr size_t kSlots = 4;
struct Data {
  std::array<uint64_t, kSlots> numbers{};
  std::array<char*, 2> texts{};
  uint32_t seed = 0;
  Library* library = nullptr;
  Strings calls;
};

/// What a program's function might do, chosen by the argument alone so that both libraries meet the same.
int answer(void* data, const char* arg, int key, fuse_args* out) {
  auto& d = *static_cast<Data*>(data);
  d.calls.push_back(std::to_string(key) + ":" + arg + ":" + std::to_string(out->argc));
  auto choice = (std::hash<std::string>()(arg) ^ d.seed) % 32;
  if (choice == 0) return -1;
  if (choice == 1) return d.library->add_arg(out, "added");
  if (choice == 2) return d.library->insert_arg(out, out->argc / 2, "inserted");
  if (choice == 3) return -2;
  return choice < 16 ? 0 : static_cast<int>(choice) - 14;
}

struct Outcome {
  int result = 0;
  Strings args, calls, said, texts;
  std::array<uint64_t, kSlots> numbers{};
  int allocated = 0;
  bool terminated = true;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& to, const Outcome& o) {
  to << "result " << o.result << ", allocated " << o.allocated;
  for (auto* list : {&o.args, &o.calls, &o.said, &o.texts}) {
    to << "\n ";
    for (auto& s : *list) to << " <" << s << ">";
  }
  for (auto n : o.numbers) to << " " << n;
  return to;
}

/// What is written to stderr while it lives.
class Stderr {
 public:
  Stderr() : before_(dup(2)), memory_(memfd_create("stderr", 0)) { dup2(memory_, 2); }
  ~Stderr() {
    dup2(before_, 2);
    close(before_);
    close(memory_);
  }
  Strings lines() {
    std::array<char, 4096> text{};
    ssize_t n = pread(memory_, text.data(), text.size(), 0);
    Strings all;
    for (std::string_view rest(text.data(), n > 0 ? static_cast<size_t>(n) : 0); !rest.empty();) {
      size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
      all.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    return all;
  }

 private:
  int before_, memory_;
};

/// Version 2 loses the string that another one replaces.
class LossAllowed {
#ifdef __SANITIZE_ADDRESS__
  __lsan::ScopedDisabler disabled_;
#else
 public:
  LossAllowed() {}  // NOLINT(modernize-use-equals-default): not unused then
#endif
};

int parse(Library& library, fuse_args& args, Data& data, const fuse_opt* table, bool with_proc, Strings& said) {
  auto* proc = with_proc ? answer : nullptr;
  if (library.to_stderr) {
    LossAllowed loss;
    Stderr messages;
    int result = library.parse(&args, &data, table, proc);
    said = messages.lines();
    return result;
  }
  g_said = &said;
  int result = library.parse(&args, &data, table, proc);
  g_said = nullptr;
  return result;
}

Outcome run(Library& library, const Strings& in, const std::vector<fuse_opt>& table, uint32_t seed, bool with_proc) {
  Outcome o;
  Data data;
  data.seed = seed;
  data.library = &library;
  std::vector<char*> argv;
  for (auto& s : in) argv.push_back(const_cast<char*>(s.c_str()));
  argv.push_back(nullptr);
  fuse_args args = FUSE_ARGS_INIT(static_cast<int>(in.size()), argv.data());
  o.result = parse(library, args, data, table.empty() ? nullptr : table.data(), with_proc, o.said);
  for (int i = 0; i < args.argc; i++) o.args.push_back(args.argv[i]);
  o.terminated = !args.argv || args.argv[args.argc] == nullptr;
  o.allocated = args.allocated;
  library.free_args(&args);
  o.calls = data.calls;
  o.numbers = data.numbers;
  for (char* t : data.texts) {
    o.texts.push_back(t ? t : "(none)");
    free(t);
  }
  return o;
}

struct Generator {
  explicit Generator(uint32_t seed) : random(seed) {}
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); }
  template <class T>
  const T& one_of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

  std::vector<fuse_opt> table() {
    static const std::vector<const char*> kWords = {
        "foo",       "foo=",       "foo=%u", "foo=%s", "fo",  "-x",  "-x ", "-x %s",   "-x %i",    "--long", "--long=",
        "--long=%s", "-x=%lu",     "bar=%o", "bar=%x", "a b", "a=b", "=",   "=%u",     "bar",      "-y %s",  "-y",
        "q=%hu",     "with,comma", "with\\", "%s",     "-o",  "-",   "--",  "foo=%3s", "foo=%u,%u"};
    std::vector<fuse_opt> rows;
    for (size_t n = below(8); n > 0; n--) {
      fuse_opt row{};
      row.templ = one_of(kWords);
      const char* format = strchr(row.templ, '%');
      bool text = format && strchr(format, 's') && format != row.templ;
      row.value = std::uniform_int_distribution<int>(-5, 20)(random);
      if (below(3) == 0 || (format && strchr(format, ',')))
        row.offset = -1U;
      else if (text)
        row.offset = offsetof(Data, texts) + sizeof(char*) * below(2);
      else
        row.offset = offsetof(Data, numbers) + sizeof(uint64_t) * below(kSlots);
      if (format && strcmp(format, "%3s") == 0) row.offset = -1U;
      rows.push_back(row);
    }
    if (!rows.empty() || below(2)) rows.push_back(FUSE_OPT_END);
    return rows;
  }

  std::string piece() {
    static const std::vector<std::string> kPieces = {
        "foo",   "foo=",  "foo=12",  "foo=x",   "foo=abc", "fo", "bar=17",       "bar=0x1f", "bar", "a b",
        "a=b",   "a",     "q=70000", "",        "=",       "=3", "with\\,comma", "with\\\\", "\\",  "\\101",
        "\\777", "\\400", "\\12",    "x\\054y", "--long",  "-x", "-o",           "%s",       "é"};
    return one_of(kPieces);
  }
  std::string list() {
    std::string s = piece();
    for (size_t n = below(4); n > 0; n--) s += "," + piece();
    return s;
  }
  Strings arguments() {
    static const std::vector<std::string> kWords = {
        "-x", "-xval", "-x12", "-x=5", "--long", "--long=", "--long=v", "--longer", "--",   "-",
        "-o", "plain", "",     "-y",   "-yy",    "foo",     "foo=1",    "/mnt/a b", "-foo", "-d"};
    Strings all{"program"};
    for (size_t n = below(9); n > 0; n--) switch (below(4)) {
        case 0:
          all.push_back("-o" + list());
          break;
        case 1:
          all.push_back("-o");
          all.push_back(list());
          break;
        default:
          all.push_back(one_of(kWords));
      }
    return all;
  }

  std::mt19937 random;
};

std::string words(const Strings& list) {
  std::string s;
  for (auto& w : list) s += " <" + w + ">";
  return s;
}

TEST(FuseOpt, ListsAreTheSameAsTheRealLibrarys) {
  if (!theirs()) GTEST_SKIP() << "no " SONAME " of the system";
  uint32_t first = 20'000'000;
  if (const char* given = getenv("ISTHMUS_SEED")) first = static_cast<uint32_t>(strtoul(given, nullptr, 10));
  size_t kept = 0, failed = 0, said = 0;
  for (uint32_t seed = first; seed < first + 40'000; seed++) {
    Generator g(seed);
    auto table = g.table();
    auto args = g.arguments();
    bool with_proc = g.below(4) != 0;
    Outcome a = run(ours(), args, table, seed, with_proc), b = run(*theirs(), args, table, seed, with_proc);
    std::string rows;
    for (auto& r : table) rows += std::string(" <") + (r.templ ? r.templ : "END") + ">";
    ASSERT_EQ(a, b) << "ISTHMUS_SEED=" << seed << "\narguments" << words(args) << "\nrows" << rows;
    kept += a.args.size() > 1;
    failed += a.result < 0;
    said += !a.said.empty();
  }
  // The generator reaches what it is there for.
  EXPECT_GT(kept, 10'000u);
  EXPECT_GT(failed, 2'000u);
  EXPECT_GT(said, 1'000u);
}

TEST(FuseOpt, MatchesTheSameAsTheRealLibrary) {
  if (!theirs()) GTEST_SKIP() << "no " SONAME " of the system";
  size_t matched = 0;
  for (uint32_t seed = 0; seed < 20'000; seed++) {
    Generator g(seed);
    auto table = g.table();
    std::string word = g.below(2) ? g.piece() : g.arguments().back();
    auto* rows = table.empty() ? nullptr : table.data();
    int result = ours().match(rows, word.c_str());
    ASSERT_EQ(result, theirs()->match(rows, word.c_str())) << word;
    matched += result != 0;
  }
  EXPECT_GT(matched, 1'000u);
}

std::vector<Library*> both() {
  std::vector<Library*> all{&ours()};
  if (theirs()) all.push_back(theirs());
  return all;
}

TEST(FuseOpt, ListsOfOptionsAreJoinedAndEscaped) {
  for (Library* l : both()) {
    char* list = nullptr;
    EXPECT_EQ(l->add_opt(&list, "a,b"), 0);
    EXPECT_EQ(l->add_opt_escaped(&list, "c,d\\e"), 0);
    EXPECT_STREQ(list, "a,b,c\\,d\\\\e");
    EXPECT_EQ(l->add_opt(&list, ""), 0);
    EXPECT_STREQ(list, "a,b,c\\,d\\\\e,");
    free(list);
  }
}

TEST(FuseOpt, KeptListsComeFirstAsOne) {
  static const fuse_opt kTable[] = {FUSE_OPT_KEY("drop", FUSE_OPT_KEY_DISCARD), FUSE_OPT_KEY("-k", FUSE_OPT_KEY_KEEP),
                                    FUSE_OPT_END};
  for (Library* l : both()) {
    auto o = run(*l, {"p", "m", "-o", "a,drop", "-k", "-ob\\,c"}, {std::begin(kTable), std::end(kTable)}, 0, false);
    EXPECT_EQ(o.result, 0);
    EXPECT_EQ(o.args, (Strings{"p", "-o", "a,b\\,c", "m", "-k"}));
  }
}

TEST(FuseOpt, ASeparatorAtTheEndGoesUnlessAListCameBefore) {
  for (Library* l : both()) {
    EXPECT_EQ(run(*l, {"p", "-d", "--"}, {}, 0, false).args, (Strings{"p", "-d"}));
    EXPECT_EQ(run(*l, {"p", "--", "-d"}, {}, 0, false).args, (Strings{"p", "--", "-d"}));
    EXPECT_EQ(run(*l, {"p", "-o", "a", "--"}, {}, 0, false).args, (Strings{"p", "-o", "a", "--"}));
  }
}

TEST(FuseOpt, AMissingParameterIsNamed) {
  static const fuse_opt kTable[] = {{"-x %s", offsetof(Data, texts), 0}, FUSE_OPT_END};
  for (Library* l : both()) {
    auto o = run(*l, {"p", "-x"}, {std::begin(kTable), std::end(kTable)}, 0, false);
    EXPECT_EQ(o.result, -1);
    EXPECT_EQ(o.args, (Strings{"p", "-x"}));
    EXPECT_EQ(o.said, (Strings{"fuse: missing argument after `-x'\n"}));
  }
}

TEST(FuseOpt, NothingToParseIsNoError) {
  for (Library* l : both()) {
    EXPECT_EQ(l->parse(nullptr, nullptr, nullptr, nullptr), 0);
    fuse_args none = FUSE_ARGS_INIT(0, nullptr);
    EXPECT_EQ(l->parse(&none, nullptr, nullptr, nullptr), 0);
    l->free_args(nullptr);
  }
}

}  // namespace
