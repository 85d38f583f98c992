#include "ctl/net/net_schemes.h"
#include "ctl/schemes.h"
#include "fs/ftp/ftp_fs.h"

namespace isthmus::ctl {
namespace {

using fs::ftp::FtpFs;
using fs::ftp::FtpOptions;

constexpr OptionHelp kFtpOptions[] = {
    {"password_file=PATH", "its first line is the password; default: ~/.netrc, or you are asked"},
    {"tls=require|try|off", "TLS behind AUTH TLS; default: try, and off for anonymous logins"},
    {"cacert=FILE", "certificates that are trusted; default: those of the system"},
    {"insecure", "any certificate will do"},
    {"active", "the server connects to us for data"},
    {"hosts=NAME,...", "ftp: connects to these, and to no others"},
    {"cache=SECONDS", "how long what is known of a folder is believed; default 10"},
    {"timeout=SECONDS", "most silence of a server; default 20"},
    {"connect_timeout=SECONDS", "the same of a connection that is made; default 10"},
    {"retry=SECONDS", "how long a broken upload is tried again; default 15"},
    {"idle=SECONDS", "after which connections are closed; default 60"},
    {"connections=N", "most to one server; default 4"},
    {"max_hosts=N", "most servers of ftp:; default 64"},
    {"max_entries=N", "most names of a folder; default 1000000"},
    {"upload=replace|direct", "new content beside the file, then over it (default); or into it"},
    {"read_ahead=BYTES", "default 2m"},
    {"spool=FOLDER", "where files are that are being written; default $TMPDIR or /var/tmp"},
    {"uid=N, gid=N", "owner that is shown"},
    {"ro", "change nothing"},
};

Expected<std::unique_ptr<FileSystem>> make(const Source& source, const SourceHooks& hooks, bool implicit_tls) {
  FtpOptions options;
  std::string why;
  for (auto& [key, value] : own_options(source))
    if (!fs::ftp::set_ftp_option(options, key, value, why)) return bad_option(source, why);
  std::string_view rest = source.path;
  const std::string form = source.scheme + "://[USER@]HOST[:PORT][/PATH]";
  if (rest.empty() && !implicit_tls) {
    if (!options.password_file.empty()) return bad_option(source, "password_file belongs to one server, " + form);
    return std::unique_ptr<FileSystem>(FtpFs::open_all(options));
  }
  if (!options.hosts.empty()) return bad_option(source, "hosts belongs to ftp: without a server");
  if (!rest.starts_with("//")) return Problem{err(EINVAL), "source '" + source.scheme + ":' lacks a server", form};
  rest.remove_prefix(2);
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view server = rest.substr(0, slash);
  // What stands in a command line is for everybody to see; nor is it told again here.
  if (const size_t at = server.rfind('@'); at != server.npos && server.substr(0, at).find(':') != server.npos)
    return Problem{err(EINVAL), "a password in a command line is seen by everybody on this machine",
                   "put it into ~/.netrc or into a file, for password_file, or wait to be asked for it"};
  const auto place = fs::ftp::parse_place(server);
  if (!place) return Problem{err(EINVAL), "'" + std::string(server) + "' is no name of a server", form};
  const fs::ftp::FtpHooks ftp_hooks{.cancelled = hooks.cancelled, .password = hooks.passphrase};
  auto made = FtpFs::open(*place, rest.substr(slash), implicit_tls, options, ftp_hooks);
  if (!made) return made.problem();
  return std::unique_ptr<FileSystem>(std::move(*made));
}

Expected<std::unique_ptr<FileSystem>> make_ftp(const Source& source, const SourceHooks& hooks) {
  return make(source, hooks, false);
}
Expected<std::unique_ptr<FileSystem>> make_ftps(const Source& source, const SourceHooks& hooks) {
  return make(source, hooks, true);
}

}  // namespace

const Scheme kFtpScheme{kFtp,
                        false,
                        "a tree of an FTP server, //[USER@]HOST[:PORT][/PATH]; without one, a folder in which naming a "
                        "server, HOST or USER@HOST, connects to it",
                        kFtpOptions,
                        make_ftp,
                        false,
                        "[//[USER@]HOST[/PATH]]"};
const Scheme kFtpsScheme{
    kFtps, false, "the same by TLS from the first byte (port 990)", {}, make_ftps, false, "//[USER@]HOST[/PATH]"};

}  // namespace isthmus::ctl
