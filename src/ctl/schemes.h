#pragma once
#include "ctl/registry.h"

/// The factories behind the registry's tables, one file a scheme.
namespace isthmus::ctl {

extern const Scheme kDirScheme, kMemScheme, kArchiveScheme, kAddonScheme, kRunScheme, kHostScheme, kUserfsScheme,
    kUserfsFdScheme, kUserfsUnixScheme, kUserfsTcpScheme, kUserfsSshScheme;
/// The option of addon: that holds arguments; all others go behind -o.
inline constexpr std::string_view kAddonArgs = "args";
extern const DecoratorKind kTraceDecorator, kFaultDecorator, kCompressDecorator;

/// The options that are not a decorator's.
std::vector<std::pair<std::string, std::string>> own_options(const Source& source);

/// A Problem about a source's options, from the provider's own sentence.
Problem bad_option(const Source& source, const std::string& why);

}  // namespace isthmus::ctl
