#include "ctl/schemes.h"
#include "fs/compress/compress_fs.h"
#include "fs/fault/fault.h"
#include "fs/trace/trace.h"

namespace isthmus::ctl {
namespace {

constexpr OptionHelp kTraceOptions[] = {
    {"trace.file=PATH", "where to; appended; default: standard error"},
    {"trace.format=text|json", "one line or one JSON object an operation"},
    {"trace.ops=NAME,...", "only these operations: lookup, read, ..."},
};

constexpr OptionHelp kFaultOptions[] = {
    {"fault.rules=RULE;...",
     "RULE is OPS:ACTION[:CONDITION...]; OPS are * or names joined by '+'; ACTION an errno name, delay=N(us|ms|s), "
     "short=N "
     "or short=N%; CONDITION p=CHANCE, after=N, count=N, every=N, name=GLOB"},
    {"fault.seed=N", "repeats the chances of an earlier run; default: a random seed, which is logged"},
};

constexpr OptionHelp kCompressOptions[] = {
    {"compress.level=N", "of zstd, 1 to 19; default 3"},
    {"compress.frame=SIZE", "plain bytes that are compressed together; default 256k"},
    {"compress.cache=SIZE", "memory for decoded data, and for data to be stored; default 64m"},
    {"compress.write_after=SECONDS", "when a file that stays open is stored; default 30"},
    {"compress.spool=SIZE", "disk for each file that cannot be read at random; default 1g"},
    {"compress.spool_dir=DIR", "where; default: as archive: does"},
};

Expected<std::unique_ptr<FileSystem>> make_trace(std::unique_ptr<FileSystem> inner, const Source& source) {
  fs::trace::Options options;
  std::string why;
  if (!fs::trace::parse_options(source.options, options, why)) return bad_option(source, why);
  auto made = fs::trace::Trace::make(std::move(inner), options);
  if (!made)
    return Problem{made.error(),
                   "trace+: cannot write to '" + options.file + "': " + std::string(text_of(made.error())),
                   "trace.file names a file in a folder that exists and is yours"};
  return std::move(*made);
}

Expected<std::unique_ptr<FileSystem>> make_fault(std::unique_ptr<FileSystem> inner, const Source& source) {
  fs::fault::Options options;
  std::string why;
  if (!fs::fault::parse_options(source.options, options, why)) return bad_option(source, why);
  return std::unique_ptr<FileSystem>(std::make_unique<fs::fault::Fault>(std::move(inner), std::move(options)));
}

Expected<std::unique_ptr<FileSystem>> make_compress(std::unique_ptr<FileSystem> inner, const Source& source) {
  fs::compress::Options options;
  std::string why;
  if (!fs::compress::parse_options(source.options, options, why)) return bad_option(source, why);
  return std::unique_ptr<FileSystem>(std::make_unique<fs::compress::CompressFs>(std::move(inner), std::move(options)));
}

}  // namespace

const DecoratorKind kTraceDecorator{"trace", "writes down every operation, its answer and how long it took",
                                    kTraceOptions, make_trace};
const DecoratorKind kFaultDecorator{"fault", "fails, delays or shortens operations by rule, for tests", kFaultOptions,
                                    make_fault};
const DecoratorKind kCompressDecorator{"compress", "stores files compressed, as NAME.zst, and shows them plain",
                                       kCompressOptions, make_compress};

}  // namespace isthmus::ctl
